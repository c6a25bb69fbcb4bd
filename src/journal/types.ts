import type { SerializationError } from '../errors.js';

/** How to open a journal. */
export interface JournalOptions {
  /** The file; created where there is none. */
  readonly path: string;
  /** Path or `file:` URL of the module that holds the functions. Its file name goes into the header. */
  readonly module: string;
  /** Names a job by what it is. Without it a job is its position and a hash of its value. */
  readonly key: ((job: unknown) => string) | undefined;
  /** `true`: after every write. `false`: never. A number: in the background, at most so many ms after a write. */
  readonly fsync: number | boolean;
}

/** What is recorded of a settled job, whatever came of it. */
interface SettledRecord {
  readonly index: number;
  readonly job: unknown;
  /** The worker's number. */
  readonly id: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Milliseconds, kept to the microsecond. */
  readonly duration: number;
  /** Where it ran, if not here. */
  readonly machine?: string | undefined;
}

/** A job that completed. */
interface CompletedRecord extends SettledRecord {
  readonly result: unknown;
  readonly attempt: number;
}

/** A job that failed for good; only such a one has an `error`. */
interface FailedRecord extends SettledRecord {
  readonly error: unknown;
  readonly attempts: number;
}

/** One settled job, in the shape that it has on its way to its event. */
export type JournalRecord = CompletedRecord | FailedRecord;

/** A failed attempt that is going to be followed by another one. */
export interface JournalRetry {
  readonly index: number;
  readonly job: unknown;
  readonly attempt: number;
  readonly id: number;
  readonly error: unknown;
  /** Milliseconds until the next attempt. */
  readonly delay: number;
}

/** The end of a worker that was not asked to end. */
export interface JournalCrash {
  readonly id: number;
  readonly pid: number | undefined;
  readonly code: number | null;
  readonly signal: string | null;
  /** The indices of the jobs it held. */
  readonly jobs: readonly number[];
}

/** An open journal: what was recorded, and where to record. */
export interface Journal {
  /** How many completed jobs the file held when it was opened; more than are skipped where the list has become shorter. */
  readonly recorded: number;

  /**
   * Looks through a list that is known as a whole, before any of it is handed out.
   *
   * @throws JournalError if two of its jobs have the same key, or `recall` would throw for one of its jobs
   */
  check(jobs: readonly unknown[]): void;

  /**
   * What is recorded of a job. Called once for each job, in list order, before the job is handed out.
   *
   * @returns its result, in a box since it may be undefined; or undefined for a job that has to run
   * @throws JournalError if the list is another one than that of the journal (without a key); if the key is no string, is
   *   empty, threw, or is another one each time: a job that is not to be recorded. If another job has the same key, with
   *   `duplicate: true`: that ends this job alone, without an attempt, and is to be recorded.
   */
  recall(index: number, job: unknown): { readonly result: unknown } | undefined;

  /**
   * Appends a line a settled job, all of them in one write.
   *
   * @returns errors of jobs whose result no line can hold, by their index: these alone are not recorded
   * @throws JournalError if they can't be written: then none of them is recorded, unless the message is about one job's
   *   value alone, and the rest is. What was recorded before stays so in every case, and another call tries again.
   */
  record(records: readonly JournalRecord[]): ReadonlyMap<number, SerializationError>;

  /** Appends a line about a failed attempt. @throws JournalError as `record` does */
  retry(line: JournalRetry): void;

  /** Appends a line about a worker's end. @throws JournalError as `record` does */
  crash(line: JournalCrash): void;

  /**
   * Forces all of it onto the disk, unless `fsync` is false.
   *
   * @throws JournalError if the disk fails, or a next run would not find the file
   */
  sync(): void;

  /**
   * Forces all of it onto the disk, unless `fsync` is false, gives up the lock and closes the file. Idempotent.
   *
   * @throws JournalError if the disk fails; closed it is all the same
   */
  close(): void;
}

/** What the lines about one job have in common. */
export interface JobLine {
  readonly index: number;
  /** Only in a journal with keys. */
  readonly key: string | undefined;
  /** 0 of a job that was never tried, since another one has its key. */
  readonly attempt: number;
  /** The worker's number. */
  readonly id: number;
}

/** What the lines about a settled job have in common. */
export interface SettledLine extends JobLine {
  readonly machine: string | undefined;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Milliseconds. */
  readonly duration: number;
}

/** The first line: what the journal is of. */
export interface HeaderLine {
  readonly type: 'header';
  readonly version: number;
  /** The file name of the module that holds the functions. */
  readonly module: string;
  readonly keyed: boolean;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

/** A job completed. */
export interface CompletedLine extends SettledLine {
  readonly type: 'completed';
  /** Decodes the result. Throws a JournalError if this version of Node can't read it. */
  result(): unknown;
}

/** A job failed for good; a later line may be of the next run, which tries it again. */
export interface FailedLine extends SettledLine {
  readonly type: 'failed';
  readonly error: Error;
}

/** An attempt failed, and another one was going to follow. */
export interface RetryLine extends JobLine {
  readonly type: 'retry';
  readonly error: Error;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Milliseconds until the next attempt. */
  readonly delay: number;
}

/** A worker ended that was not asked to. */
export interface CrashLine {
  readonly type: 'crash';
  /** The worker's number. */
  readonly id: number;
  readonly pid: number | undefined;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly code: number | null;
  readonly signal: string | null;
  /** The indices of the jobs it held. */
  readonly jobs: readonly number[];
}

/** One line of a journal, for who reads it through. */
export type JournalLine = HeaderLine | CompletedLine | FailedLine | RetryLine | CrashLine;
