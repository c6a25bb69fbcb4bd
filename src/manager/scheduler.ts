import type { Clock, Timer } from '../clock.js';
import { decodeColumn, encodeColumn, encodedSize } from '../codec.js';
import { errorFromWire } from '../error-wire.js';
import { SerializationError, timeoutError } from '../errors.js';
import type { EncodedColumn, FailedAttempt, ResultsMessage } from '../protocol.js';
import { indexAt } from '../protocol.js';
import type { Parcel } from './batch.js';
import { Batch, BatchSizer, TARGET_MS } from './batch.js';
import type { Held } from './crash.js';
import { blame, crashError } from './crash.js';
import type { Pool } from './pool.js';
import type { Admit } from './queue.js';
import { Queue } from './queue.js';
import type { RetryOptions } from './retry.js';
import { RetryPolicy } from './retry.js';
import type { Source } from './source.js';
import type { FailedJob, Settlement } from './tally.js';
import { OrderWindow } from './window.js';
import type { ExitReason, Worker } from './worker.js';

/**
 * Pairs ready workers with jobs, and every ending with its job.
 *
 * `step` is synchronous and idempotent: it may be called whenever anything has changed, and does all that can be done
 * now. A job is always in exactly one place: the source, the queue, one worker's batches, or settled. All endings go
 * through `settle`.
 *
 * States: `running` → `halted` (nothing more is handed out; running jobs end) or `drained` (every job has settled)
 * → `over` (and every worker has gone). `state` is written by `halt`, `step` and `finishIfGone` alone.
 */

/** What a scheduler tells the run. */
export interface SchedulerEvents {
  /** Jobs that have settled, in one go: whoever records them does so before anybody is told. */
  settled(settlements: readonly Settlement[]): void;
  retry(
    error: unknown,
    about: { index: number; job: unknown; id: number; attempt: number; delay: number },
  ): void;
  progress(about: { index: number; id: number; data: unknown }): void;
  /** A worker died with these jobs. */
  crashed(worker: Worker, jobs: readonly number[]): void;
  /** No job is left anywhere and every worker has gone. */
  over(): void;
}

export interface SchedulerOptions extends RetryOptions {
  readonly workers: number;
  readonly concurrency: number;
  readonly batchSize: number | 'auto';
  readonly timeout: number | undefined;
  readonly maxJobsPerWorker: number | undefined;
  /** Hand out only so far beyond the oldest unsettled job. */
  readonly ordered: boolean;
}

/** Jobs that an ordered run may hold beyond the oldest unsettled one. */
const ORDER_WINDOW = 4096;

export class Scheduler {
  private state: 'running' | 'halted' | 'drained' | 'over' = 'running';
  private readonly queue: Queue;
  private readonly retries: RetryPolicy;
  private readonly sizer: BatchSizer;
  private readonly window: OrderWindow | undefined;
  private inFlight = 0;
  private seq = 0;
  private held = false;
  private stepDue = false;
  private retryTimer: Timer | undefined;

  constructor(
    private readonly source: Source,
    private readonly pool: Pool,
    private readonly options: SchedulerOptions,
    private readonly clock: Clock,
    private readonly events: SchedulerEvents,
    admit?: Admit,
  ) {
    this.window = options.ordered ? new OrderWindow(ORDER_WINDOW) : undefined;
    this.queue = new Queue(source, admit && this.noting(admit));
    this.retries = new RetryPolicy(options);
    this.sizer = new BatchSizer(options.batchSize, options.workers, options.concurrency);
  }

  /** Steps once what has arrived by now was handled: many arrivals, one step. */
  poke(): void {
    if (this.stepDue) return;
    this.stepDue = true;
    this.clock.soon(() => {
      this.stepDue = false;
      this.step();
    });
  }

  /** Hands out nothing more, or goes on. */
  hold(on: boolean): void {
    if (this.held === on) return;
    this.held = on;
    if (!on) this.poke();
  }

  /**
   * Ends the run early: nothing more is handed out.
   * @param reason politely, with `workerFinish`, or at once
   */
  halt(reason: 'stopped' | 'aborted'): void {
    if (this.state === 'over') return;
    this.state = 'halted';
    this.queue.clear();
    this.source.close();
    this.closePool(reason);
  }

  /** Does everything that can be done now. */
  step(): void {
    if (this.state !== 'running') return;
    // 1. The end: nothing left to hand out, nothing on its way.
    if (this.queue.drained && this.inFlight === 0) {
      this.state = 'drained';
      this.closePool('finished');
      return;
    }
    // One look at the clock a step: a retry that was not due yet when it could have been handed out is woken up for.
    const now = this.clock.now();
    if (!this.held) {
      // 2. Suspects, each alone on a worker that holds nothing.
      this.giveSuspects();
      // 3. Jobs for those without any, then a second batch for the others, which hides the way of the first.
      if (this.queue.suspect === undefined) {
        for (const worker of this.pool.workers) if (worker.batches.length === 0) this.feed(worker, now);
        for (const worker of this.pool.workers) if (worker.batches.length > 0) this.feed(worker, now);
      }
    }
    if (!this.held && this.pool.living < this.options.workers) {
      this.queue.lookAhead(this.options.workers - this.inFlight, this.window?.limit);
    }
    // The list may have ended, or thrown, while it was pulled.
    if (this.state !== 'running') return;
    if (this.queue.drained && this.inFlight === 0) return this.step();
    // 4. As many workers as there are jobs for.
    this.pool.ensure(this.inFlight + this.queue.known(now));
    if (this.queue.catchBreath()) this.poke();
    // 5. Read ahead what they can hold; wake up for the next retry.
    this.source.readAhead(this.sizer.capacity(this.lastSize()));
    this.wakeForRetry(now);
  }

  // ---- from the pool ---------------------------------------------------------------------------------------------

  progress(worker: Worker, index: number, data: EncodedColumn): void {
    this.events.progress({ index, id: worker.id ?? 0, data: decodeColumn(data)[0] });
  }

  /** A report about some jobs of one batch. */
  results(worker: Worker, batch: Batch, message: ResultsMessage): void {
    if (message.undecodable === true) return this.undecodable(batch);
    const values = decodeOrNot(message.values);
    if (values === undefined) this.unreadable(worker, batch, message);
    else this.settleReport(worker, batch, message, values);
    if (message.returned !== undefined && message.returned > 0) {
      this.inFlight -= message.returned;
      this.putBack(batch.giveBack(message.returned));
    }
    this.recycleIfDue(worker, message.full === true);
    if (this.state === 'running') this.poke();
  }

  /** A worker has gone: what it held is blamed, or goes back. */
  gone(worker: Worker): void {
    const held = worker.held;
    this.inFlight -= held;
    if (held > 0) this.settleAccounts(worker);
    worker.batches = [];
    if (this.state === 'running') {
      this.step();
      this.pool.checkHope();
    }
    this.finishIfGone();
  }

  // ---- handing out -----------------------------------------------------------------------------------------------

  private giveSuspects(): void {
    for (let suspect = this.queue.suspect; suspect !== undefined; suspect = this.queue.suspect) {
      const fresh = suspect.needsFreshWorker;
      const idle = [...this.pool.workers].filter(
        (worker) => worker.state === 'ready' && worker.batches.length === 0,
      );
      const worker = fresh ? idle.find(({ given }) => given === 0) : idle[0];
      if (worker === undefined) {
        if (fresh && !this.freshComing()) idle[0]?.finish('recycled');
        return;
      }
      this.queue.takeSuspect();
      worker.alone = true;
      this.give(worker, { first: suspect.index, jobs: [suspect.job] });
    }
  }

  private freshComing(): boolean {
    for (const worker of this.pool.workers) if (worker.living && worker.given === 0) return true;
    return false;
  }

  private feed(worker: Worker, now: number): void {
    if (worker.state !== 'ready' || worker.alone) return;
    const held = worker.held;
    if (worker.batches.length >= 2 && held >= this.options.concurrency) return;
    const quota = (this.options.maxJobsPerWorker ?? Number.POSITIVE_INFINITY) - worker.given;
    const size = this.sizer.size({ last: worker.lastSize, remaining: this.queue.remaining, held });
    const count = Math.min(size, quota);
    if (count <= 0) return;
    const parcel = this.queue.take(count, now, this.window?.limit);
    if (parcel === undefined || parcel.jobs.length === 0) return;
    if (this.state !== 'running') return;
    this.give(worker, parcel);
  }

  private give(worker: Worker, parcel: Parcel): void {
    const { retries } = this;
    const count = parcel.jobs.length;
    const attempts = retries.pristine
      ? undefined
      : parcel.jobs.map((_, at) => retries.attempt(indexAt(parcel, at)));
    const refused: { position: number; error: SerializationError }[] = [];
    const jobs = encodeColumn(
      parcel.jobs,
      (position, error) => refused.push({ position, error }),
      (position) => `job ${indexAt(parcel, position)}`,
    );
    if (refused.length > 0) {
      this.refuse(worker, parcel, refused);
      return;
    }
    this.sizer.observeBytes(count, encodedSize(jobs));
    const batch = new Batch(this.seq++, parcel, attempts);
    this.inFlight += count;
    const { first, indices } = parcel;
    worker.give(batch, {
      batch: batch.seq,
      first,
      ...(indices === undefined ? {} : { indices }),
      ...(attempts === undefined ? {} : { attempts }),
      jobs,
      count,
      budget: 2 * TARGET_MS,
    });
  }

  /** Jobs that can't be sent fail; their neighbours go out without them. */
  private refuse(
    worker: Worker,
    parcel: Parcel,
    refused: readonly { position: number; error: SerializationError }[],
  ): void {
    const bad = new Set(refused.map(({ position }) => position));
    const rest = pick(
      parcel,
      parcel.jobs.map((_, at) => at).filter((at) => !bad.has(at)),
    );
    const now = this.clock.epoch();
    this.settle(
      refused.map(({ position, error }) => {
        const index = indexAt(parcel, position);
        return this.failure(index, parcel.jobs[position], worker.id ?? 0, error, now, 0);
      }),
    );
    worker.alone = worker.alone && rest.jobs.length > 0;
    if (rest.jobs.length === 0) this.poke();
    else if (this.state === 'running') this.give(worker, rest);
  }

  private recycleIfDue(worker: Worker, full: boolean): void {
    const { maxJobsPerWorker } = this.options;
    const spent = maxJobsPerWorker !== undefined && worker.given >= maxJobsPerWorker && worker.held === 0;
    if ((spent || full) && this.state === 'running') worker.finish('recycled');
  }

  private wakeForRetry(now: number): void {
    this.clock.clear(this.retryTimer);
    const due = this.queue.nextDue;
    if (due === undefined || due <= now) return;
    this.retryTimer = this.clock.after(Math.min(due - now, 2 ** 31 - 1), () => this.step());
  }

  private lastSize(): number {
    let last = 0;
    for (const worker of this.pool.workers) last = Math.max(last, worker.lastSize);
    return last;
  }

  // ---- endings ---------------------------------------------------------------------------------------------------

  private settleReport(
    worker: Worker,
    batch: Batch,
    message: ResultsMessage,
    values: readonly unknown[],
  ): void {
    const { durations, count } = message;
    const failed = failedAt(message);
    const settlements: Settlement[] = [];
    let startedAt = message.startedAt;
    let total = 0;
    let longest = 0;
    for (let at = 0; at < count; at += 1) {
      const position = message.positions?.[at] ?? message.from + at;
      const duration = typeof durations === 'number' ? durations : (durations[at] ?? 0);
      const began = message.starts?.[at] ?? startedAt;
      startedAt += duration;
      total += duration;
      if (duration > longest) longest = duration;
      if (!batch.report(position)) continue;
      this.inFlight -= 1;
      const index = batch.indexAt(position);
      const job = batch.jobAt(position);
      const id = worker.id ?? 0;
      const failure = this.lateness(worker, batch, position) ?? failed?.get(position);
      if (failure === undefined) {
        const attempt = batch.attemptAt(position);
        const result = values[at];
        settlements.push({
          index,
          job,
          result,
          id,
          attempt,
          startedAt: began,
          duration,
          done: 0,
          total: undefined,
        });
        continue;
      }
      const error = failure.error instanceof Error ? failure.error : errorFromWire(failure.error);
      const ended = this.endAttempt(index, job, id, { error, kind: failure.kind }, began, duration);
      if (ended !== undefined) settlements.push(ended);
    }
    this.sizer.observe(count, total, longest);
    this.sizer.observeBytes(count, encodedSize(message.values));
    this.settle(settlements);
  }

  /** A result that comes after its worker was killed for it is too late: the attempt has timed out either way. */
  private lateness(worker: Worker, batch: Batch, position: number): FailedAttempt | undefined {
    if (worker.overdue.length === 0) return undefined;
    const late = worker.overdue.some((other) => other.batch === batch && other.position === position);
    return late ? { position, kind: 'timeout', error: timeoutError(this.options.timeout ?? 0) } : undefined;
  }

  /** Charges a failed attempt: it is run again, or this is the job's end. */
  private endAttempt(
    index: number,
    job: unknown,
    id: number,
    { error, kind }: { error: unknown; kind: FailedAttempt['kind'] },
    startedAt: number,
    duration: number,
  ): FailedJob | undefined {
    const attempt = this.retries.attempt(index);
    const verdict = kind === 'refused' ? { again: false as const, error } : this.retries.failed(index, error);
    if (!verdict.again) return this.failure(index, job, id, verdict.error, startedAt, duration);
    // An early end leaves it as it is: neither completed nor failed.
    if (this.state !== 'running') return undefined;
    this.queue.addRetry({ index, job }, this.clock.now() + verdict.delay);
    this.events.retry(error, { index, job, id, attempt, delay: verdict.delay });
    return undefined;
  }

  private failure(
    index: number,
    job: unknown,
    id: number,
    error: unknown,
    startedAt: number,
    duration: number,
  ): FailedJob {
    return { index, job, id, attempts: this.retries.attempt(index), error, startedAt, duration };
  }

  /** The one door: every job's one ending goes through here. */
  private settle(settlements: readonly Settlement[]): void {
    if (settlements.length === 0) return;
    for (const { index } of settlements) {
      this.retries.settled(index);
      this.window?.settled(index);
    }
    this.events.settled(settlements);
  }

  /** Results that can't be decoded here (nested too deeply): each is run alone, and the guilty one fails. */
  private unreadable(worker: Worker, batch: Batch, message: ResultsMessage): void {
    const positions: number[] = [];
    for (let at = 0; at < message.count; at += 1)
      positions.push(message.positions?.[at] ?? message.from + at);
    const mine = positions.filter((position) => batch.report(position));
    this.inFlight -= mine.length;
    const [only] = mine;
    if (batch.parcel.jobs.length === 1 && only !== undefined) {
      const error = new SerializationError(
        `Cannot read the result of job ${batch.indexAt(only)}: it is nested too deeply to be received`,
      );
      this.settle([
        this.failure(batch.indexAt(only), batch.jobAt(only), worker.id ?? 0, error, message.startedAt, 0),
      ]);
      return;
    }
    for (const position of mine) this.suspect({ batch, position }, false);
  }

  /** A batch that the child could not decode: none of it was begun. */
  private undecodable(batch: Batch): void {
    const positions = batch.unreported().filter((position) => batch.report(position));
    this.inFlight -= positions.length;
    if (batch.parcel.jobs.length > 1) {
      for (const position of positions) this.suspect({ batch, position }, false);
    } else {
      const index = batch.indexAt(0);
      const error = new SerializationError(
        `Cannot send job ${index}: it is nested too deeply to be received`,
      );
      this.settle([this.failure(index, batch.jobAt(0), 0, error, this.clock.epoch(), 0)]);
    }
    this.poke();
  }

  private settleAccounts(worker: Worker): void {
    const { culprits, suspects, innocent } = blame(worker, this.options.concurrency);
    if (worker.reason === 'crashed') {
      this.events.crashed(
        worker,
        [...culprits, ...suspects].map(({ batch, position }) => batch.indexAt(position)),
      );
    }
    const settlements: Settlement[] = [];
    for (const held of culprits) {
      const ended =
        worker.reason === 'timeout' ? this.chargeTimeout(worker, held) : this.chargeCrash(worker, held);
      if (ended !== undefined) settlements.push(ended);
    }
    for (const held of suspects) this.suspect(held, worker.uncaught !== undefined);
    for (const batch of worker.batches) {
      const positions = innocent.filter((held) => held.batch === batch).map(({ position }) => position);
      this.putBack(pick(batch.parcel, positions));
    }
    this.settle(settlements);
  }

  private chargeTimeout(worker: Worker, { batch, position }: Held): FailedJob | undefined {
    const { timeout = 0 } = this.options;
    const error = timeoutError(this.options.timeout ?? 0);
    const began = this.clock.epoch() - timeout;
    const attempt = { error, kind: 'timeout' } as const;
    return this.endAttempt(
      batch.indexAt(position),
      batch.jobAt(position),
      worker.id ?? 0,
      attempt,
      began,
      timeout,
    );
  }

  private chargeCrash(worker: Worker, { batch, position }: Held): FailedJob | undefined {
    const index = batch.indexAt(position);
    const job = batch.jobAt(position);
    const attempt = this.retries.attempt(index);
    const error = crashError(worker, `job ${index}, attempt ${attempt}`);
    const verdict = this.retries.crashed(index, error);
    const id = worker.id ?? 0;
    if (!verdict.again) return this.failure(index, job, id, error, this.clock.epoch(), 0);
    if (this.state !== 'running') return undefined;
    this.events.retry(error, { index, job, id, attempt, delay: 0 });
    this.queue.addSuspect({ index, job, needsFreshWorker: worker.uncaught !== undefined });
    return undefined;
  }

  private suspect({ batch, position }: Held, needsFreshWorker: boolean): void {
    if (this.state !== 'running') return;
    this.queue.addSuspect({ index: batch.indexAt(position), job: batch.jobAt(position), needsFreshWorker });
  }

  private putBack(parcel: Parcel): void {
    if (this.state === 'running') this.queue.giveBack(parcel);
  }

  private closePool(reason: ExitReason): void {
    this.clock.clear(this.retryTimer);
    this.pool.close();
    for (const worker of this.pool.workers) {
      if (reason === 'aborted') worker.abort();
      else worker.finish(reason);
    }
    this.clock.soon(() => this.finishIfGone());
  }

  private finishIfGone(): void {
    if (this.state === 'running' || this.state === 'over' || this.pool.workers.size > 0) return;
    this.state = 'over';
    this.events.over();
  }

  /** Jobs that an earlier run recorded take no room in the order window. */
  private noting(admit: Admit): Admit {
    return (index, job) => {
      const runs = admit(index, job);
      if (!runs) this.window?.settled(index);
      return runs;
    };
  }
}

function decodeOrNot(values: EncodedColumn): readonly unknown[] | undefined {
  try {
    return decodeColumn(values);
  } catch {
    // Nested too deeply for this side's stack: the caller finds out which of them it is.
    return undefined;
  }
}

function failedAt({ failed }: ResultsMessage): Map<number, FailedAttempt> | undefined {
  if (failed === undefined || failed.length === 0) return undefined;
  return new Map(failed.map((attempt) => [attempt.position, attempt]));
}

function pick(parcel: Parcel, positions: readonly number[]): Parcel {
  const indices = positions.map((at) => indexAt(parcel, at));
  return { first: indices[0] ?? parcel.first, jobs: positions.map((at) => parcel.jobs[at]), indices };
}
