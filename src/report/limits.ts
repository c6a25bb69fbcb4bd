/** How much a report keeps of a journal of any length: a page of two megabytes at most, with texts of usual length. */
export const LIMITS = {
  /** Buckets of time in which something happened. When there are more, each is made twice as long. */
  buckets: 2048,
  /** Jobs that are drawn one by one: the longest, and the longest of those that failed. */
  bars: 12_000,
  failedBars: 4000,
  slowest: 20,
  /** Workers with a lane of their own. */
  lanes: 256,
  /** Lanes times buckets. */
  cells: 60_000,
  /** Bars of the histogram. */
  durations: 48,
  groups: 200,
  jobsInGroup: 50,
  marks: 3000,
  crashes: 500,
  jobsInCrash: 20,
  /** Characters of a key, a message, and a stack. */
  key: 200,
  message: 500,
  stack: 4000,
} as const;

/** The text, or its beginning with an ellipsis. */
export function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
