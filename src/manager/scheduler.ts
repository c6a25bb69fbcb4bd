import type { Clock } from '../clock.js';
import { decodeColumn } from '../codec.js';
import type { EncodedColumn, ResultsMessage } from '../protocol.js';
import type { Batch } from './batch.js';
import { BatchSizer } from './batch.js';
import type { EndingEvents } from './endings.js';
import { Endings } from './endings.js';
import { HandOut } from './hand-out.js';
import { Losses } from './losses.js';
import { Pace } from './pace.js';
import type { Pool, PoolEvents } from './pool.js';
import type { Admit } from './queue.js';
import { Queue } from './queue.js';
import { Reports } from './reports.js';
import type { RetryRules } from './retry.js';
import { RetryPolicy } from './retry.js';
import type { Source } from './source.js';
import { noting, OrderWindow } from './window.js';
import type { ExitReason, Worker } from './worker.js';

/** What a scheduler tells the run. */
export interface SchedulerEvents extends EndingEvents {
  wants(event: 'progress'): boolean;
  ready(worker: Worker): void;
  progress(about: { index: number; id: number; data: unknown }): void;
  /** A worker died with these jobs. */
  crashed(worker: Worker, jobs: readonly number[]): void;
  /** Every exit of a process that had begun. */
  exited(worker: Worker, reason: ExitReason): void;
  /** No worker can start: it can't go on. */
  failed(error: Error): void;
  /** No job is left anywhere and every worker has gone. */
  over(): void;
}

export interface SchedulerOptions extends RetryRules {
  readonly workers: number;
  readonly concurrency: number;
  readonly batchSize: number | 'auto';
  readonly timeout: number | undefined;
  readonly maxJobsPerWorker: number | undefined;
  /** Hand out only so far beyond the oldest unsettled job. */
  readonly ordered: boolean;
}

/** What a scheduler depends on. */
export interface SchedulerParts {
  readonly source: Source;
  readonly clock: Clock;
  /** Makes the pool, which tells nobody else. */
  readonly pool: (events: PoolEvents) => Pool;
  /** Who may keep a job from running. */
  readonly admit: Admit | undefined;
}

/**
 * Pairs ready workers with jobs, and every ending with its job.
 *
 * `step` is synchronous and idempotent: it may be called whenever anything has changed, and does all that can be done
 * now. A job is always in exactly one place: the source, the queue, one worker's batches, or settled. `HandOut` moves
 * jobs to workers; `Reports` (what a worker said) and `Losses` (what it held when it went) move them on from there,
 * through `Endings`: settled, or back to the queue.
 *
 * States: `running` → `halted` (nothing more is handed out; running jobs end) or `drained` (every job has settled)
 * → `over` (and every worker has gone). `state` is written by `halt`, `step` and `finishIfGone` alone.
 */
export class Scheduler {
  private state: 'running' | 'halted' | 'drained' | 'over' = 'running';
  readonly pace: Pace;
  private readonly pool: Pool;
  private readonly queue: Queue;
  private readonly sizer: BatchSizer;
  private readonly endings: Endings;
  private readonly handOut: HandOut;
  private readonly reports: Reports;
  private readonly losses: Losses;

  constructor(
    private readonly parts: SchedulerParts,
    private readonly options: SchedulerOptions,
    private readonly events: SchedulerEvents,
  ) {
    const { source, clock, admit } = parts;
    const { workers, concurrency, batchSize } = options;
    const window = options.ordered ? new OrderWindow() : undefined;
    const retries = new RetryPolicy(options);
    const queue = new Queue(source, admit && noting(admit, window));
    const sizer = new BatchSizer(batchSize, workers, concurrency);
    const endings = new Endings({ queue, retries, window, clock }, events);
    const step = (): void => this.step();
    const pace = new Pace(clock, step);
    const again = (): void => pace.poke();
    const pool = parts.pool({
      ready: (worker) => {
        events.ready(worker);
        step();
      },
      results: (...about) => this.results(...about),
      progress: (...about) => this.progress(...about),
      gone: (worker) => this.gone(worker),
      exited: (...about) => events.exited(...about),
      failed: (error) => events.failed(error),
      mayFork: step,
    });
    this.pace = pace;
    this.pool = pool;
    this.queue = queue;
    this.sizer = sizer;
    this.endings = endings;
    this.handOut = new HandOut({ ...options, queue, pool, sizer, retries, window, endings, clock, again });
    this.reports = new Reports({ ...options, endings, sizer, clock });
    this.losses = new Losses({ ...options, endings, clock, crashed: (...args) => events.crashed(...args) });
  }

  get workers(): Iterable<Worker> {
    return this.pool.workers;
  }

  /** Whether every job of the list has settled: there is nothing left to stop. */
  get done(): boolean {
    if (this.state === 'running') return this.allSettled;
    return this.state !== 'halted';
  }

  /**
   * Ends the run early: nothing more is handed out.
   * @param reason politely, with `workerFinish`, or at once
   */
  halt(reason: 'stopped' | 'aborted'): void {
    if (this.state === 'over') return;
    this.state = 'halted';
    this.endings.close(reason);
    this.parts.source.close();
    this.closePool(reason);
  }

  /** Does everything that can be done now. */
  step(): void {
    if (this.state !== 'running') return;
    const { source, clock } = this.parts;
    const { pace, pool, queue } = this;
    // 1. The end: nothing left to hand out, nothing on its way.
    if (this.allSettled) {
      this.state = 'drained';
      this.closePool('finished');
      return;
    }
    // One look at the clock a step.
    const now = clock.now();
    // 2. Jobs for whoever has room.
    if (!pace.held) this.handOut.run(now);
    // The list may have ended, or thrown, while it was pulled.
    if (this.state !== 'running') return;
    if (this.allSettled) return this.step();
    // 3. As many workers as there are jobs for; none while nothing is handed out, or one that dies idle is forked for ever.
    if (!pace.held) pool.ensure(queue.known(now));
    if (queue.catchBreath()) pace.poke();
    // 4. Read ahead what they can hold; wake up for the next retry.
    source.readAhead(this.sizer.capacity(this.lastSize()));
    pace.wakeFor(queue.nextDue, now);
  }

  // ---- from the pool ---------------------------------------------------------------------------------------------

  /** Data that can't be read here arrives as the error that says why: it must not end the manager's process. */
  private progress(worker: Worker, index: number, data: EncodedColumn): void {
    if (!this.events.wants('progress')) return;
    let value: unknown;
    try {
      [value] = decodeColumn(data, undefined, () => `the progress of job ${index}`);
    } catch (error) {
      value = error;
    }
    this.events.progress({ index, id: worker.id ?? 0, data: value });
  }

  /** A report about some jobs of one batch. */
  private results(worker: Worker, batch: Batch, message: ResultsMessage): void {
    this.reports.take(worker, batch, message);
    this.recycleIfDue(worker, message.full === true);
    this.pace.poke();
  }

  /** A worker has gone: what it held is blamed, or goes back. */
  private gone(worker: Worker): void {
    this.losses.settle(worker);
    this.step();
    this.finishIfGone();
  }

  // ---- helpers ---------------------------------------------------------------------------------------------------

  private get allSettled(): boolean {
    return this.queue.drained && this.pool.held === 0;
  }

  private recycleIfDue(worker: Worker, full: boolean): void {
    const { maxJobsPerWorker = Number.POSITIVE_INFINITY } = this.options;
    if (full || (worker.given >= maxJobsPerWorker && worker.held === 0)) worker.finish('recycled');
  }

  private lastSize(): number {
    let last = 0;
    for (const worker of this.pool.workers) last = Math.max(last, worker.lastSize);
    return last;
  }

  private closePool(reason: ExitReason): void {
    this.pace.stop();
    this.pool.close(reason);
    this.parts.clock.soon(() => this.finishIfGone());
  }

  private finishIfGone(): void {
    if (this.state === 'running' || this.state === 'over' || this.pool.workers.size > 0) return;
    this.state = 'over';
    this.events.over();
  }
}
