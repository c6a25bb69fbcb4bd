import type { CompletedLine, CrashLine, FailedLine, JournalLine, RetryLine } from '../../src/journal.js';

/** When the runs of these tests began, in epoch milliseconds. */
export const BEGAN = Date.UTC(2026, 10, 24, 8);

/** The first line of a journal. */
export function header(): JournalLine {
  return { type: 'header', version: 1, module: 'job.cjs', keyed: true, createdAt: BEGAN - 100 };
}

/** What tests say of a job; the rest is usual. `at` is milliseconds after `BEGAN`. */
export interface About {
  readonly index: number;
  readonly at: number;
  readonly duration?: number;
  readonly id?: number;
  readonly key?: string;
  readonly machine?: string;
  readonly attempt?: number;
}

function settled({ index, at, duration = 10, id = 1, key, machine, attempt = 1 }: About) {
  return { index, key, machine, attempt, id, startedAt: BEGAN + at, duration };
}

/** A line of a job that completed. */
export function completed(about: About): CompletedLine {
  return { type: 'completed', ...settled(about), result: () => undefined };
}

/** A line of a job that failed. */
export function failed(about: About, error: Error): FailedLine {
  return { type: 'failed', ...settled(about), error };
}

/** A line of an attempt that is followed by another. */
export function retried({ index, at, id = 1, key }: About, error: Error): RetryLine {
  return { type: 'retry', index, key, attempt: 1, id, error, at: BEGAN + at, delay: 0 };
}

/** A line of a worker's unwanted end. */
export function crashed(at: number, id: number, jobs: readonly number[]): CrashLine {
  return { type: 'crash', id, pid: 4711, at: BEGAN + at, code: null, signal: 'SIGKILL', jobs };
}
