/**
 * What the manager and a child say to each other, and nothing else: two closed unions, named by their sender.
 *
 * Every message carries the brand, so that a user's own `process.send` traffic can't be mistaken for ours, and a
 * string `type`. Jobs and results travel in columns, one message a batch: an object a job measured two to three
 * times slower. This file imports nothing, since both sides import it.
 */

/** Marks our messages. Changes with the protocol, so that two versions never half-understand each other. */
export const BRAND = 'threadfactory/1';

/** What a child is started with, by which any copy of the library knows it for a worker before anything is said. */
export const WORKER_ARGUMENT = 'threadfactory-worker';

/** Milliseconds an attempt over its time has to end by itself after `signal` fired: in its worker, and before its worker is ended. */
export const OVERTIME_MS = 1000;

/** Bytes of jobs or results that go in one message, where they are several. */
export const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** A column of values as the codec wrote it: a count of undefineds, plain data, bytes, or pieces of such bytes. */
export type EncodedColumn =
  | number
  | { readonly plain: readonly unknown[] | PlainTable; readonly bytes: number }
  | Uint8Array
  | readonly Uint8Array[];

/** Rows with the same properties, as one array for each of them. */
interface PlainTable {
  readonly keys: readonly string[];
  readonly columns: readonly (readonly unknown[])[];
}

/** An error as plain data. Its shape is the error codec's own business. */
export type EncodedError = unknown;

/** How the children get at the user's functions: which module, and by which loader. */
export interface ModuleRef {
  /** `require` for a CommonJS module, `import` for an ES module. */
  readonly loader: 'require' | 'import';
  /** An absolute path for `require`, a URL for `import`. */
  readonly id: string;
}

/**
 * Which of the factories that the module constructs: its ordinal (0-based), the module's exports themselves, or whichever of
 * the two there is (`only`: one factory, or the exports).
 */
export type FactoryRef = number | 'exports' | 'only';

/** What a child is told first. */
export interface InitMessage {
  readonly brand: typeof BRAND;
  readonly type: 'init';
  readonly module: ModuleRef;
  readonly factory: FactoryRef;
  /** The texts of its functions: another factory may have its number where construction depends on a condition. */
  readonly texts: readonly string[];
  /** The manager's pid: a child whose parent is another process was orphaned before it could listen. */
  readonly managerPid: number;
  /** Whether the child has to watch its parent itself (no parent-death signal from the kernel). */
  readonly watchdog: boolean;
  readonly argv: readonly string[];
  readonly concurrency: number;
  /** Milliseconds an attempt may take. */
  readonly timeout: number | undefined;
  /** Milliseconds until `ready`, so that the child can say itself why it is late. */
  readonly startupTimeout: number;
  /** Bytes of RSS above which the child gives its unstarted jobs back, to be recycled. */
  readonly maxMemory: number | undefined;
  /** The machine's name, where there are several. */
  readonly machine?: string;
  /**
   * The identities of the shared files through which bytes come and go, in this order, whose descriptors follow that of the channel;
   * absent where the channel carries bytes itself.
   */
  readonly files?: readonly (string | undefined)[];
}

/** A batch of jobs. Job `i` of it has the index `indices[i]`, or `first + i` where `indices` is absent. */
export interface JobsMessage {
  readonly brand: typeof BRAND;
  readonly type: 'jobs';
  readonly batch: number;
  readonly first: number;
  readonly indices?: readonly number[];
  /** Attempt numbers; absent where all are 1. */
  readonly attempts?: readonly number[];
  readonly jobs: EncodedColumn;
  readonly count: number;
  /** Milliseconds after which the child gives the unstarted rest of this batch back. */
  readonly budget: number;
}

/** Whatever the manager says to a child. */
export type ManagerMessage =
  | InitMessage
  | JobsMessage
  | { readonly brand: typeof BRAND; readonly type: 'begin'; readonly id: number }
  | { readonly brand: typeof BRAND; readonly type: 'finish' }
  | { readonly brand: typeof BRAND; readonly type: 'abort' };

/** An attempt that did not complete: its position in the batch, and what ended it. */
export interface FailedAttempt {
  readonly position: number;
  /** `refused`: its job or its result can't be sent, so that another try would end the same way. */
  readonly kind: 'threw' | 'timeout' | 'refused';
  readonly error: EncodedError;
}

/** What became of some jobs of one batch. Entry `i` is about position `positions[i]`, or `from + i`. */
export interface ResultsMessage {
  readonly brand: typeof BRAND;
  readonly type: 'results';
  readonly batch: number;
  readonly from: number;
  readonly count: number;
  readonly positions?: readonly number[];
  readonly values: EncodedColumn;
  readonly failed?: readonly FailedAttempt[];
  /** Epoch milliseconds at which the first of them began; the others follow one another without `starts`. */
  readonly startedAt: number;
  readonly starts?: readonly number[];
  /** Nanoseconds each took, whole ones, or their mean where they were too short to be timed singly. */
  readonly nanoseconds: number | readonly number[];
  /** So many jobs at the end of the batch were not begun and are given back. */
  readonly returned?: number;
  /** Why the batch could not be decoded here; none of it was begun. */
  readonly undecodable?: string;
  /** The largest resident set of the child so far, in bytes. */
  readonly peakRss?: number;
  /** The RSS is over `maxMemory`. */
  readonly full?: boolean;
}

/**
 * What a child says before it starts a process of its own, once. Heard where children are forked: it is about processes, not
 * about jobs.
 */
export interface SubprocessMessage {
  readonly brand: typeof BRAND;
  readonly type: 'subprocess';
}

/** Where in its life a child failed. */
export type FatalPhase = 'spec' | 'load' | 'startup' | 'finish';

/** Whatever a child says about jobs and about its own life. */
export type ChildMessage =
  | ResultsMessage
  | {
      readonly brand: typeof BRAND;
      readonly type: 'loaded';
      /** Milliseconds it took, by the child's own clock. */
      readonly took: number;
      /** Whether the shared files did not get here. */
      readonly lacksFiles?: true;
    }
  /** @property finishes whether it has a `workerFinish` */
  | { readonly brand: typeof BRAND; readonly type: 'ready'; readonly finishes: boolean }
  | {
      readonly brand: typeof BRAND;
      readonly type: 'started';
      readonly batch: number;
      readonly position: number;
    }
  | {
      readonly brand: typeof BRAND;
      readonly type: 'progress';
      readonly index: number;
      readonly data: EncodedColumn;
    }
  | {
      readonly brand: typeof BRAND;
      readonly type: 'fatal';
      readonly phase: FatalPhase;
      readonly error: EncodedError;
    }
  | {
      readonly brand: typeof BRAND;
      readonly type: 'uncaught';
      readonly error: EncodedError;
      /** Indices of the jobs that were under way. */
      readonly running: readonly number[];
      /** Whether `workerFinish` was. */
      readonly finishing?: boolean;
    };

/** The index of the job at a position of a batch. */
export function indexAt(
  { first, indices }: { readonly first: number; readonly indices?: readonly number[] },
  position: number,
): number {
  return indices?.[position] ?? first + position;
}

/**
 * Tells our messages from everything else that comes through the channel.
 * @param message whatever arrived
 */
export function isBranded(
  message: unknown,
): message is { readonly brand: typeof BRAND; readonly type: string } {
  return typeof message === 'object' && message !== null && (message as { brand?: unknown }).brand === BRAND;
}
