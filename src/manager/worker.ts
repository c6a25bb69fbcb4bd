import type { Clock, Timer } from '../clock.js';
import type { ChildMessage, FatalPhase, ManagerMessage, ResultsMessage } from '../protocol.js';
import { BRAND } from '../protocol.js';
import type { Batch } from './batch.js';
import type { Child, ChildExit, SpawnChild } from './child.js';
import { type AttemptAt, Deadline } from './deadline.js';

/** Where a worker is in its life. */
export type WorkerState = 'starting' | 'waiting' | 'beginning' | 'ready' | 'stopping' | 'exited';

/** Why a worker process ended. */
export type ExitReason = 'finished' | 'stopped' | 'recycled' | 'timeout' | 'aborted' | 'startup' | 'crashed';

/** Milliseconds between SIGTERM and SIGKILL, and for an aborted child to leave by itself. */
const KILL_GRACE_MS = 500;

/** What a worker tells its pool. */
export interface WorkerEvents {
  /** Its module is loaded: it can begin as soon as it has a number. */
  loaded(worker: Worker): void;
  ready(worker: Worker): void;
  results(worker: Worker, batch: Batch, message: ResultsMessage): void;
  progress(worker: Worker, index: number, data: Extract<ChildMessage, { type: 'progress' }>['data']): void;
  /** It takes no jobs any more, though its process may live on for a moment: somebody can take its place. */
  lost(): void;
  exited(worker: Worker): void;
}

/** The times a worker keeps. */
export interface WorkerLimits {
  readonly startupTimeout: number;
  readonly shutdownTimeout: number;
  readonly timeout: number | undefined;
  readonly concurrency: number;
  /**
   * Whether it begins as soon as it has loaded, where it has its number by then: for functions that have nothing to start and
   * nothing to finish, so that it may be ended at any time until it is ready. Saves a run of a few jobs a round trip.
   */
  readonly beginsAtOnce?: boolean | undefined;
}

/**
 * The manager's handle of one forked process, from fork to exit.
 *
 * States, and what moves out of them:
 * - `starting`: forked; loads the user's module. `loaded` → `waiting`, or `beginning` where it has its number.
 * - `waiting`: loaded; has no number yet, because the process it replaces still lives. Its number → `beginning`.
 * - `beginning`: has its number, runs `workerStartup`. `ready` → `ready`.
 * - `ready`: takes batches, whether it holds some or none.
 * - `stopping`: was told to go, politely or by signal; `reason` says why, and the first reason wins. Or it has closed its
 *   channel: then it is as good as gone.
 * - `exited`: gone, and all that it said was heard.
 * Any state can move to `exited` by itself: that is a crash, or a failed start. Nothing leaves `exited`.
 *
 * What always holds: a job given to it is in `batches` until it was reported or given back, or until the exit handler
 * has taken what is left. Every timer it owns is cleared on exit.
 */
export class Worker {
  /** Its number, 1…N, once it has one. */
  id: number | undefined;
  /** What it holds, oldest first. */
  batches: Batch[] = [];
  /** Jobs it was given and did not give back. */
  given = 0;
  /** How many the last batch had. */
  lastSize = 0;
  /** Runs a suspect: gets nothing beside it. */
  alone = false;
  /** What it said about its own end, if anything. */
  fatal: { readonly phase: FatalPhase; readonly error: unknown } | undefined;
  /** The error that ended it, thrown outside of any job's own call, and the indices of the jobs that ran by then. */
  uncaught: Pick<Extract<ChildMessage, { type: 'uncaught' }>, 'error' | 'running' | 'finishing'> | undefined;
  exit: ChildExit | undefined;
  /** What it was SIGKILLed for, where it was by us and for no fault of a job. */
  killedFor: 'shutdownTimeout' | 'disconnect' | undefined;
  /** Where it was killed for its jobs' time: those attempts that were over it. */
  overdue: readonly AttemptAt[] | undefined;

  private _state: WorkerState = 'starting';
  private _reason: ExitReason | undefined;
  private readonly child: Child;
  private startupTimer: Timer | undefined;
  private killTimer: Timer | undefined;
  /** Where there is a `timeout`. */
  private readonly deadline: Deadline | undefined;
  /**
   * How it was told to go: politely, by a signal, by one for its jobs' time (until `killTimer` it may clean up), or by an
   * abort. No later signal makes less of the last two.
   */
  private told: 'asked' | 'killed' | 'overtime' | 'aborted' | undefined;
  /** Whether it takes no messages any more. */
  private isLost = false;
  private startupLeft: number;

  constructor(
    spawn: SpawnChild,
    private readonly limits: WorkerLimits,
    private readonly clock: Clock,
    private readonly events: WorkerEvents,
  ) {
    const { timeout } = limits;
    if (timeout !== undefined) {
      const exceeded = (overdue: readonly AttemptAt[]): void => this.overran(overdue);
      this.deadline = new Deadline({ ...limits, timeout }, clock, () => this.batches, exceeded);
    }
    this.startupLeft = limits.startupTimeout;
    this.child = spawn({
      message: (message) => this.receive(message),
      disconnected: () => this.lostChannel(),
      exited: (exit) => this.exited(exit),
    });
    this.startStartupTimer();
  }

  get state(): WorkerState {
    return this._state;
  }

  /** Why it was told to go, or `crashed`, or `startup` where it never got ready. */
  get reason(): ExitReason {
    return this._reason ?? (this.wasReady ? 'crashed' : 'startup');
  }

  /**
   * What its end can be blamed on its jobs for, whatever it was told before: one that was leaving, and died over what it
   * still ran, has died of that. Undefined where it was killed for no fault of theirs.
   */
  get fault(): 'timeout' | 'crashed' | undefined {
    if (this.overdue !== undefined) return 'timeout';
    return this.told === 'aborted' ? undefined : 'crashed';
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** The largest resident set that it reported, in bytes. */
  peakRss = 0;
  /** Whether it ever took a job or could have. */
  wasReady = false;
  /** Whether it has a `workerFinish`. */
  finishes = false;
  /** Whether it was killed because it did not get ready in time. */
  wasLate = false;

  /** Whether it counts as one of the workers that do or will do jobs. */
  get living(): boolean {
    return this._state !== 'stopping' && this._state !== 'exited';
  }

  /** Jobs it holds. */
  get held(): number {
    let held = 0;
    for (const batch of this.batches) held += batch.pending;
    return held;
  }

  stderr(): string {
    return this.child.stderr();
  }

  /** Gives it its number; it runs `workerStartup` as soon as its module is loaded. */
  assign(id: number): void {
    this.id = id;
    this.child.label(id);
    if (this.limits.beginsAtOnce === true) this.tellNumber(id);
    this.begin();
  }

  /**
   * Hands it a batch. The caller has checked that it is `ready`.
   * @param alone whether it gets nothing beside it
   */
  give(
    batch: Batch,
    message: Omit<Extract<ManagerMessage, { type: 'jobs' }>, 'brand' | 'type'>,
    alone: boolean,
  ): void {
    this.batches.push(batch);
    this.alone = alone;
    this.given += message.count;
    this.lastSize = message.count;
    this.child.send({ brand: BRAND, type: 'jobs', ...message });
    this.deadline?.expectStart();
  }

  /**
   * Asks it to end its running jobs, give back the rest, run `workerFinish` and leave. One whose `workerStartup` runs
   * finishes after it; one that has begun nothing has nothing to finish and is killed.
   */
  finish(reason: ExitReason): void {
    if (!this.living) return;
    const was = this._state;
    if (this.isLost || (was !== 'ready' && was !== 'beginning')) {
      this.kill(reason);
      return;
    }
    this.stop(reason);
    this.told = 'asked';
    this.child.send({ brand: BRAND, type: 'finish' });
    if (was === 'ready') this.limitShutdown();
    else this.killAfter(this.startupLeft + this.limits.shutdownTimeout, 'shutdownTimeout');
  }

  /** Ends it by signal: SIGTERM first, so that its own cleanup may run, then SIGKILL. */
  kill(reason: ExitReason): void {
    if (this._state === 'exited') return;
    this.stop(reason);
    if (this.told !== 'overtime' && this.told !== 'aborted') {
      this.told = reason === 'timeout' ? 'overtime' : 'killed';
    }
    this.child.kill('SIGTERM');
    this.killAfter(KILL_GRACE_MS);
  }

  /** Ends the grace of one that was killed for its job's time. */
  hurry(): void {
    if (this.told !== 'overtime') return;
    this.told = 'killed';
    this.clock.clear(this.killTimer);
    this.child.kill('SIGKILL');
  }

  /** Fires the signal of its running jobs, and kills it if that did not end it. */
  abort(): void {
    if (this._state === 'exited') return;
    this.stop('aborted');
    const { told } = this;
    this.told = 'aborted';
    // Also one that is leaving in good order: its jobs still run.
    if (this.wasReady && (told === undefined || told === 'asked')) {
      this.child.send({ brand: BRAND, type: 'abort' });
      this.killAfter(KILL_GRACE_MS);
    } else {
      this.child.kill('SIGKILL');
    }
  }

  /** Ends it now. For the last moment of the manager's own process. */
  destroy(): void {
    this.child.kill('SIGKILL');
  }

  private receive(message: ChildMessage): void {
    switch (message.type) {
      case 'loaded':
        return this.loaded(message.took);
      case 'ready':
        return this.becameReady(message.finishes);
      case 'results':
        return this.results(message);
      case 'started':
        return this.started(message);
      case 'progress':
        return this.events.progress(this, message.index, message.data);
      case 'fatal':
        this.fatal ??= { phase: message.phase, error: message.error };
        // A child that can't start says so and leaves; one that hangs on the way out is helped.
        if (!this.wasReady) this.kill('startup');
        return;
      case 'uncaught':
        this.uncaught = message;
        return;
      default:
        message satisfies never;
    }
  }

  private loaded(took: number): void {
    if (this._state !== 'starting') return;
    this._state = 'waiting';
    // Waiting for its number is not the worker's fault, nor is a manager that was busy.
    this.clock.clear(this.startupTimer);
    this.startupLeft = Math.max(1, this.startupLeft - took);
    this.events.loaded(this);
    this.begin();
  }

  /** Once it has loaded and has its number. */
  private begin(): void {
    const { id } = this;
    if (id === undefined || this._state !== 'waiting') return;
    if (this.limits.beginsAtOnce !== true) this.tellNumber(id);
    this._state = 'beginning';
    this.startStartupTimer();
  }

  /** It begins with that: now, or as soon as it has loaded. */
  private tellNumber(id: number): void {
    this.child.send({ brand: BRAND, type: 'begin', id });
  }

  private becameReady(finishes: boolean): void {
    // It has gone before it could be given anything: that is no start.
    if (this._state === 'beginning' && this.isLost) return;
    // Too late: it was killed for that.
    if (this._reason === 'startup') return;
    this.wasReady = true;
    this.finishes = finishes;
    // It was told to finish while it started up: what is left of the time for that is not for its `workerFinish`.
    if (this.told === 'asked') {
      this.killAfter(this.limits.shutdownTimeout, 'shutdownTimeout');
    }
    if (this._state !== 'beginning') return;
    this._state = 'ready';
    this.clock.clear(this.startupTimer);
    this.events.ready(this);
  }

  private results(message: ResultsMessage): void {
    const batch = this.batchOf(message);
    if (batch === undefined) return;
    // The user's own handler took that error: the process lives.
    this.uncaught = undefined;
    this.given -= message.returned ?? 0;
    this.peakRss = Math.max(this.peakRss, message.peakRss ?? 0);
    this.events.results(this, batch, message);
    if (batch.pending === 0) this.batches = this.batches.filter((other) => other !== batch);
    if (this.batches.length === 0) this.alone = false;
    this.deadline?.covered(batch, message);
    if (this._state === 'stopping') this.limitShutdown();
  }

  private started(message: Extract<ChildMessage, { type: 'started' }>): void {
    const batch = this.batchOf(message);
    if (batch !== undefined) this.deadline?.started(batch, message.position);
  }

  private batchOf({ batch }: { readonly batch: number }): Batch | undefined {
    return this.batches.find(({ seq }) => seq === batch);
  }

  // ---- time limits ----------------------------------------------------------------------------------------------

  private overran(overdue: readonly AttemptAt[]): void {
    this.overdue = overdue;
    this.kill('timeout');
    this.events.lost();
  }

  private startStartupTimer(): void {
    const { _state } = this;
    const expire = (): void => {
      if (this._state !== _state) return;
      this.wasLate = true;
      this.kill('startup');
    };
    // What has arrived by now counts here, too.
    this.startupTimer = this.clock.after(this.startupLeft, () => this.clock.soon(expire));
  }

  /** `workerFinish` has its time from when nothing runs any more. */
  private limitShutdown(): void {
    if (this.batches.length > 0 || this.killTimer !== undefined) return;
    this.killAfter(this.limits.shutdownTimeout, 'shutdownTimeout');
  }

  private killAfter(ms: number, why?: Worker['killedFor']): void {
    this.clock.clear(this.killTimer);
    this.killTimer = this.clock.after(ms, () => {
      if (this.child.kill('SIGKILL')) this.killedFor ??= why;
    });
  }

  // ---- the end --------------------------------------------------------------------------------------------------

  private stop(reason: ExitReason): void {
    this._reason ??= reason;
    this._state = 'stopping';
    this.clock.clear(this.startupTimer);
  }

  /** A job called `process.disconnect()`, or the process exits. In the first case nothing would follow. */
  private lostChannel(): void {
    if (this._state === 'exited' || this.isLost) return;
    this.isLost = true;
    this.killAfter(KILL_GRACE_MS, 'disconnect');
    if (this._state !== 'ready') return;
    // What it were given from now on it would never get, and would be blamed for its end.
    this._state = 'stopping';
    this.events.lost();
  }

  private exited(exit: ChildExit): void {
    this.exit = exit;
    this._state = 'exited';
    for (const timer of [this.startupTimer, this.killTimer]) this.clock.clear(timer);
    this.deadline?.end();
    this.events.exited(this);
    this.batches = [];
  }
}
