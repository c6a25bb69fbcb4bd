import type { Report } from './report.js';

/**
 * Times the jobs that a lane runs one after the other, each from where the one before it ended. Reading the clock costs a tenth
 * of a tiny job with all that comes with it. It was read once for sixteen of them, and sixteen long ones that came after tiny
 * ones ran before anybody looked: none was given back, none told, and each had the time of all.
 */
export class Stopwatch {
  /** The last reading. */
  now: number;
  /** Milliseconds that the last job took; not 0 at first, or V8 takes it for whole and compiles twice. */
  lastMs = Number.NaN;

  /** @param read the clock */
  constructor(private readonly read: () => number) {
    this.now = read();
  }

  /** Begins, or goes on after something that is no job's. */
  start(): void {
    this.now = this.read();
  }

  /** A job has ended. @param report gets its time */
  lap(report: Report): void {
    const began = this.now;
    this.now = this.read();
    this.lastMs = this.now - began;
    report.timed(began, this.lastMs);
  }
}
