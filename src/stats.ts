import { Histogram } from './histogram.js';
import type { Settlement } from './manager/tally.js';

/** How a number of times are spread, in milliseconds, each right to half a percent. */
export interface Spread {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** What became of one worker number; a replacement goes on under the number of the process it replaced. */
export interface WorkerStats {
  readonly id: number;
  /** Jobs that it settled. */
  readonly jobs: number;
  /** Milliseconds that jobs took in it, added up. */
  readonly busy: number;
  /** Milliseconds from `ready` to its exit, of all its processes. */
  readonly alive: number;
  /** The share of its time that jobs took, 0…1: `busy` of `alive`, for each job it may run at once. */
  readonly utilisation: number;
  /** The largest resident set of its processes as they reported it, in bytes; 0 where none did. */
  readonly peakRss: number;
}

/** The summary's `stats`. */
export interface Stats {
  /** What a job waited from when it was handed to a worker until it began there; undefined where the engine can't tell. */
  readonly wait: Spread | undefined;
  /** What the last attempt of a job took. */
  readonly run: Spread;
  /** Jobs that settled, per second of the run. */
  readonly throughput: number;
  /** Charged attempts that were run again. */
  readonly retries: number;
  /** Workers that died while they may have been running a job. */
  readonly crashes: number;
  /** By number; empty where the engine's workers are not this machine's. */
  readonly workers: readonly WorkerStats[];
  /** The largest resident set of the manager's process so far, in bytes. */
  readonly peakRss: number;
}

interface Tracked {
  jobs: number;
  busy: number;
  alive: number;
  readyAt: number | undefined;
  peakRss: number;
}

/**
 * What a run cost: how long jobs waited and ran, how busy the workers were, what went wrong on the way. Counted a report
 * at a time, so that a tiny job costs an addition; durations in a histogram, so that a million take as little room as ten.
 */
export class StatsCollector {
  private readonly run = new Histogram();
  private readonly wait = new Histogram();
  private readonly workers = new Map<number, Tracked>();
  private settledJobs = 0;
  private retries = 0;
  private crashes = 0;

  /** @param concurrency jobs that a worker may run at once */
  constructor(private readonly concurrency: number) {}

  /**
   * Jobs that settled together.
   * @param handedAt epoch milliseconds when they were handed to their worker, where that is known
   */
  settled(settlements: readonly Settlement[], handedAt: number | undefined): void {
    this.settledJobs += settlements.length;
    const middle = settlements[(settlements.length - 1) >> 1];
    if (middle !== undefined && areAlike(settlements)) {
      this.tally(middle, settlements.length, handedAt);
      return;
    }
    for (let at = 0; at < settlements.length; at += 1) this.tally(settlements[at] as Settlement, 1, handedAt);
  }

  /** @param jobs how many are counted by this one */
  private tally({ duration, startedAt, id }: Settlement, jobs: number, handedAt: number | undefined): void {
    this.run.add(duration, jobs);
    if (handedAt !== undefined) this.wait.add(startedAt - handedAt, jobs);
    const worker = this.workers.get(id);
    if (worker === undefined) return;
    worker.jobs += jobs;
    worker.busy += duration * jobs;
  }

  retried(): void {
    this.retries += 1;
  }

  crashed(): void {
    this.crashes += 1;
  }

  /** A worker is ready. @param now the clock's milliseconds */
  ready(id: number, now: number): void {
    const worker = this.workers.get(id);
    if (worker === undefined) this.workers.set(id, { jobs: 0, busy: 0, alive: 0, readyAt: now, peakRss: 0 });
    else worker.readyAt = now;
  }

  /** A worker has gone. @param peakRss bytes, 0 where it never said */
  exited(id: number | undefined, now: number, peakRss: number): void {
    const worker = id === undefined ? undefined : this.workers.get(id);
    if (worker === undefined) return;
    if (worker.readyAt !== undefined) worker.alive += now - worker.readyAt;
    worker.readyAt = undefined;
    worker.peakRss = Math.max(worker.peakRss, peakRss);
  }

  /**
   * @param duration milliseconds of the run so far
   * @param now the clock's milliseconds
   * @param peakRss bytes, of the manager's process
   */
  summarise(duration: number, now: number, peakRss: number): Stats {
    return {
      wait: this.wait.count === 0 ? undefined : spread(this.wait),
      run: spread(this.run),
      throughput: duration > 0 ? this.settledJobs / (duration / 1000) : 0,
      retries: this.retries,
      crashes: this.crashes,
      workers: [...this.workers].sort(([a], [b]) => a - b).map((entry) => this.worker(entry, now)),
      peakRss,
    };
  }

  private worker([id, { jobs, busy, alive, readyAt, peakRss }]: [number, Tracked], now: number): WorkerStats {
    const lived = alive + (readyAt === undefined ? 0 : now - readyAt);
    const utilisation = lived > 0 ? Math.min(1, busy / (lived * this.concurrency)) : 0;
    return { id, jobs, busy, alive: lived, utilisation, peakRss };
  }
}

/** Whether one worker did them in equal times: those that were too short to be timed singly are counted in one go. */
function areAlike(settlements: readonly Settlement[]): boolean {
  const first = settlements[0];
  for (let at = 1; at < settlements.length; at += 1) {
    const { duration, id } = settlements[at] as Settlement;
    if (duration !== first?.duration || id !== first.id) return false;
  }
  return true;
}

function spread(histogram: Histogram): Spread {
  const { count, sum, max } = histogram;
  return {
    count,
    mean: count === 0 ? 0 : sum / count,
    min: count === 0 ? 0 : histogram.min,
    p50: histogram.percentile(0.5),
    p90: histogram.percentile(0.9),
    p95: histogram.percentile(0.95),
    p99: histogram.percentile(0.99),
    max,
  };
}
