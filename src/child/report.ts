import { encodeColumn } from '../codec.js';
import { errorToWire } from '../error-wire.js';
import type { FailedAttempt, JobsMessage, ResultsMessage } from '../protocol.js';
import { BRAND, indexAt } from '../protocol.js';

/**
 * What became of some jobs of one batch, collected in columns until it is sent.
 * Positions are sent only where they did not come one after the other; times only where they differ. Columns of times are
 * as long as the batch from the start: V8 compiles a store into one in a third of the time it needs for a `push`.
 */
export class Report {
  returned = 0;
  private values: unknown[] = [];
  /** Of each value; kept from the first one that is out of order. */
  private positions: number[] | undefined;
  private failed: FailedAttempt[] = [];
  private from = 0;
  /** Milliseconds that jobs took, and at which they began; the first `clocked` of each count. */
  private readonly durations: Float64Array;
  private readonly starts: Float64Array;
  private clocked = 0;

  /**
   * @param message the batch as it came
   * @param epochOffset epoch milliseconds minus the monotonic clock's
   */
  constructor(
    private readonly message: JobsMessage,
    private readonly epochOffset: number,
  ) {
    this.durations = new Float64Array(message.count);
    this.starts = new Float64Array(message.count);
  }

  get empty(): boolean {
    return this.values.length === 0 && this.returned === 0;
  }

  /** @param count jobs that were timed together, from `start` on, each `each` milliseconds */
  timed(count: number, start: number, each: number): void {
    const { durations, starts, clocked } = this;
    for (let at = 0; at < count; at += 1) {
      durations[clocked + at] = each;
      starts[clocked + at] = start + at * each;
    }
    this.clocked = clocked + count;
  }

  add(position: number, value: unknown, failed: FailedAttempt | undefined): void {
    const { values } = this;
    if (values.length === 0) this.from = position;
    if (this.positions !== undefined || position !== this.from + values.length) this.misplace(position);
    values.push(value);
    if (failed !== undefined) this.failed.push(failed);
  }

  private misplace(position: number): void {
    this.positions ??= this.values.map((_, at) => this.from + at);
    this.positions.push(position);
  }

  /**
   * Everything so far as a message; the report is empty then. A result that can't be sent is its job's failure.
   * @param full whether the memory is over its limit
   * @param peakRss bytes; 0 where nobody measures
   */
  take(full: boolean, peakRss: number): ResultsMessage {
    const { values, positions, from, failed, returned, clocked, epochOffset } = this;
    const durations = this.durations.subarray(0, clocked);
    const starts = this.starts.subarray(0, clocked);
    const positionOf = (at: number): number => positions?.[at] ?? from + at;
    const encoded = encodeColumn(
      values,
      (at, error) => failed.push({ position: positionOf(at), kind: 'refused', error: errorToWire(error) }),
      (at) => `the result of job ${indexAt(this.message, positionOf(at))}`,
    );
    const message: ResultsMessage = {
      brand: BRAND,
      type: 'results',
      batch: this.message.batch,
      from,
      count: values.length,
      values: encoded,
      startedAt: epochOffset + (starts[0] ?? 0),
      nanoseconds: uniform(durations) ?? Array.from(durations, toNanoseconds),
      ...(positions === undefined
        ? {}
        : { positions, starts: Array.from(starts, (start) => epochOffset + start) }),
      ...(failed.length === 0 ? {} : { failed }),
      ...(returned === 0 ? {} : { returned }),
      ...(full ? { full } : {}),
      ...(peakRss > 0 ? { peakRss } : {}),
    };
    this.values = [];
    this.positions = undefined;
    this.failed = [];
    this.returned = 0;
    this.clocked = 0;
    return message;
  }
}

/** Whole ones are the shortest as text, and the fastest to write and to read. */
function toNanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6);
}

/** The mean where all are too short to be told apart. */
function uniform(durations: Float64Array): number | undefined {
  let total = 0;
  for (const duration of durations) {
    if (duration > 0.05) return undefined;
    total += duration;
  }
  return durations.length === 0 ? 0 : (total / durations.length) * 1e6;
}
