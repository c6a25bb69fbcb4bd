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

/** Where a bucket begins, in milliseconds. */
export function bucketStart(bucket: number): number {
  return 2 ** (bucket / PER_DOUBLING) / 1000;
}

/** A histogram of durations in milliseconds, from 1 µs to two years. */
export class Histogram {
  count = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;
  /** How often each bucket was hit. Made with the first value: an empty histogram costs nothing. */
  #buckets: Float64Array | undefined;

  /**
   * @param milliseconds what is no duration counts as 0
   * @param times how often it occurred
   */
  add(milliseconds: number, times = 1): void {
    const value = milliseconds > 0 && Number.isFinite(milliseconds) ? milliseconds : 0;
    this.#buckets ??= new Float64Array(BUCKETS);
    const bucket = bucketOf(value);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + times;
    this.count += times;
    this.sum += value * times;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
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
    if (this.#buckets === undefined) return;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const times = this.#buckets[bucket] ?? 0;
      if (times > 0) yield [bucket, times];
    }
  }
}
