/**
 * What a report says, as it stands in the page: numbers and texts that the page draws. Times are milliseconds after
 * `startedAt`, durations milliseconds. Everything is bounded, however long the journal: see `limits.ts`.
 */
export interface ReportData {
  /** Of threadfactory. */
  readonly version: string;
  /** File names, without their folders. */
  readonly journal: string;
  readonly module: string;
  /** Epoch milliseconds: when the report was made, and when the first recorded job began. */
  readonly generatedAt: number;
  readonly startedAt: number;
  readonly totals: Totals;
  /** When something ran. Between them nothing did, for longer than is worth a place in a chart. */
  readonly stretches: readonly Stretch[];
  readonly series: Series;
  readonly durations: Durations;
  readonly slowest: readonly Bar[];
  /** By machine and number. Index in here is what others call a lane. */
  readonly workers: readonly WorkerTotals[];
  /** Workers that `workers` has no room for. */
  readonly moreWorkers: number;
  readonly bars: Bars;
  readonly cells: Cells;
  readonly failures: ErrorGroups;
  readonly retries: ErrorGroups;
  readonly marks: Marks;
  readonly crashes: readonly Crash[];
}

export interface Totals {
  /** Jobs by what came of them last. */
  readonly completed: number;
  readonly failed: number;
  /** Of the completed ones: those that had failed for good in an earlier run. */
  readonly recovered: number;
  readonly retries: number;
  readonly crashes: number;
  /** The sum of all stretches. */
  readonly active: number;
  /** The sum of all durations. */
  readonly busy: number;
}

export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** What happened in each bucket of time in which something did, in columns. */
export interface Series {
  /** Width of a bucket. */
  readonly step: number;
  /** Where each bucket begins. */
  readonly at: readonly number[];
  /** Jobs that ended in it. */
  readonly completed: readonly number[];
  readonly failed: readonly number[];
  /** Milliseconds of jobs in it. */
  readonly busy: readonly number[];
}

export interface Durations {
  readonly count: number;
  readonly min: number;
  readonly mean: number;
  readonly median: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Neighbouring bars, each as wide as the others on a logarithmic axis; empty ones are left out. */
  readonly bars: readonly { readonly from: number; readonly to: number; readonly count: number }[];
}

export interface WorkerTotals {
  /** Its number, and its machine where there are several. */
  readonly name: string;
  readonly completed: number;
  readonly failed: number;
  readonly retries: number;
  readonly crashes: number;
  /** The sum of its durations. */
  readonly busy: number;
  /** How long at least one job ran. */
  readonly covered: number;
}

/** A job by what it is. */
export interface JobName {
  readonly index: number;
  readonly key?: string;
}

/** One settled job. */
export interface Bar extends JobName {
  readonly lane: number;
  readonly start: number;
  readonly duration: number;
  readonly attempt: number;
  readonly failed: boolean;
}

/** Jobs to be drawn one by one, in columns: all of them, or the longest and the failed. */
export interface Bars {
  /** Whether all jobs are among them. */
  readonly complete: boolean;
  readonly lane: readonly number[];
  readonly index: readonly number[];
  /** Empty where jobs have no keys. */
  readonly key: readonly string[];
  readonly start: readonly number[];
  readonly duration: readonly number[];
  readonly attempt: readonly number[];
  /** Positions in these columns of the jobs that failed. */
  readonly failed: readonly number[];
}

/** How full each worker was in each bucket of time, in columns; empty where all jobs are drawn one by one. */
export interface Cells {
  readonly step: number;
  readonly lane: readonly number[];
  readonly at: readonly number[];
  readonly jobs: readonly number[];
  readonly failed: readonly number[];
  readonly busy: readonly number[];
}

/** Errors of one class whose messages differ in numbers and names only. */
export interface ErrorGroup {
  readonly name: string;
  /** With `#` and `…` in place of what differs. */
  readonly message: string;
  readonly code?: string;
  readonly count: number;
  /** Of the first of them. */
  readonly stack: string;
  /** The first of their jobs. */
  readonly jobs: readonly JobName[];
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface ErrorGroups {
  /** The most frequent first. */
  readonly groups: readonly ErrorGroup[];
  /** How many errors are in groups that were left out. */
  readonly others: number;
}

/** Retries for the chart, in columns. */
export interface Marks {
  readonly lane: readonly number[];
  readonly at: readonly number[];
  readonly index: readonly number[];
}

/** The end of a worker that was not asked to end. */
export interface Crash {
  /** None for a worker that had no number yet. */
  readonly lane?: number;
  readonly at: number;
  readonly pid?: number;
  readonly code: number | null;
  readonly signal: string | null;
  /** The first of the jobs it held, and how many it held. */
  readonly jobs: readonly number[];
  readonly held: number;
}
