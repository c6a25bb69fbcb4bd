import type { Report } from './report.js';

/** Below this many milliseconds a job, the clock is read once for several of them. */
const TINY_MS = 0.02;
/** How many. */
const STRIDE = 16;

/**
 * Times the jobs that a lane runs one after the other. Reading the clock costs as much as a tiny job, so a group of tiny
 * ones shares one reading: each is reported with the mean.
 */
export class Stopwatch {
  /** The last reading. */
  now: number;
  /** Milliseconds that each job of the last group took; not 0 at first, or V8 takes it for whole and compiles twice. */
  lastMs = Number.NaN;
  /** When the group under way began: where the one before it ended. */
  private began: number;
  /** How many jobs have ended since. */
  private group = 0;
  private stride = 1;

  /**
   * @param read the clock
   * @param mayGroup whether jobs may be timed together: not where each has its own time limit, or others run beside it
   */
  constructor(
    private readonly read: () => number,
    private readonly mayGroup: boolean,
  ) {
    this.now = read();
    this.began = this.now;
  }

  /** Whether jobs have ended that were not timed yet. */
  get isBehind(): boolean {
    return this.group > 0;
  }

  /** Begins, or goes on after a pause that is no job's. */
  start(): void {
    this.now = this.read();
    this.began = this.now;
  }

  /**
   * A job has ended.
   * @param report gets its time, with those of its group
   * @param isLong whether it is no tiny one for certain, so that the clock has to be read
   */
  lap(report: Report, isLong: boolean): void {
    this.group += 1;
    if (!isLong && this.group < this.stride) return;
    this.split(report);
    this.stride = this.lastMs < TINY_MS && this.mayGroup ? STRIDE : 1;
  }

  /** Ends the group under way, if there is one. */
  split(report: Report): void {
    if (this.group === 0) return;
    this.now = this.read();
    this.lastMs = (this.now - this.began) / this.group;
    report.timed(this.group, this.began, this.lastMs);
    this.began = this.now;
    this.group = 0;
  }
}
