import type { Clock } from '../clock.js';
import { decodeColumn, encodedSize, whyUnreadable } from '../codec.js';
import { errorFromWire } from '../error-wire.js';
import { SerializationError } from '../errors.js';
import type { FailedAttempt, ResultsMessage } from '../protocol.js';
import type { Batch, BatchSizer } from './batch.js';
import type { Attempt, Endings } from './endings.js';
import { failure } from './endings.js';
import type { FailedJob, Settlement } from './tally.js';
import type { Worker } from './worker.js';

/** A report as it is read here. */
interface Told {
  readonly values: readonly unknown[];
  readonly failed: ReadonlyMap<number, FailedAttempt>;
  readonly count: number;
  readonly from: number;
  readonly positions: readonly number[] | undefined;
  readonly starts: readonly number[] | undefined;
  readonly startedAt: number;
  /** What each took, or all of them on average. */
  readonly nanoseconds: readonly number[] | undefined;
  readonly mean: number;
  readonly isInRow: boolean;
  /** The worker's number. */
  readonly id: number;
}

/**
 * What a worker's report comes to: for each of its jobs that is still open an ending, and what it cost to the sizer.
 * A job counts once, whatever is said about it how often: a batch knows which of its jobs were reported. Whether an attempt
 * took too long its worker knows best, also one that is being killed for it.
 */
export class Reports {
  constructor(
    private readonly parts: {
      readonly endings: Endings;
      readonly sizer: BatchSizer;
      readonly clock: Clock;
    },
  ) {}

  /** @param batch one that the worker holds */
  take(worker: Worker, batch: Batch, message: ResultsMessage): void {
    if (message.undecodable !== undefined) this.notBegun(worker, batch, message.undecodable);
    else this.settle(worker, batch, message);
    if (message.returned !== undefined) this.parts.endings.putBack(batch.giveBack(message.returned));
  }

  private settle(worker: Worker, batch: Batch, message: ResultsMessage): void {
    const { count, from, positions, starts, startedAt, nanoseconds } = message;
    const { values, failed } = read(batch, message);
    const isInRow = positions === undefined && batch.reportNext(from, count);
    // Of one shape, whatever the message has and lacks: what runs once a job is compiled for that alone.
    const isUniform = typeof nanoseconds === 'number';
    const told: Told = {
      values,
      failed,
      count,
      from,
      positions,
      starts,
      startedAt,
      mean: isUniform ? nanoseconds : 0,
      nanoseconds: isUniform ? undefined : nanoseconds,
      isInRow,
      id: worker.id ?? 0,
    };
    const settlements = this.settlementsOf(batch, told);
    const { total, longest } = sumOf(nanoseconds, count);
    this.parts.sizer.observe(count, total, longest);
    this.parts.sizer.observeBytes(count, encodedSize(message.values));
    this.parts.endings.settle(settlements, batch.handedAt);
  }

  private settlementsOf(batch: Batch, told: Told): Settlement[] {
    const { values, failed, count, from, positions, starts, nanoseconds, mean, isInRow, id } = told;
    const settlements = new Array<Settlement>(count);
    let settled = 0;
    let next = told.startedAt;
    for (let at = 0; at < count; at += 1) {
      const position = positions?.[at] ?? from + at;
      const duration = (nanoseconds?.[at] ?? mean) / 1e6;
      const startedAt = starts?.[at] ?? next;
      next += duration;
      if (!isInRow && !batch.report(position)) continue;
      const index = batch.indexAt(position);
      const job = batch.jobAt(position);
      const attempt = batch.attemptAt(position);
      const fault = failed.size === 0 ? undefined : failed.get(position);
      if (fault === undefined) {
        const result = values[at];
        settlements[settled++] = {
          index,
          job,
          result,
          id,
          attempt,
          startedAt,
          duration,
          done: 0,
          total: undefined,
        };
      } else {
        const ended = this.end({ index, job, id, attempt, startedAt, duration }, fault);
        if (ended !== undefined) settlements[settled++] = ended;
      }
    }
    settlements.length = settled;
    return settlements;
  }

  /** An attempt that did not complete: what was refused would be refused again. */
  private end(attempt: Attempt, { kind, error: wire }: FailedAttempt): FailedJob | undefined {
    const error = wire instanceof Error ? wire : errorFromWire(wire);
    return kind === 'refused' ? failure(attempt, error) : this.parts.endings.failed(attempt, error);
  }

  /** A batch that the child could not decode: each of its jobs runs alone, and the guilty one fails. */
  private notBegun(worker: Worker, batch: Batch, why: string): void {
    const { endings } = this.parts;
    for (const position of batch.unreported()) {
      batch.report(position);
      if (batch.parcel.jobs.length > 1) endings.suspected(batch.parcel, position, false);
      else {
        const error = new SerializationError(`Cannot send job ${batch.indexAt(position)}: ${why}`);
        endings.refuse(batch.parcel, [{ position, error }], worker.id);
      }
    }
  }
}

/** What the jobs of a report took, and the longest of them, in milliseconds. */
function sumOf(
  nanoseconds: number | readonly number[],
  count: number,
): { readonly total: number; readonly longest: number } {
  if (typeof nanoseconds === 'number')
    return { total: (nanoseconds * count) / 1e6, longest: nanoseconds / 1e6 };
  let total = 0;
  let longest = 0;
  for (let at = 0; at < count; at += 1) {
    const one = nanoseconds[at] ?? 0;
    total += one;
    if (one > longest) longest = one;
  }
  return { total: total / 1e6, longest: longest / 1e6 };
}

/** The values of a report, and what failed in it, by position; a result that can't be read here is its job's failure. */
function read(
  batch: Batch,
  message: ResultsMessage,
): { values: readonly unknown[]; failed: Map<number, FailedAttempt> } {
  const failed = new Map<number, FailedAttempt>();
  for (const attempt of message.failed ?? []) failed.set(attempt.position, attempt);
  const positionOf = (at: number): number => message.positions?.[at] ?? message.from + at;
  const refuse = (at: number, error: unknown): void => {
    const position = positionOf(at);
    if (!failed.has(position)) failed.set(position, { position, kind: 'refused', error });
  };
  const nameOf = (at: number): string => `the result of job ${batch.indexAt(positionOf(at))}`;
  try {
    return { values: decodeColumn(message.values, refuse, nameOf), failed };
  } catch (error) {
    const { cause } = error as SerializationError;
    for (let at = 0; at < message.count; at += 1) {
      refuse(at, new SerializationError(`Cannot read ${nameOf(at)}: ${whyUnreadable(cause)}`, { cause }));
    }
    return { values: [], failed };
  }
}
