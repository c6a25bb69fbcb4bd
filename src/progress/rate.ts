const WINDOW_MS = 30_000;
const ENOUGH_JOBS = 20;
/** Samples closer together than this are one. */
const SAMPLE_MS = 250;
/** Before that a rate says more about how the workers started than about the jobs. */
const WARM_UP_MS = 1_000;
/** Samples kept; beyond it every second of the older half goes. */
const MAX_SAMPLES = 512;

interface Sample {
  readonly at: number;
  readonly settled: number;
}

/**
 * How many jobs settle in a second, as a moving average.
 *
 * The average is over the last half minute; where fewer than a score of jobs settled in it, over as long a time as
 * holds that many, so that a list of slow jobs has a rate too.
 */
export class Rate {
  private samples: Sample[] = [];
  private latest: Sample | undefined;

  /**
   * @param at monotonic milliseconds
   * @param settled jobs that settled in this run so far
   */
  observe(at: number, settled: number): void {
    this.latest = { at, settled };
    const last = this.samples.at(-1);
    if (last !== undefined && at - last.at < SAMPLE_MS) return;
    this.samples.push(this.latest);
    while (this.hasOld(at, settled)) this.samples.shift();
    if (this.samples.length > MAX_SAMPLES) {
      this.samples = this.samples.filter((_, position) => position % 2 === 0 || position > MAX_SAMPLES / 2);
    }
  }

  /** Jobs a second; undefined while nothing has settled or it is too early to tell. */
  get perSecond(): number | undefined {
    const [first] = this.samples;
    if (first === undefined || this.latest === undefined) return undefined;
    const ms = this.latest.at - first.at;
    const settled = this.latest.settled - first.settled;
    return ms < WARM_UP_MS || settled <= 0 ? undefined : (settled / ms) * 1000;
  }

  /** Whether the window is long enough, in time and in jobs, without its oldest sample. */
  private hasOld(at: number, settled: number): boolean {
    const second = this.samples[1];
    return second !== undefined && at - second.at >= WINDOW_MS && settled - second.settled >= ENOUGH_JOBS;
  }
}
