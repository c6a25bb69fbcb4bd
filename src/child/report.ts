import { encodeColumn } from '../codec.js';
import { errorToWire } from '../error-wire.js';
import type { FailedAttempt, JobsMessage, ResultsMessage } from '../protocol.js';
import { BRAND, indexAt } from '../protocol.js';

/**
 * What became of some jobs of one batch, collected in columns until it is sent.
 * Positions are sent only where they did not come one after the other; durations only where they differ.
 */
export class Report {
  returned = 0;
  private values: unknown[] = [];
  private positions: number[] = [];
  private durations: number[] = [];
  private starts: number[] = [];
  private failed: FailedAttempt[] = [];
  private from: number | undefined;
  private inOrder = true;

  /**
   * @param message the batch as it came
   * @param epochOffset epoch milliseconds minus the monotonic clock's
   */
  constructor(
    private readonly message: JobsMessage,
    private readonly epochOffset: number,
  ) {}

  get empty(): boolean {
    return this.values.length === 0 && this.returned === 0;
  }

  /** @param count jobs that were timed together, from `start` on, each `each` milliseconds */
  timed(count: number, start: number, each: number): void {
    for (let at = 0; at < count; at += 1) {
      this.durations.push(each);
      this.starts.push(start + at * each);
    }
  }

  add(position: number, value: unknown, failed: FailedAttempt | undefined): void {
    this.from ??= position;
    if (position !== this.from + this.values.length) this.inOrder = false;
    this.positions.push(position);
    this.values.push(value);
    if (failed !== undefined) this.failed.push(failed);
  }

  /**
   * Everything so far as a message; the report is empty then. A result that can't be sent is its job's failure.
   * @param full whether the memory is over its limit
   * @param peakRss bytes; 0 where nobody measures
   */
  take(full: boolean, peakRss: number): ResultsMessage {
    const { values, positions, failed, durations, starts, returned } = this;
    const encoded = encodeColumn(
      values,
      (at, error) =>
        failed.push({ position: positions[at] ?? 0, kind: 'refused', error: errorToWire(error) }),
      (at) => `the result of job ${indexAt(this.message, positions[at] ?? 0)}`,
    );
    const message: ResultsMessage = {
      brand: BRAND,
      type: 'results',
      batch: this.message.batch,
      from: this.from ?? 0,
      count: values.length,
      values: encoded,
      startedAt: this.epochOffset + (starts[0] ?? 0),
      durations: uniform(durations) ?? durations.map(toNanoseconds),
      ...(this.inOrder ? {} : { positions, starts: starts.map((start) => this.epochOffset + start) }),
      ...(failed.length === 0 ? {} : { failed }),
      ...(returned === 0 ? {} : { returned }),
      ...(full ? { full } : {}),
      ...(peakRss > 0 ? { peakRss } : {}),
    };
    this.values = [];
    this.positions = [];
    this.durations = [];
    this.starts = [];
    this.failed = [];
    this.from = undefined;
    this.inOrder = true;
    this.returned = 0;
    return message;
  }
}

/** Milliseconds in whole nanoseconds, which is shorter as text. */
function toNanoseconds(duration: number): number {
  return Math.round(duration * 1e6) / 1e6;
}

/** The mean where all are too short to be told apart. */
function uniform(durations: readonly number[]): number | undefined {
  let total = 0;
  for (const duration of durations) {
    if (duration > 0.05) return undefined;
    total += duration;
  }
  return durations.length === 0 ? 0 : total / durations.length;
}
