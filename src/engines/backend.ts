import type { Envelope } from './envelope.js';

/**
 * A queue of chunks, as much of it as the submitting side needs: BullMQ on a server, or a few Maps in a test. Everything in
 * it can be lost, come late or come twice; what `survey` and `collect` say is the truth, events are hints.
 */

/** A chunk's end in the queue. */
export type Finished =
  | { readonly state: 'completed'; readonly outcome: unknown }
  /** `stalled`: its machines died. Otherwise what the machine said, a code first. */
  | { readonly state: 'failed'; readonly reason: string; readonly stalled: boolean };

/** A chunk that an earlier manager of the same run left. */
export interface Leftover {
  readonly id: string;
  readonly data: unknown;
}

/** Ids by what becomes of their chunks. */
export interface Survey {
  /** A machine runs it, or died with it. */
  readonly active: ReadonlySet<string>;
  readonly waiting: ReadonlySet<string>;
  readonly finished: ReadonlySet<string>;
  /** What the server says where it takes nothing in now. */
  readonly refusal?: Error | undefined;
}

/** Machines that are connected, as far as they can be seen, by name. */
export interface Fleet {
  readonly machines: ReadonlySet<string>;
  /** Their workers, added up. */
  readonly slots: number;
}

/** What a backend tells by itself. */
export interface BackendEvents {
  /** A chunk may have finished. Without `finished` it has to be collected. */
  finished(id: string, finished?: Finished): void;
  progress(id: string, data: unknown): void;
  down(error: Error): void;
  up(): void;
  warning(error: Error): void;
  /** Somebody else has taken the name: nothing may be submitted or removed any more. */
  dispossessed(error: Error): void;
}

export interface Backend {
  /**
   * Connects, takes the name, clears away what no living run waits for.
   * @returns the chunks of this run that are still there
   */
  open(events: BackendEvents): Promise<readonly Leftover[]>;
  /** Adds chunks; those that are there already stay as they are. */
  submit(chunks: readonly Envelope[]): Promise<void>;
  /** Everything that is in the queue at one moment. */
  survey(): Promise<Survey>;
  /** How chunks ended; those that have not, or are not there, are left out. */
  collect(ids: readonly string[]): Promise<readonly (readonly [id: string, finished: Finished])[]>;
  /**
   * Takes chunks back, each in one step: what a machine begins, or ends, meanwhile stays.
   * @returns those that are not there any more: no machine had begun them, or theirs is dead
   */
  takeBack(ids: readonly string[]): Promise<readonly string[]>;
  /** Removes chunks, ended ones as well; not those that a machine is running. */
  remove(ids: readonly string[]): Promise<unknown>;
  /** Removes chunks whatever a machine does with them, or has left of them: it finds that they are gone. */
  discard(ids: readonly string[]): Promise<void>;
  /** Tells the machines to drop what they run of this run. */
  cancel(): Promise<void>;
  fleet(): Promise<Fleet>;
  /** Lets go of the name and of the connections. */
  close(): Promise<void>;
}
