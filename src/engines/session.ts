import type { Clock } from '../clock.js';
import type { SpawnChild } from '../manager/child.js';
import { finishFailure } from '../manager/crash.js';
import { Pool } from '../manager/pool.js';
import { Scheduler } from '../manager/scheduler.js';
import type { Settlement } from '../manager/tally.js';
import { ChunkSource } from './chunk-source.js';
import type { ChunkJobs } from './envelope.js';

/** A pool of a machine and its scheduler, for jobs with one time limit: kept from chunk to chunk, ended with the last. */

/** What a session is made of. */
export interface SessionSetup {
  readonly clock: Clock;
  readonly spawn: SpawnChild;
  readonly timeout: number | undefined;
  readonly workers: number;
  readonly concurrency: number;
  readonly startupTimeout: number;
  readonly shutdownTimeout: number;
  readonly maxJobsPerWorker: number | undefined;
  /** What the workers load, for words about it. */
  readonly module: string;
}

/** What a session asks and tells its machine. */
export interface SessionEvents {
  /** Attempts that a job had before it came here. */
  attemptsBefore(index: number): number;
  /** @param threw whether the job itself threw or timed out, so that another try may end otherwise */
  settled(settlements: readonly Settlement[], threw: (error: unknown) => boolean): void;
  progress(about: { readonly index: number; readonly id: number; readonly data: unknown }): void;
  /** The module can't be loaded, or the workers don't start. */
  failed(error: Error): void;
  /** `workerFinish` failed: what it was to write may be missing. */
  unfinished(error: Error): void;
  ready(about: { id: number; pid: number }): void;
  exit(about: {
    id: number | undefined;
    pid: number;
    code: number | null;
    signal: string | null;
    reason: string;
  }): void;
  over(): void;
}

export class Session {
  readonly timeout: number | undefined;
  /** Resolves when nothing of it is left. */
  readonly over: Promise<void>;
  private readonly source = new ChunkSource();
  private readonly scheduler: Scheduler;
  private readonly threw = new WeakSet<object>();

  constructor(setup: SessionSetup, events: SessionEvents) {
    const { clock, workers, concurrency, startupTimeout, shutdownTimeout, maxJobsPerWorker } = setup;
    const { spawn, timeout, module } = setup;
    const { source } = this;
    this.timeout = timeout;
    let end: () => void = () => {};
    this.over = new Promise<void>((resolve) => {
      end = resolve;
    });
    const limits = { startupTimeout, shutdownTimeout, timeout, concurrency };
    const pool = { size: workers, spawn, limits, clock, module };
    this.scheduler = new Scheduler(
      { source, clock, admit: undefined, pool: (told) => new Pool(pool, told) },
      {
        workers,
        concurrency,
        batchSize: 'auto',
        timeout,
        maxJobsPerWorker,
        ordered: false,
        crashRetries: 0,
        // Whether it is tried again is decided where the run is. `when` is asked for what a job threw, and for nothing else.
        retries: { limit: 1, delay: () => 0, when: (error) => this.noteThrown(error) },
        before: (index) => events.attemptsBefore(index),
      },
      {
        wants: () => true,
        ready: ({ id = 0, pid = 0 }) => events.ready({ id, pid }),
        exited: (worker, reason) => {
          const { id, pid = 0, exit } = worker;
          events.exit({ id, pid, code: exit?.code ?? null, signal: exit?.signal ?? null, reason });
          const error = finishFailure(worker);
          if (error !== undefined) events.unfinished(error);
        },
        failed: (error) => events.failed(error),
        settled: (settlements) => events.settled(settlements, (error) => this.threw.has(error as object)),
        retry: () => {},
        progress: (about) => events.progress(about),
        crashed: () => {},
        over: () => {
          events.over();
          end();
        },
      },
    );
  }

  run(jobs: ChunkJobs): void {
    this.source.push(jobs);
    this.scheduler.pace.poke();
  }

  halt(reason: 'stopped' | 'aborted'): void {
    this.scheduler.halt(reason);
  }

  /** SIGKILLs every worker: the process is about to end. */
  destroy(): void {
    for (const worker of this.scheduler.workers) worker.destroy();
  }

  private noteThrown(error: unknown): boolean {
    if (typeof error === 'object' && error !== null) this.threw.add(error);
    return false;
  }
}
