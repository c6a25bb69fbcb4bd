import type { Clock } from './clock.js';
import type { Pace } from './manager/pace.js';
import type { Admit } from './manager/queue.js';
import type { Source } from './manager/source.js';
import type { Settlement } from './manager/tally.js';
import type { ExitReason, Worker } from './manager/worker.js';
import type { Engine, ResolvedOptions } from './options.js';
import type { FactoryRef, ModuleRef } from './protocol.js';
import type { CheckedSpec } from './spec.js';

/**
 * Where jobs run: the seam between a run (list, journal, events, results, stop and summary) and whatever gets the jobs
 * done. Local processes are one engine, BullMQ another; test/conformance holds both to the same promises.
 *
 * A run opens its engine while `manager()` lists, hands it the list, and hears of every job's one ending through `settled`.
 * The engine pulls from the list only what it can hold, and counts attempts: what is run again, and when, is its business.
 */

/** What an engine knows of the run from its beginning. */
export interface EngineSetup {
  readonly spec: CheckedSpec;
  readonly options: ResolvedOptions;
  readonly module: ModuleRef;
  readonly factory: FactoryRef;
  readonly clock: Clock;
  /** Whether workers must not write to our output themselves: something is drawn on it, or it is for results alone. */
  readonly drawn: () => boolean;
}

/** The list of a run. */
export interface EngineWork {
  readonly source: Source;
  /** Called for each job before it is handed out; false keeps it: the journal holds its result. */
  readonly admit: Admit | undefined;
}

/** What an engine tells its run. */
export interface EngineEvents {
  wants(event: 'progress' | 'warning'): boolean;
  /**
   * Jobs that have settled, each once.
   * @param handedAt epoch milliseconds when all of them were handed to their worker, where that is known
   * @returns false if they could not be recorded: the run has failed, and they must be kept to be found again
   */
  settled(settlements: readonly Settlement[], handedAt?: number): boolean;
  retry(
    error: unknown,
    about: { index: number; job: unknown; id: number; attempt: number; delay: number },
  ): void;
  progress(about: { index: number; id: number; data: unknown }): void;
  /** A worker died while it may have been running these jobs. */
  crashed(about: {
    id: number;
    pid: number | undefined;
    code: number | null;
    signal: string | null;
    jobs: readonly number[];
  }): void;
  ready(about: { id: number; pid: number }): void;
  exit(about: {
    id: number | undefined;
    pid: number;
    code: number | null;
    signal: string | null;
    reason: ExitReason;
    /** The largest resident set that it reported, in bytes. */
    peakRss: number;
  }): void;
  /** Something that did not end the run, and that somebody should know. */
  warning(error: Error): void;
  /** The engine can not go on. */
  failed(error: unknown): void;
  /** Nothing of the run is left anywhere. Called once, after `run`. */
  over(): void;
}

/** An engine that is ready for a list. */
export interface OpenEngine {
  /** Begins to hand out. Called at most once. */
  run(work: EngineWork, events: EngineEvents): EngineRun;
  /** Lets go of everything where `run` was never called. */
  close(): Promise<void>;
}

/** A run under way. All of these may come at any time, and more than once. */
export interface EngineRun {
  /** The worker processes of this machine, where the engine has any. */
  readonly workers: Iterable<Worker>;
  /** Whether every job of the list has settled, so that there is nothing left to stop. */
  readonly done?: boolean;
  /** The first step. Called once, after the caller has its run in hand. */
  begin(): void;
  /** When it hands out what can be: whoever has jobs for it pokes, whoever wants it to wait holds. */
  readonly pace: Pace;
  /**
   * Ends early: nothing more is handed out; `over` follows.
   * @param reason politely, after what is running; or at once
   */
  halt(reason: 'stopped' | 'aborted'): void;
  /** The manager's process is about to end: last, synchronous measures. */
  destroy(): void;
}

/** The option `engine`, as the house sees it. */
export interface EngineDriver extends Engine {
  /** Begins what takes a while and needs no list. */
  prepare?(setup: Omit<EngineSetup, 'clock'>): void;
  /** Connects; rejects with an EngineError where that can't be done. */
  open(setup: EngineSetup): Promise<OpenEngine>;
}
