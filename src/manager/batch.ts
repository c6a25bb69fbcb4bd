import { indexAt } from '../protocol.js';

/**
 * Jobs that travel together, and how many of them should.
 *
 * A message costs about 100 µs on each side whatever is in it, so tiny jobs travel by the thousand; but jobs in a batch
 * can't move to an idle worker, so a batch is only ever as long as a time target. The rules were found by measuring
 * (piscina-style one-a-message pools spend 20 to 60 µs a job) and by simulating skewed lists; each is named below.
 */

/** Milliseconds of work a batch aims at. */
export const TARGET_MS = 50;
/** No batch is larger: bigger messages only make bigger garbage. */
export const MAX_BATCH = 2048;
/** Bytes of a message above which larger batches got slower. */
const MAX_BYTES = 256 * 1024;
/** A batch is at most so many times the one before it on the same worker, so that one lucky job proves little. */
const GROWTH = 8;
/** What a slower report weighs against what is known, and the least that a faster one does; more where it has more jobs. */
const SLOWER = 0.7;
const FASTER = 0.3;
/** What a message with smaller jobs or results weighs against what is known; one with larger ones is believed at once. */
const SMALLER = 0.3;
/** Reports in a row whose jobs took longer than all before them, from which on durations are taken to rise along the list. */
const RISES = 6;
/** Jobs a worker that are then run from the end of the list: simulated with eight and with 32 workers, 4 gained two thirds of what 8 do. */
const TAIL = 8;

/** Jobs taken from the list or the queue together. Job `i` has index `indices[i]`, or `first + i` without `indices`. */
export interface Parcel {
  readonly first: number;
  readonly jobs: readonly unknown[];
  readonly indices?: readonly number[];
}

/**
 * A parcel on its way to a worker or in it: which of its jobs were reported.
 * Reports come in order where a worker runs one job at a time, so a count is enough until one comes out of order.
 */
export class Batch {
  /** How many of its jobs have not been reported or given back. */
  pending: number;
  /** When the attempts under way began, by position; kept only where there is a `timeout`. */
  readonly running = new Map<number, number>();
  private count: number;
  private inOrder = 0;
  private done: Uint8Array | undefined;

  /**
   * @param seq its number on the wire
   * @param parcel the jobs
   * @param attempts their attempt numbers; absent where all are 1
   * @param handedAt epoch milliseconds when it was handed to its worker
   */
  constructor(
    readonly seq: number,
    readonly parcel: Parcel,
    readonly attempts?: readonly number[],
    readonly handedAt?: number,
  ) {
    this.count = parcel.jobs.length;
    this.pending = this.count;
  }

  indexAt(position: number): number {
    return indexAt(this.parcel, position);
  }

  jobAt(position: number): unknown {
    return this.parcel.jobs[position];
  }

  attemptAt(position: number): number {
    return this.attempts?.[position] ?? 1;
  }

  /** Marks one job as reported; false if it already was, or was given back. */
  report(position: number): boolean {
    if (position >= this.count || position < this.inOrder || this.done?.[position] === 1) return false;
    if (position === this.inOrder && this.done === undefined) {
      this.inOrder += 1;
    } else {
      this.done ??= new Uint8Array(this.parcel.jobs.length);
      this.done[position] = 1;
    }
    this.pending -= 1;
    return true;
  }

  /** The same for consecutive jobs, all at once. @returns false, and nothing marked, unless all of them are next in order */
  reportNext(from: number, count: number): boolean {
    if (this.done !== undefined || from !== this.inOrder || from + count > this.count) return false;
    this.inOrder += count;
    this.pending -= count;
    return true;
  }

  /** Takes the last `count` jobs off the batch. */
  giveBack(count: number): Parcel {
    const from = this.count - count;
    const parcel = sliceParcel(this.parcel, from, this.count);
    this.count = from;
    this.pending -= count;
    return parcel;
  }

  /** The first position that was not reported: where a worker that runs one job at a time is. */
  get next(): number {
    return this.inOrder;
  }

  /** Every position neither reported nor given back, in order. */
  unreported(): number[] {
    const positions: number[] = [];
    for (let position = this.inOrder; position < this.count; position += 1) {
      if (this.done?.[position] !== 1) positions.push(position);
    }
    return positions;
  }
}

/** The part of a parcel from position `from` up to `to`. */
export function sliceParcel(parcel: Parcel, from: number, to: number): Parcel {
  const jobs = parcel.jobs.slice(from, to);
  if (parcel.indices === undefined) return { first: parcel.first + from, jobs };
  const indices = parcel.indices.slice(from, to);
  return { first: indices[0] ?? parcel.first, jobs, indices };
}

/** The jobs of a parcel at these positions. */
export function pickParcel(parcel: Parcel, positions: readonly number[]): Parcel {
  const indices = positions.map((at) => indexAt(parcel, at));
  return { first: indices[0] ?? parcel.first, jobs: positions.map((at) => parcel.jobs[at]), indices };
}

/** What a batch's size depends on besides what was measured. */
export interface Demand {
  /** Jobs in the last batch this worker was given, 0 for its first. */
  readonly last: number;
  /** Jobs left to hand out, `Infinity` while nobody knows. */
  readonly remaining: number;
  /** Jobs the worker holds already. */
  readonly held: number;
}

/** Decides how many jobs a worker gets. Pure: what it knows it was told by `observe`. */
export class BatchSizer {
  /** Recent milliseconds a job takes of a worker's time, weighing a slow report more than a fast one of as many jobs. */
  private jobMs: number | undefined;
  /** How many jobs that stands for, so that a first one, which is slow because its code is cold, is soon outweighed. */
  private knownJobs = 0;
  private longestMs = 0;
  private jobBytes = 0;
  /** All that was measured. */
  private jobs = 0;
  private totalMs = 0;
  /** Reports in a row whose jobs took longer than the mean of all before them. */
  private risen = 0;

  constructor(
    private readonly fixed: number | 'auto',
    private readonly workers: number,
    private readonly concurrency: number,
  ) {}

  /**
   * @param count jobs measured together
   * @param totalMs what they took, added up
   * @param longestMs the longest of them
   */
  observe(count: number, totalMs: number, longestMs: number): void {
    if (count === 0) return;
    const sample = totalMs / count / this.concurrency;
    this.jobMs ??= sample;
    const isSlower = sample > this.jobMs;
    const weight = isSlower ? SLOWER : Math.max(FASTER, count / (count + this.knownJobs));
    this.jobMs += weight * (sample - this.jobMs);
    this.knownJobs = isSlower ? count : Math.min(this.knownJobs + count, count / FASTER);
    if (longestMs > this.longestMs) this.longestMs = longestMs;
    // Of the first there is no mean, which nothing is above.
    this.risen = totalMs / count > this.totalMs / this.jobs ? this.risen + 1 : 0;
    this.jobs += count;
    this.totalMs += totalMs;
  }

  /** @param bytes how large a message with `count` jobs or results was */
  observeBytes(count: number, bytes: number): void {
    const sample = bytes / Math.max(1, count);
    this.jobBytes = sample > this.jobBytes ? sample : (1 - SMALLER) * this.jobBytes + SMALLER * sample;
  }

  /** How many jobs a worker should be given now; 0 for none. */
  size({ last, remaining, held }: Demand): number {
    if (remaining <= 0) return 0;
    // A waiting batch hides a round trip; near the end it would hide jobs behind a long one instead.
    if (held >= this.concurrency && !this.worthQueueing(remaining)) return 0;
    if (this.fixed !== 'auto') return this.fixed;
    // It should last no longer than half of what the others need for all that is left. With many workers one that is
    // unlucky keeps all of them waiting; with two, half an equal share would cost a third more messages at the end.
    const fair = Math.ceil(remaining / Math.max(1, 2 * (this.workers - 1)));
    const floor = Math.max(1, Math.min(this.concurrency - held, Math.ceil(remaining / this.workers)));
    if (this.jobMs === undefined || last === 0) return floor;
    const byTime = this.jobMs > 0 ? Math.floor(TARGET_MS / this.jobMs) : MAX_BATCH;
    const byBytes = this.jobBytes > 0 ? Math.floor(MAX_BYTES / this.jobBytes) : MAX_BATCH;
    return Math.max(floor, Math.min(byTime, byBytes, last * GROWTH, fair, MAX_BATCH));
  }

  /**
   * Whether what is left should be run from its end, one by one. Where durations rise along the list the longest job is the last:
   * begun last, it runs when the other workers have nothing left. Longest first is Graham's LPT rule (1969); in lists that do
   * not rise the order of the last few jobs gains and costs nothing.
   */
  runsFromEnd(remaining: number): boolean {
    const { fixed, workers, concurrency, risen } = this;
    if (fixed !== 'auto' || workers === 1 || concurrency > 1) return false;
    return risen >= RISES && remaining <= TAIL * workers;
  }

  /** How many jobs the workers can hold now: what a lazy list may be read ahead. */
  capacity(last: number): number {
    const each = this.size({ last, remaining: Number.POSITIVE_INFINITY, held: 0 });
    return this.workers * Math.max(2 * each, this.concurrency);
  }

  private worthQueueing(remaining: number): boolean {
    if (this.jobMs === undefined) return false;
    return remaining * this.jobMs > this.workers * 2 * Math.max(TARGET_MS, this.longestMs);
  }
}
