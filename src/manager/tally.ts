/** A job's one ending, as events and the journal see it. */
export type Settlement = CompletedJob | FailedJob;

interface Settled {
  readonly index: number;
  readonly job: unknown;
  readonly id: number;
  readonly startedAt: number;
  readonly duration: number;
  /** Where it ran, where there are several machines. */
  readonly machine?: string;
}

/** A job that completed. */
export interface CompletedJob extends Settled {
  readonly result: unknown;
  readonly attempt: number;
  /** Jobs settled when this one was, itself included. */
  done: number;
  total: number | undefined;
}

/** A job that failed for good. */
export interface FailedJob extends Settled {
  readonly attempts: number;
  readonly error: unknown;
}

/** A failed job as the summary shows it. */
export interface FailureRecord {
  readonly index: number;
  readonly job: unknown;
  readonly id: number;
  readonly attempts: number;
  readonly error: unknown;
}

/** How many failures are kept where results are not, and how many errors at most the error of a run has. */
export const KEPT_FAILURES = 1000;

/** V8 makes a longer array a slow dictionary from the start. */
const MAX_FAST_LENGTH = 2 ** 25;

/**
 * What a run has come to so far: the counts, the results, the failures. Written by the settle door alone.
 */
export class Tally {
  completed = 0;
  failed = 0;
  skipped = 0;
  /** Failures nobody was listening for. */
  unreported = 0;
  readonly results: unknown[] = [];
  readonly failures: FailureRecord[] = [];

  constructor(private readonly keepResults: boolean) {}

  /** Jobs that have settled, in this run or an earlier one of the same journal. */
  get done(): number {
    return this.completed + this.failed + this.skipped;
  }

  /** Makes room for all results at once, which is cheaper than to grow; a longer list than V8 can hold so grows. */
  expect(total: number | undefined): void {
    if (this.keepResults && total !== undefined && total <= MAX_FAST_LENGTH) this.results.length = total;
  }

  complete(index: number, result: unknown): void {
    this.completed += 1;
    if (this.keepResults) this.keep(index, result);
  }

  /** A job whose result an earlier run recorded. */
  skip(index: number, result: unknown): void {
    this.skipped += 1;
    if (this.keepResults) this.keep(index, result);
  }

  fail(job: FailedJob, reported: boolean): void {
    this.failed += 1;
    if (!reported) this.unreported += 1;
    if (!this.keepResults && this.failures.length >= KEPT_FAILURES) return;
    const { index, id, attempts, error } = job;
    this.failures.push({ index, job: job.job, id, attempts, error });
  }

  /**
   * The results of the first `total` jobs, undefined where there is none: no gaps, which `map` and `forEach` would pass over.
   * Empty where none are kept.
   */
  resultsOf(total: number): unknown[] {
    const { results } = this;
    if (!this.keepResults) return results;
    results.length = total;
    const hasGaps = this.completed + this.skipped < total;
    for (let at = 0; hasGaps && at < total; at += 1) if (!(at in results)) results[at] = undefined;
    return results;
  }

  /** Batches overtake one another: a write far beyond the end would make the array a slow dictionary, so it is filled. */
  private keep(index: number, result: unknown): void {
    const { results } = this;
    while (results.length < index) results.push(undefined);
    results[index] = result;
  }

  /** Whether `bail` says that this is enough. */
  bails(bail: { readonly count: number } | { readonly share: number } | undefined): boolean {
    if (bail === undefined || this.failed === 0) return false;
    if ('count' in bail) return this.failed >= bail.count;
    const settled = this.completed + this.failed;
    return settled >= 100 && this.failed / settled >= bail.share;
  }
}

/** Tells the two endings apart: only a failed job has an `error`, whatever that is. */
export function isFailed(settlement: Settlement): settlement is FailedJob {
  return 'error' in settlement;
}
