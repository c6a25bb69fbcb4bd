/**
 * Durations counted in buckets that grow with what they hold, so that a million of them take as little room as ten, and
 * each percentile is right to half a percent. The idea is HdrHistogram's (hdrhistogram.org); Node's own
 * `createHistogram` crosses into C++ for each value, and does not say what is in its buckets.
 */

/** Buckets for each doubling: neighbours are 1.1 % apart, and a value is reported as the middle of its bucket. */
export const PER_DOUBLING = 64;

/** Up to 2^46 µs, two years. */
const BUCKETS = 46 * PER_DOUBLING;

/** The bucket of a duration: that of all under a microsecond is the first. */
function bucketOf(milliseconds: number): number {
  const bucket = Math.floor(Math.log2(milliseconds * 1000) * PER_DOUBLING);
  return bucket > 0 ? Math.min(bucket, BUCKETS - 1) : 0;
}

function durationOf(milliseconds: number): number {
  return milliseconds > 0 && Number.isFinite(milliseconds) ? milliseconds : 0;
}

/** Where a bucket begins, in milliseconds. */
export function bucketStart(bucket: number): number {
  return 2 ** (bucket / PER_DOUBLING) / 1000;
}

/**
 * So many values are put down before they are counted in one go: a loop is compiled while it runs, and until then each
 * value costs eleven numbers on the heap.
 */
const PUT_DOWN = 1024;

/** A histogram of durations in milliseconds, from 1 µs to two years. */
export class Histogram {
  #count = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = 0;
  /** How often each bucket was hit. Made with the first value: an empty histogram costs nothing. */
  #buckets: Float64Array | undefined;
  /** The first `#waiting` of these have occurred and are not counted yet. */
  #putDown: Float64Array | undefined;
  #waiting = 0;

  /**
   * @param milliseconds what is no duration counts as 0
   * @param times how often it occurred
   */
  add(milliseconds: number, times = 1): void {
    // What occurred several times is put down alone, and counted at once.
    if (times !== 1) this.#countAll();
    this.#putDown ??= new Float64Array(PUT_DOWN);
    this.#putDown[this.#waiting] = milliseconds;
    this.#waiting += 1;
    if (times !== 1 || this.#waiting === PUT_DOWN) this.#countAll(times);
  }

  get count(): number {
    return this.#count + this.#waiting;
  }

  get sum(): number {
    this.#countAll();
    return this.#sum;
  }

  get min(): number {
    this.#countAll();
    return this.#min;
  }

  get max(): number {
    this.#countAll();
    return this.#max;
  }

  /**
   * The value that a share of all values does not exceed, in milliseconds; 0 where there is none.
   *
   * @param share 0…1: 0.5 is the median
   */
  percentile(share: number): number {
    if (this.count === 0) return 0;
    const rank = Math.max(1, Math.ceil(share * this.count));
    // The extremes are known exactly.
    if (rank >= this.count) return this.max;
    let seen = 0;
    for (const [bucket, times] of this.filled()) {
      seen += times;
      if (seen < rank) continue;
      // All under a microsecond are in the first.
      return bucket === 0 ? this.min : Math.min(Math.max(bucketStart(bucket + 0.5), this.min), this.max);
    }
    return this.max;
  }

  /** The buckets that hold something, in ascending order, each with how often it was hit. */
  *filled(): Generator<[bucket: number, times: number], void, undefined> {
    this.#countAll();
    if (this.#buckets === undefined) return;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const times = this.#buckets[bucket] ?? 0;
      if (times > 0) yield [bucket, times];
    }
  }

  /**
   * Counts what is put down. Sums are kept beside the loop: stored in the histogram, each would be a number on the heap.
   * @param times how often each of them occurred
   */
  #countAll(times = 1): void {
    const putDown = this.#putDown;
    const waiting = this.#waiting;
    if (putDown === undefined || waiting === 0) return;
    this.#buckets ??= new Float64Array(BUCKETS);
    const buckets = this.#buckets;
    let sum = this.#sum;
    let min = this.#min;
    let max = this.#max;
    for (let at = 0; at < waiting; at += 1) {
      const value = durationOf(putDown[at] ?? 0);
      const bucket = bucketOf(value);
      buckets[bucket] = (buckets[bucket] ?? 0) + times;
      sum += value * times;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#sum = sum;
    this.#min = min;
    this.#max = max;
    this.#count += waiting * times;
    this.#waiting = 0;
  }
}
