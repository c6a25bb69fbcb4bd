import type { Clock } from '../clock.js';
import { ThreadFactoryError } from '../errors.js';
import type { SpawnChild } from '../manager/child.js';
import type { Settlement } from '../manager/tally.js';
import { readEnvelope } from './envelope.js';
import { OpenChunk } from './open-chunk.js';
import type { Progress, SealedOutcome } from './outcome.js';
import { RunningChunk, RunningChunks } from './running-chunks.js';
import type { SessionEvents, SessionSetup } from './session.js';
import { Session } from './session.js';

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
export interface MachineSetup extends Omit<SessionSetup, 'spawn' | 'timeout'> {
  /** Its name in reports: letters, digits, `_`, `.`, `-`. */
  readonly name: string;
  readonly clock: Clock;
  /** Makes the children; `timeout` is that of the run. */
  readonly spawner: (timeout: number | undefined) => SpawnChild;
  /** Hash of the module it runs: chunks of another one are refused. */
  readonly spec: string;
  readonly secret: string | undefined;
}

/** What a machine tells by itself. */
export interface MachineEvents extends Pick<SessionEvents, 'ready' | 'exit'> {
  /** It should do no work any more: its module can't be loaded or is the wrong one, its workers don't start or don't finish. */
  broken(error: Error): void;
}

type Tell = (progress: readonly Progress[]) => void;

export class Machine {
  private state: 'open' | 'stopping' | 'stopped' = 'open';
  private session: Session | undefined;
  private readonly running = new RunningChunks();
  private entering: Promise<unknown> = Promise.resolve();
  /** Until it resolves, numbers of workers are still in use. */
  private dropped: Promise<void> = Promise.resolve();

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
  async run(id: string, data: unknown, tell: Tell): Promise<SealedOutcome> {
    const { envelope, jobs } = this.checked(id, data);
    const known = this.running.get(id);
    if (known !== undefined) return known.done;
    const timeout = envelope.timeout === 0 ? undefined : envelope.timeout;
    const chunk = new OpenChunk(id, envelope.run, jobs);
    // The same job twice at once: what runs comes first, and keeps nobody else waiting.
    while (this.state === 'open' && this.clashes(chunk)) await this.oneDone();
    const entered = this.entering.then(() => this.enter(chunk, timeout, tell));
    this.entering = entered.catch(() => {});
    return (await entered).done;
  }

  /** Ends the jobs that run, reports what is done, gives back the rest; after `grace` ms kills what still runs. */
  async stop(grace: number): Promise<void> {
    if (this.state === 'open') this.state = 'stopping';
    const { session } = this;
    if (session !== undefined) {
      session.halt('stopped');
      const timer = this.setup.clock.after(grace, () => session.halt('aborted'));
      await session.over;
      this.setup.clock.clear(timer);
    }
    await this.dropped;
    this.state = 'stopped';
  }

  /** Drops what it runs of a run that was aborted. */
  cancel(run: string): void {
    const has = this.running.all.some(({ chunk }) => chunk.run === run);
    if (has) this.dropSession(this.reason('ERR_ENGINE_CANCELLED', 'the run was aborted'));
  }

  /** SIGKILLs every worker: the process is about to end. */
  destroy(): void {
    this.session?.destroy();
  }

  private checked(id: string, data: unknown): ReturnType<typeof readEnvelope> {
    const { secret, spec } = this.setup;
    let read: ReturnType<typeof readEnvelope>;
    try {
      read = readEnvelope(data, id, secret);
    } catch (error) {
      throw this.reason((error as ThreadFactoryError).code, (error as Error).message, error);
    }
    if (read.envelope.spec === spec) return read;
    const words =
      'the module here is not the one that the submitting side runs (their contents differ): deploy the same version to both';
    const error = this.reason('ERR_ENGINE_SPEC_MISMATCH', words);
    this.events.broken(
      new ThreadFactoryError(`This machine left: ${words}`, { code: 'ERR_ENGINE_SPEC_MISMATCH' }),
    );
    throw error;
  }

  /** One chunk after another: whoever has to wait for a session makes the next wait as well. */
  private async enter(chunk: OpenChunk, timeout: number | undefined, tell: Tell): Promise<RunningChunk> {
    const { running } = this;
    if (running.all.some((other) => other.chunk.run !== chunk.run)) {
      this.dropSession(this.reason('ERR_ENGINE_CANCELLED', 'another run has begun'));
    }
    // Another time limit, or a job that began while this chunk waited for its turn: what runs comes first.
    while (running.size > 0 && (this.session?.timeout !== timeout || running.clashes(chunk))) {
      await this.oneDone();
    }
    if (this.session !== undefined && this.session.timeout !== timeout) await this.endSession(this.session);
    await this.dropped;
    if (this.state !== 'open') throw this.reason('ERR_ENGINE_CANCELLED', 'this machine is stopping');
    this.session ??= this.begin(timeout);
    const added = new RunningChunk(chunk, this.session, this.setup.clock, tell);
    running.add(added);
    this.session.run(chunk.jobs);
    return added;
  }

  /** Whether a job of it runs already, for the same run: what another run left is dropped. */
  private clashes(chunk: OpenChunk): boolean {
    const { running } = this;
    return running.all.every((other) => other.chunk.run === chunk.run) && running.clashes(chunk);
  }

  private async oneDone(): Promise<void> {
    await Promise.race(this.running.all.map(({ done }) => done.catch(() => {})));
  }

  // ---- sessions --------------------------------------------------------------------------------------------------

  private begin(timeout: number | undefined): Session {
    const { setup, events, running } = this;
    const session: Session = new Session(
      { ...setup, timeout, spawn: setup.spawner(timeout) },
      {
        attemptsBefore: (index) => running.attemptsBefore(index),
        settled: (...args) => this.settled(...args),
        progress: (about) => this.progressed(about),
        failed: (error) => {
          this.dropSession(this.reason((error as { code?: string }).code ?? 'ERR_SPEC', error.message));
          events.broken(error);
        },
        unfinished: (error) => events.broken(error),
        ready: (about) => events.ready(about),
        exit: (about) => events.exit(about),
        over: () => {
          if (this.session === session) this.session = undefined;
          // What has no ending by now goes back.
          for (const each of running.all) if (each.session === session) this.report(each);
        },
      },
    );
    return session;
  }

  private async endSession(session: Session): Promise<void> {
    session.halt('stopped');
    await session.over;
  }

  /** Kills what runs, and says of its chunks that they did not. */
  private dropSession(error: Error): void {
    const { session, running } = this;
    if (session === undefined) return;
    this.session = undefined;
    for (const each of running.all) {
      if (each.session === session && running.remove(each)) each.drop(error);
    }
    session.halt('aborted');
    this.dropped = session.over;
  }

  // ---- endings ---------------------------------------------------------------------------------------------------

  private settled(settlements: readonly Settlement[], threw: (error: unknown) => boolean): void {
    for (const settlement of settlements) {
      const found = this.running.takeOut(settlement.index);
      if (found === undefined) continue;
      const { chunk } = found.running;
      chunk.settle(found.position, settlement, threw);
      if (chunk.pending === 0) this.report(found.running);
    }
  }

  private report(running: RunningChunk): void {
    if (!this.running.remove(running)) return;
    running.report(running.chunk.close(this.setup.name, this.setup.secret));
  }

  private progressed({ index, id, data }: Parameters<SessionEvents['progress']>[0]): void {
    const running = this.running.find(index)?.running;
    if (running?.chunk.note(index, data, id) === true) running.progressed();
  }

  private reason(code: string, message: string, cause?: unknown): Error {
    const text = `${code} ${this.setup.name} ${message}`;
    return cause === undefined ? new Error(text) : new Error(text, { cause });
  }
}
