import type { SpawnChild } from '../../src/manager/child.js';
import { Pool } from '../../src/manager/pool.js';
import type { SchedulerEvents, SchedulerOptions } from '../../src/manager/scheduler.js';
import { Scheduler } from '../../src/manager/scheduler.js';
import type { Source } from '../../src/manager/source.js';
import { createSource } from '../../src/manager/source.js';
import type { FailedJob, Settlement } from '../../src/manager/tally.js';
import { isFailed, Tally } from '../../src/manager/tally.js';
import type { WorkerLimits } from '../../src/manager/worker.js';
import { FakeClock } from './fake-clock.js';
import { FakeChild } from './fake-worker.js';

export interface ManagerOptions extends SchedulerOptions, WorkerLimits {
  readonly bail: Parameters<Tally['bails']>[0];
  readonly admit: ((index: number, job: unknown) => boolean) | undefined;
}

const DEFAULTS: ManagerOptions = {
  workers: 1,
  concurrency: 1,
  batchSize: 'auto',
  retries: { limit: 0, delay: () => 0, when: () => true },
  crashRetries: 2,
  timeout: undefined,
  maxJobsPerWorker: undefined,
  ordered: false,
  startupTimeout: 30_000,
  shutdownTimeout: 5_000,
  bail: undefined,
  admit: undefined,
};

/** The manager's rooms wired as a run wires them, with fake children and a fake clock; it keeps all that it hears. */
export class FakeManager {
  readonly clock = new FakeClock();
  readonly children: FakeChild[] = [];
  readonly settled: Settlement[] = [];
  readonly retries: { error: unknown; index: number; id: number; attempt: number; delay: number }[] = [];
  readonly crashes: (readonly number[])[] = [];
  readonly exits: { id: number | undefined; reason: string }[] = [];
  readonly progress: unknown[] = [];
  /** Errors of the run itself. */
  readonly errors: unknown[] = [];
  over = 0;
  readonly source: Source;
  readonly scheduler: Scheduler;
  /** What forking gives, where it fails. */
  forkError: Error | undefined;
  private readonly tally = new Tally(false);

  constructor(list: unknown, options: Partial<ManagerOptions> = {}) {
    const all = { ...DEFAULTS, ...options };
    this.source = createSource(
      list,
      { available: () => this.scheduler.pace.poke(), failed: (error) => this.fail(error) },
      all.workers,
    );
    this.scheduler = this.schedule(all);
    this.scheduler.step();
  }

  /** Jobs that completed, by index, in the order they did. */
  get completed(): number[] {
    return this.settled.filter((one) => !isFailed(one)).map(({ index }) => index);
  }

  get failed(): FailedJob[] {
    return this.settled.filter(isFailed);
  }

  child(number: number): FakeChild {
    const child = this.children[number];
    if (child === undefined) throw new Error(`There is no child ${number}, only ${this.children.length}`);
    return child;
  }

  /** The children whose processes live. */
  get living(): FakeChild[] {
    return this.children.filter(({ gone }) => !gone);
  }

  /** Politely, with `workerFinish`, as `stop()` and `bail` do. */
  stop(): void {
    this.scheduler.halt('stopped');
  }

  private schedule(options: ManagerOptions): Scheduler {
    const events: SchedulerEvents = {
      wants: () => true,
      ready: () => {},
      exited: ({ id }, reason) => this.exits.push({ id, reason }),
      failed: (error) => this.fail(error),
      settled: (settlements: readonly Settlement[]) => this.conclude(settlements, options.bail),
      retry: (error: unknown, about: Omit<FakeManager['retries'][number], 'error'>) =>
        this.retries.push({ error, ...about }),
      progress: (about: unknown) => this.progress.push(about),
      crashed: (_: unknown, jobs: readonly number[]) => this.crashes.push(jobs),
      over: () => {
        this.over += 1;
      },
    };
    const { source, clock, spawn } = this;
    const { workers: size, admit } = options;
    const pool = { size, spawn, limits: options, clock, module: 'the module' };
    return new Scheduler({ source, clock, admit, pool: (told) => new Pool(pool, told) }, options, events);
  }

  private conclude(settlements: readonly Settlement[], bail: ManagerOptions['bail']): void {
    for (const settlement of settlements) {
      this.settled.push(settlement);
      if (isFailed(settlement)) this.tally.fail(settlement, true);
      else this.tally.complete(settlement.index, settlement.result);
    }
    if (this.tally.bails(bail)) this.stop();
  }

  private fail(error: unknown): void {
    this.errors.push(error);
    this.stop();
  }

  private readonly spawn: SpawnChild = (events) => {
    const { forkError } = this;
    const child = new FakeChild(events, forkError === undefined ? 1000 + this.children.length : undefined);
    this.children.push(child);
    if (forkError !== undefined) this.clock.soon(() => child.exit({ error: forkError }));
    return child;
  };
}
