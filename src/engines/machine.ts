import type { Clock, Timer } from '../clock.js';
import { ThreadFactoryError } from '../errors.js';
import type { SpawnChild } from '../manager/child.js';
import { Pool } from '../manager/pool.js';
import { Scheduler } from '../manager/scheduler.js';
import type { Settlement } from '../manager/tally.js';
import { ChunkSource } from './chunk-source.js';
import { readEnvelope } from './envelope.js';
import { OpenChunk } from './open-chunk.js';
import type { Progress, SealedOutcome } from './outcome.js';

/**
 * A machine that does the work: takes chunks, runs their jobs in its own pool of forked children, and reports. It knows no
 * server: whatever carries chunks calls `run`. The user's code is never in this process.
 *
 * The pool is kept from chunk to chunk (`workerStartup` runs once a worker); it is made anew where a run has another
 * `timeout`, or where a new run comes while an old one's jobs still run: its manager has gone, or the new one would not be.
 *
 * States: `open` → `stopping` (running jobs end, the rest goes back) → `stopped`.
 */

/** What a machine is made of. */
export interface MachineSetup {
  /** Its name in reports: letters, digits, `_`, `.`, `-`. */
  readonly name: string;
  readonly clock: Clock;
  /** Makes the children; `timeout` is that of the run. */
  readonly spawner: (timeout: number | undefined) => SpawnChild;
  readonly workers: number;
  readonly concurrency: number;
  readonly startupTimeout: number;
  readonly shutdownTimeout: number;
  readonly maxJobsPerWorker: number | undefined;
  /** Hash of the module it runs: chunks of another one are refused. */
  readonly spec: string;
  readonly secret: string | undefined;
}

/** What a machine tells by itself. */
export interface MachineEvents {
  /** It can do no work any more: its module can't be loaded, its workers don't start, or it is the wrong one. */
  broken(error: Error): void;
  ready(about: { id: number; pid: number }): void;
  exit(about: {
    id: number | undefined;
    pid: number;
    code: number | null;
    signal: string | null;
    reason: string;
  }): void;
}

/** Milliseconds between two reports of progress of a chunk. */
const PROGRESS_MS = 200;

/** A pool, its scheduler, and the chunks they run. */
interface Session {
  readonly timeout: number | undefined;
  readonly source: ChunkSource;
  readonly scheduler: Scheduler;
  readonly pool: Pool;
  readonly over: Promise<void>;
}

interface Running {
  readonly chunk: OpenChunk;
  readonly session: Session;
  readonly done: Promise<SealedOutcome>;
  resolve(outcome: SealedOutcome): void;
  reject(error: Error): void;
  readonly tell: (progress: readonly Progress[]) => void;
  untold: Progress[];
  timer: Timer | undefined;
}

export class Machine {
  private state: 'open' | 'stopping' | 'stopped' = 'open';
  private session: Session | undefined;
  private readonly running = new Map<string, Running>();
  private readonly byIndex = new Map<number, { readonly running: Running; readonly position: number }>();
  private readonly threw = new WeakSet<object>();
  /** Attempts before this one, of jobs that were tried before. */
  private readonly attempts = new Map<number, number>();
  private entering: Promise<unknown> = Promise.resolve();
  private sessions = 0;

  constructor(
    private readonly setup: MachineSetup,
    private readonly events: MachineEvents,
  ) {}

  /** Chunks it runs now. */
  get busy(): number {
    return this.running.size;
  }

  /**
   * Runs a chunk. One that it runs already, and that came again because the server had lost sight of us, is not run twice.
   * @param id under which it came
   * @param data the envelope, as it came
   * @param tell hears of progress
   * @returns the report; rejects with an Error whose message begins with a code where the chunk can't be run here
   */
  async run(
    id: string,
    data: unknown,
    tell: (progress: readonly Progress[]) => void,
  ): Promise<SealedOutcome> {
    const { envelope, jobs } = this.checked(id, data);
    const known = this.running.get(id);
    if (known !== undefined) return known.done;
    const timeout = envelope.timeout === 0 ? undefined : envelope.timeout;
    const chunk = new OpenChunk(id, envelope.run, jobs);
    const entered = this.entering.then(() => this.enter(chunk, timeout, tell));
    this.entering = entered.catch(() => {});
    return (await entered).done;
  }

  /** Ends the jobs that run, reports what is done, gives back the rest; after `grace` ms kills what still runs. */
  async stop(grace: number): Promise<void> {
    if (this.state === 'open') this.state = 'stopping';
    const { session } = this;
    if (session !== undefined) {
      session.scheduler.halt('stopped');
      const timer = this.setup.clock.after(grace, () => session.scheduler.halt('aborted'));
      await session.over;
      this.setup.clock.clear(timer);
    }
    this.state = 'stopped';
  }

  /** Drops what it runs of a run that was aborted. */
  cancel(run: string): void {
    const has = [...this.running.values()].some(({ chunk }) => chunk.run === run);
    if (has) this.dropSession(new Error(this.reason('ERR_ENGINE_CANCELLED', 'the run was aborted')));
  }

  /** SIGKILLs every worker: the process is about to end. */
  destroy(): void {
    for (const worker of this.session?.pool.workers ?? []) worker.destroy();
  }

  private checked(id: string, data: unknown): ReturnType<typeof readEnvelope> {
    const { secret, spec } = this.setup;
    let read: ReturnType<typeof readEnvelope>;
    try {
      read = readEnvelope(data, id, secret);
    } catch (error) {
      throw new Error(this.reason((error as ThreadFactoryError).code, (error as Error).message), {
        cause: error,
      });
    }
    if (read.envelope.spec === spec) return read;
    const words =
      'the module here is not the one that the submitting side runs (their contents differ): deploy the same version to both';
    const error = new Error(this.reason('ERR_ENGINE_SPEC_MISMATCH', words));
    this.events.broken(
      new ThreadFactoryError(`This machine left: ${words}`, { code: 'ERR_ENGINE_SPEC_MISMATCH' }),
    );
    throw error;
  }

  /** One chunk after another: whoever has to wait for a session makes the next wait as well. */
  private async enter(
    chunk: OpenChunk,
    timeout: number | undefined,
    tell: (progress: readonly Progress[]) => void,
  ): Promise<Running> {
    const others = [...this.running.values()];
    if (others.some((other) => other.chunk.run !== chunk.run)) {
      this.dropSession(new Error(this.reason('ERR_ENGINE_CANCELLED', 'another run has begun')));
    }
    // The same job twice at once, or another time limit: what runs comes first.
    const clashes = (): boolean => chunk.jobs.jobs.some((_, at) => this.byIndex.has(chunk.indexAt(at)));
    while (this.running.size > 0 && (this.session?.timeout !== timeout || clashes())) {
      await Promise.race([...this.running.values()].map(({ done }) => done.catch(() => {})));
    }
    if (this.session !== undefined && this.session.timeout !== timeout) await this.endSession(this.session);
    if (this.state !== 'open')
      throw new Error(this.reason('ERR_ENGINE_CANCELLED', 'this machine is stopping'));
    this.session ??= this.begin(timeout);
    return this.start(chunk, this.session, tell);
  }

  private start(chunk: OpenChunk, session: Session, tell: Running['tell']): Running {
    let settle: Pick<Running, 'resolve' | 'reject'> = { resolve() {}, reject() {} };
    const done = new Promise<SealedOutcome>((resolve, reject) => {
      settle = { resolve, reject };
    });
    const running: Running = { chunk, session, done, ...settle, tell, untold: [], timer: undefined };
    this.running.set(chunk.id, running);
    chunk.jobs.jobs.forEach((_, position) => {
      const index = chunk.indexAt(position);
      this.byIndex.set(index, { running, position });
      const attempt = chunk.jobs.attempts?.[position] ?? 1;
      if (attempt > 1) this.attempts.set(index, attempt - 1);
    });
    session.source.push(chunk.jobs);
    session.scheduler.poke();
    return running;
  }

  // ---- sessions --------------------------------------------------------------------------------------------------

  private begin(timeout: number | undefined): Session {
    const { setup } = this;
    const { clock, workers, concurrency, startupTimeout, shutdownTimeout, maxJobsPerWorker } = setup;
    const source = new ChunkSource();
    this.sessions += 1;
    const failed = (error: Error): void => {
      this.dropSession(
        new Error(this.reason((error as { code?: string }).code ?? 'ERR_SPEC', error.message)),
      );
      this.events.broken(error);
    };
    const pool: Pool = new Pool(
      {
        size: workers,
        spawn: setup.spawner(timeout),
        limits: { startupTimeout, shutdownTimeout, timeout, concurrency },
        clock,
      },
      {
        ready: ({ id = 0, pid = 0 }) => {
          this.events.ready({ id, pid });
          scheduler.step();
        },
        results: (...args) => scheduler.results(...args),
        progress: (...args) => scheduler.progress(...args),
        gone: (worker) => scheduler.gone(worker),
        exited: ({ id, pid = 0, exit }, reason) =>
          this.events.exit({ id, pid, code: exit?.code ?? null, signal: exit?.signal ?? null, reason }),
        hopeless: failed,
        misspecified: failed,
        mayFork: () => scheduler.step(),
      },
    );
    let over: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      over = resolve;
    });
    const scheduler: Scheduler = new Scheduler(
      { source, pool, clock, admit: undefined },
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
        before: (index) => this.attempts.get(index) ?? 0,
      },
      {
        settled: (settlements) => this.settled(settlements),
        retry: () => {},
        progress: ({ index, data }) => this.progressed(index, data),
        crashed: () => {},
        over: () => {
          if (this.session === session) this.session = undefined;
          this.giveBack(session);
          over();
        },
      },
    );
    const session: Session = { timeout, source, scheduler, pool, over: ended };
    return session;
  }

  private async endSession(session: Session): Promise<void> {
    session.scheduler.halt('stopped');
    await session.over;
  }

  /** Kills what runs, and says of its chunks that they did not. */
  private dropSession(error: Error): void {
    const { session } = this;
    if (session === undefined) return;
    this.session = undefined;
    for (const running of [...this.running.values()]) {
      if (running.session !== session) continue;
      this.forget(running);
      running.done.catch(() => {});
      running.reject(error);
    }
    session.scheduler.halt('aborted');
  }

  /** The session has ended: what has no ending by now goes back. */
  private giveBack(session: Session): void {
    for (const running of [...this.running.values()]) if (running.session === session) this.report(running);
  }

  // ---- endings ---------------------------------------------------------------------------------------------------

  private noteThrown(error: unknown): boolean {
    if (typeof error === 'object' && error !== null) this.threw.add(error);
    return false;
  }

  private settled(settlements: readonly Settlement[]): void {
    const threw = (error: unknown): boolean => this.threw.has(error as object);
    for (const settlement of settlements) {
      const found = this.byIndex.get(settlement.index);
      if (found === undefined) continue;
      this.byIndex.delete(settlement.index);
      found.running.chunk.settle(found.position, settlement, threw);
      if (found.running.chunk.pending === 0) this.report(found.running);
    }
  }

  private report(running: Running): void {
    if (this.running.get(running.chunk.id) !== running) return;
    this.forget(running);
    running.resolve(running.chunk.close(this.setup.name, this.setup.secret));
  }

  private forget(running: Running): void {
    const { chunk } = running;
    this.setup.clock.clear(running.timer);
    this.running.delete(chunk.id);
    chunk.jobs.jobs.forEach((_, position) => {
      const index = chunk.indexAt(position);
      if (this.byIndex.get(index)?.running === running) this.byIndex.delete(index);
      this.attempts.delete(index);
    });
  }

  private progressed(index: number, data: unknown): void {
    const running = this.byIndex.get(index)?.running;
    const entry = running?.chunk.note(index, data);
    if (running === undefined || entry === undefined) return;
    running.untold.push(entry);
    running.timer ??= this.setup.clock.after(PROGRESS_MS, () => {
      running.timer = undefined;
      running.tell(running.untold.splice(0));
    });
  }

  private reason(code: string, message: string): string {
    return `${code} ${this.setup.name} ${message}`;
  }
}
