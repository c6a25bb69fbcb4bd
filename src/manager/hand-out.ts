import type { Clock } from '../clock.js';
import { encodeColumn, encodedSize } from '../codec.js';
import { indexAt, MAX_MESSAGE_BYTES } from '../protocol.js';
import type { BatchSizer, Parcel } from './batch.js';
import { Batch, pickParcel, sliceParcel, TARGET_MS } from './batch.js';
import type { Endings, Refused } from './endings.js';
import type { Pool } from './pool.js';
import type { Queue } from './queue.js';
import type { RetryPolicy } from './retry.js';
import type { OrderWindow } from './window.js';
import type { Worker } from './worker.js';

/** What handing out works with. */
export interface HandOutParts {
  readonly queue: Queue;
  readonly pool: Pool;
  readonly sizer: BatchSizer;
  readonly retries: RetryPolicy;
  readonly window: OrderWindow | undefined;
  readonly endings: Endings;
  readonly clock: Clock;
  readonly workers: number;
  readonly concurrency: number;
  readonly maxJobsPerWorker: number | undefined;
  /** Asks to be run once more: a worker was to get jobs, and none of them could be sent. */
  readonly again: () => void;
}

/**
 * Which ready worker gets which jobs. Synchronous: nothing can happen between taking a job and giving it, but for what
 * taking it runs (the user's list, the journal) and what refusing it tells: either may end the run, and is asked about
 * after.
 */
export class HandOut {
  /** The number of the next batch. */
  private seq = 0;

  constructor(private readonly parts: HandOutParts) {}

  /** Gives out all that can be given now. @param now the clock's milliseconds */
  run(now: number): void {
    const { queue, pool, window, workers, concurrency } = this.parts;
    // 1. Suspects, each alone on a worker that holds nothing. While one waits for its worker nothing else goes out.
    this.giveSuspects();
    if (queue.suspect === undefined) {
      // 2. Jobs for those without any, then a second batch for the others, which hides the way of the first.
      for (const worker of pool.workers) if (worker.batches.length === 0) this.feed(worker, now);
      for (const worker of pool.workers) if (worker.batches.length > 0) this.feed(worker, now);
      // 3. Batches of a fixed size may be smaller than what a worker runs at once: more of them, to each in turn.
      for (let given = concurrency > 1; given; ) {
        given = false;
        for (const worker of pool.workers)
          if (worker.held < concurrency && this.feed(worker, now)) given = true;
      }
    }
    // 4. Where not all workers live: whether there are jobs that need them.
    if (pool.living < workers) queue.lookAhead(workers - pool.held, window?.limit);
  }

  private giveSuspects(): void {
    const { queue, pool } = this.parts;
    for (let suspect = queue.suspect; suspect !== undefined; suspect = queue.suspect) {
      const idle = [...pool.workers].filter(
        ({ state, batches }) => state === 'ready' && batches.length === 0,
      );
      const fresh = suspect.needsFreshWorker;
      const worker = fresh ? idle.find(({ given }) => given === 0) : idle[0];
      if (worker === undefined) {
        if (fresh && !this.freshComing()) idle[0]?.finish('recycled');
        return;
      }
      queue.takeSuspect();
      this.give(worker, { first: suspect.index, jobs: [suspect.job] }, true);
    }
  }

  private freshComing(): boolean {
    for (const worker of this.parts.pool.workers) if (worker.living && worker.given === 0) return true;
    return false;
  }

  /** @returns whether it was given anything */
  private feed(worker: Worker, now: number): boolean {
    if (worker.state !== 'ready' || worker.alone) return false;
    const { queue, sizer, window, endings, concurrency, maxJobsPerWorker } = this.parts;
    const held = worker.held;
    if (worker.batches.length >= 2 && held >= concurrency) return false;
    const quota = (maxJobsPerWorker ?? Number.POSITIVE_INFINITY) - worker.given;
    const { remaining } = queue;
    const size = sizer.size({ last: worker.lastSize, remaining, held });
    const count = Math.min(size, quota);
    if (count <= 0) return false;
    const fromEnd = window === undefined && sizer.runsFromEnd(remaining);
    const parcel = fromEnd ? queue.takeLast(now) : queue.take(count, now, window?.limit);
    if (parcel === undefined || endings.closed) return false;
    this.give(worker, parcel, false);
    return true;
  }

  /**
   * @param alone whether nothing else may run beside it
   * @returns whether it was given anything
   */
  private give(worker: Worker, parcel: Parcel, alone: boolean): boolean {
    const { sizer, retries, clock } = this.parts;
    const count = parcel.jobs.length;
    const refused: Refused[] = [];
    const jobs = encodeColumn(
      parcel.jobs,
      (position, error) => refused.push({ position, error }),
      (position) => `job ${indexAt(parcel, position)}`,
    );
    const bytes = encodedSize(jobs);
    // All are refused, for that, where they are too much together.
    const isTooMuch = refused.length === count && refused[0]?.error.cause instanceof RangeError;
    if (count > 1 && (bytes > MAX_MESSAGE_BYTES || isTooMuch)) return this.halve(worker, parcel);
    if (refused.length > 0) return this.refuse(worker, parcel, refused);
    sizer.observeBytes(count, bytes);
    const attempts = retries.attemptsOf(parcel);
    const batch = new Batch(this.seq++, parcel, attempts, clock.epoch());
    const { first, indices } = parcel;
    const message = {
      batch: batch.seq,
      first,
      ...(indices === undefined ? {} : { indices }),
      ...(attempts === undefined ? {} : { attempts }),
      jobs,
      count,
      budget: 2 * TARGET_MS,
    };
    worker.give(batch, message, alone);
    return true;
  }

  /** Sizes were learnt from jobs that were smaller than these. */
  private halve(worker: Worker, parcel: Parcel): boolean {
    const { endings } = this.parts;
    const count = parcel.jobs.length;
    const rest = sliceParcel(parcel, count >> 1, count);
    const isGiven = this.give(worker, sliceParcel(parcel, 0, count >> 1), false);
    if (isGiven) endings.putBack(rest);
    return isGiven || (!endings.closed && this.give(worker, rest, false));
  }

  /** Jobs that can't be sent fail; their neighbours go out without them. */
  private refuse(worker: Worker, parcel: Parcel, refused: readonly Refused[]): boolean {
    const { endings, again } = this.parts;
    endings.refuse(parcel, refused, worker.id);
    if (endings.closed) return false;
    const bad = new Set(refused.map(({ position }) => position));
    const good = parcel.jobs.map((_, at) => at).filter((at) => !bad.has(at));
    if (good.length > 0) return this.give(worker, pickParcel(parcel, good), false);
    again();
    return false;
  }
}
