import { decodeColumn } from '../codec.js';
import type { SerializationError } from '../errors.js';
import type { HeldMemory } from '../held-column.js';
import type { JobsMessage } from '../protocol.js';
import { indexAt } from '../protocol.js';
import { Report } from './report.js';

/** Thrown for a job that can't be read here: that job alone fails. */
export class Unreadable {
  readonly #mark = true;

  constructor(readonly error: SerializationError) {}

  /** A job may throw a proxy, whose traps `instanceof` would spring. */
  static is(thrown: unknown): thrown is Unreadable {
    return typeof thrown === 'object' && thrown !== null && #mark in thrown;
  }
}

/**
 * A batch in a worker that has not been run to its end: which of its jobs is next, and what is to be reported of those
 * before. Several lanes may take from it.
 */
export class OpenBatch {
  readonly report: Report;
  /** Jobs that have begun and not ended. */
  running = 0;
  /** When its first job began, by the worker's clock. */
  begunAt = 0;
  private readonly jobs: readonly unknown[];
  private readonly unreadable = new Map<number, SerializationError>();
  private next = 0;
  private end: number;

  /**
   * @param message the batch as it came
   * @param epochOffset epoch milliseconds minus the monotonic clock's
   * @param memory for the bytes that jobs return
   * @throws SerializationError if its jobs can't be read at all
   */
  constructor(
    private readonly message: JobsMessage,
    epochOffset: number,
    memory: HeldMemory,
  ) {
    const note = (position: number, error: SerializationError): void => {
      this.unreadable.set(position, error);
    };
    this.jobs = decodeColumn(message.jobs, note, (position) => `job ${this.indexAt(position)}`);
    this.report = new Report(message, epochOffset, memory);
    this.end = message.count;
  }

  /** Its number on the wire. */
  get seq(): number {
    return this.message.batch;
  }

  /** Whether a job of it has not begun. */
  get hasNext(): boolean {
    return this.next < this.end;
  }

  /** Whether nothing of it runs or will run: what is left of it is in the report. */
  get isOver(): boolean {
    return this.next >= this.end && this.running === 0;
  }

  /** Begins the next job. @param now the clock, when the job before it ended @returns its position */
  take(now: number): number {
    if (this.next === 0) this.begunAt = now;
    this.running += 1;
    return this.next++;
  }

  /** @throws Unreadable */
  jobAt(position: number): unknown {
    const error = this.unreadable.size === 0 ? undefined : this.unreadable.get(position);
    if (error !== undefined) throw new Unreadable(error);
    return this.jobs[position];
  }

  indexAt(position: number): number {
    return indexAt(this.message, position);
  }

  attemptAt(position: number): number {
    return this.message.attempts?.[position] ?? 1;
  }

  /** Whether it has run for as long as it may. */
  isOverBudget(now: number): boolean {
    return now - this.begunAt >= this.message.budget;
  }

  /** Gives back what has not begun. */
  handBack(): void {
    this.report.returned += this.end - this.next;
    this.end = this.next;
  }
}
