import { encodedSize } from '../codec.js';
import { errorToWire } from '../error-wire.js';
import { SerializationError } from '../errors.js';
import type { HeldMemory } from '../held-column.js';
import { HeldColumn } from '../held-column.js';
import type { EncodedColumn, FailedAttempt, JobsMessage, ResultsMessage } from '../protocol.js';
import { BRAND, indexAt, MAX_MESSAGE_BYTES } from '../protocol.js';

/**
 * What became of some jobs of one batch, collected in columns until it is sent.
 * Positions are sent only where they did not come one after the other; times only where they differ. Columns that each job
 * writes to are as long as the batch from the start: V8 compiles a store in a third of the time it needs for a `push`. What
 * pushes objects it even compiles twice, since an empty array is made for small whole numbers.
 */
export class Report {
  returned = 0;
  /** What jobs returned. */
  private readonly values: HeldColumn;
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
   * @param memory for the bytes that jobs return
   */
  constructor(
    private readonly message: JobsMessage,
    private readonly epochOffset: number,
    memory: HeldMemory,
  ) {
    this.values = new HeldColumn(message.count, memory);
    this.durations = new Float64Array(message.count);
    this.starts = new Float64Array(message.count);
  }

  get empty(): boolean {
    return this.values.count === 0 && this.returned === 0;
  }

  /** Whether it has to be sent before another job runs. */
  get isFull(): boolean {
    return this.values.isFull;
  }

  /** A job has ended that began at `start` and took so many milliseconds; it is added next. */
  timed(start: number, ms: number): void {
    const { clocked } = this;
    this.durations[clocked] = ms;
    this.starts[clocked] = start;
    this.clocked = clocked + 1;
  }

  /**
   * A result that can't be sent is its job's failure.
   * @param isLast whether the report is sent before anything else runs
   * @returns whether it took a while to hold what the job returned
   */
  add(position: number, value: unknown, failed: FailedAttempt | undefined, isLast: boolean): boolean {
    const { values } = this;
    const { count } = values;
    if (count === 0) this.from = position;
    if (this.positions !== undefined || position !== this.from + count) this.misplace(position);
    if (failed !== undefined) {
      this.failed.push(failed);
      values.pad();
      return false;
    }
    const held = values.add(value, position, this.nameOf, isLast);
    if (!(held instanceof SerializationError)) return held;
    this.failed.push({ position, kind: 'refused', error: errorToWire(held) });
    return true;
  }

  private readonly nameOf = (position: number): string =>
    `the result of job ${indexAt(this.message, position)}`;

  private misplace(position: number): void {
    this.positions ??= Array.from({ length: this.values.count }, (_, at) => this.from + at);
    this.positions.push(position);
  }

  /**
   * Everything so far as messages, of which there are several only where one would be too large; the report is empty then.
   * @param full whether the memory is over its limit
   * @param peakRss bytes; 0 where nobody measures
   */
  take(full: boolean, peakRss: number): ResultsMessage[] {
    const { returned, values } = this;
    const { count } = values;
    const messages = this.messages(0, count);
    const last = messages.length - 1;
    messages[last] = {
      ...(messages[last] as ResultsMessage),
      ...(returned === 0 ? {} : { returned }),
      ...(full ? { full } : {}),
      ...(peakRss > 0 ? { peakRss } : {}),
    };
    values.clear();
    this.positions = undefined;
    this.failed = [];
    this.returned = 0;
    this.clocked = 0;
    return messages;
  }

  /** What became of the values from one up to another. */
  private messages(from: number, to: number): ResultsMessage[] {
    const refused: FailedAttempt[] = [];
    const values = this.values.encode(
      from,
      to,
      (at, error) =>
        refused.push({ position: this.positionOf(from + at), kind: 'refused', error: errorToWire(error) }),
      (at) => this.nameOf(this.positionOf(from + at)),
    );
    const count = to - from;
    // All are refused where they are too much together.
    if (count > 1 && (refused.length === count || encodedSize(values) > MAX_MESSAGE_BYTES)) {
      const middle = (from + to) >> 1;
      return [...this.messages(from, middle), ...this.messages(middle, to)];
    }
    return [this.asMessage(from, to, values, refused)];
  }

  private asMessage(
    from: number,
    to: number,
    values: EncodedColumn,
    refused: readonly FailedAttempt[],
  ): ResultsMessage {
    const { epochOffset } = this;
    const timed = Math.min(to, this.clocked);
    const durations = this.durations.subarray(from, timed);
    const starts = this.starts.subarray(from, timed);
    const positions = this.positions?.slice(from, to);
    const failed = [...this.failedAmong(from, to), ...refused];
    return {
      brand: BRAND,
      type: 'results',
      batch: this.message.batch,
      from: this.positionOf(from),
      count: to - from,
      values,
      startedAt: epochOffset + (starts[0] ?? 0),
      nanoseconds: uniform(durations) ?? toNanoseconds(durations),
      ...(positions === undefined
        ? {}
        : { positions, starts: Array.from(starts, (start) => epochOffset + start) }),
      ...(failed.length === 0 ? {} : { failed }),
    };
  }

  private failedAmong(from: number, to: number): readonly FailedAttempt[] {
    if (this.failed.length === 0 || to - from === this.values.count) return this.failed;
    const among = new Set<number>();
    for (let at = from; at < to; at += 1) among.add(this.positionOf(at));
    return this.failed.filter(({ position }) => among.has(position));
  }

  private positionOf(at: number): number {
    return this.positions?.[at] ?? this.from + at;
  }
}

/** Whole ones are the shortest as text, and the fastest to write and to read. `Array.from` would make an object for each. */
function toNanoseconds(durations: Float64Array): number[] {
  const nanoseconds: number[] = [];
  for (let at = 0; at < durations.length; at += 1) nanoseconds.push(Math.round((durations[at] ?? 0) * 1e6));
  return nanoseconds;
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
