import type { Clock } from '../clock.js';
import type { ChildMessage } from '../protocol.js';
import { BRAND } from '../protocol.js';
import type { OpenBatch } from './open-batch.js';

/** Where messages go. A promise means: wait before starting more, the channel is full. */
export interface RunnerPort {
  send(message: ChildMessage): Promise<void> | undefined;
}

/** What decides when reports are sent. */
export interface ReportOptions {
  readonly concurrency: number;
  /** Milliseconds an attempt may take. */
  readonly timeout: number | undefined;
  /** Bytes of RSS above which unstarted jobs are given back. */
  readonly maxMemory: number | undefined;
  readonly rss: () => number;
  /** The largest resident set of the process so far, in bytes; 0 for no news, and where it is not the worker's own. */
  readonly peakRss: () => number;
  readonly clock: Clock;
}

/**
 * Milliseconds between two reports: what a batch may take, so that most batches are one, and one that takes longer gives
 * its rest back with the first. Each costs the manager a turn on a worker's core; at 10 ms jobs of 1 ms took 8 % longer.
 */
export const FLUSH_MS = 100;
/** The same where there is a `timeout`, whose clock in the manager runs from the last report. */
const FLUSH_TIMED_MS = 2;
/** Milliseconds between two looks at the memory, where it has a limit. */
const LOOK_MS = 5;

/**
 * The batches that have not been run to their end, oldest first, and what is told of them: what has ended is buffered in a
 * report a batch and sent every `flushMs` milliseconds, at the end of a batch, when a lane has to wait, and before a job that
 * would start after a longer gap, so that a crash loses the report of less work than that.
 */
export class OpenBatches {
  /** What to wait for while the channel is full. */
  pressure: Promise<void> | undefined;
  private batches: OpenBatch[] = [];
  /** When the manager last heard what has ended, or begun; progress tells neither. */
  private lastReport = 0;
  private isFlushDue = false;
  private lookedAt = 0;
  /** Whether the memory was over its limit at the last look, and nothing was reported since. */
  private wasFull = false;
  private readonly flushMs: number;

  constructor(
    private readonly port: RunnerPort,
    private readonly options: ReportOptions,
  ) {
    this.flushMs = options.timeout === undefined ? FLUSH_MS : FLUSH_TIMED_MS;
  }

  add(batch: OpenBatch): void {
    this.batches.push(batch);
  }

  /** The oldest of which a job has not begun. */
  next(): OpenBatch | undefined {
    for (const batch of this.batches) if (batch.hasNext) return batch;
    return undefined;
  }

  /** Whether what has ended of a batch should be reported now. Before it began it had nothing to report. */
  isReportDue(batch: OpenBatch, now: number): boolean {
    const { lastReport } = this;
    const { begunAt } = batch;
    // `Math.max` takes several times as long until it is compiled.
    if (now - (lastReport > begunAt ? lastReport : begunAt) >= this.flushMs) return true;
    return this.options.maxMemory !== undefined && this.looksFull(now);
  }

  /**
   * Reports what has ended of a batch. One that took far longer than was thought gives back what has not begun.
   * @returns what to wait for if the channel is full then
   */
  report(batch: OpenBatch, now: number): Promise<void> | undefined {
    if (batch.isOverBudget(now)) batch.handBack();
    this.flushBatch(batch);
    return this.pressure;
  }

  /**
   * A job is about to begin. With a `timeout` the manager has to know when: it hears something every few milliseconds.
   * @returns whether it was told anything
   */
  begins(batch: OpenBatch, position: number, now: number): boolean {
    const { timeout, concurrency } = this.options;
    if (timeout === undefined) return false;
    if (concurrency === 1 && position > 0 && !this.isReportDue(batch, now)) return false;
    this.flushBatch(batch);
    this.lastReport = now;
    this.send({ brand: BRAND, type: 'started', batch: batch.seq, position });
    return true;
  }

  /** Gives back all that has not begun. */
  giveBack(): void {
    for (const batch of this.batches) batch.handBack();
    this.flush();
  }

  /** Sends what is buffered. */
  flush(): void {
    for (const batch of this.batches) this.flushBatch(batch);
  }

  /** Sends what is buffered when what runs now has come to a stop. */
  flushSoon(): void {
    if (this.isFlushDue) return;
    this.isFlushDue = true;
    this.options.clock.soon(() => {
      this.isFlushDue = false;
      this.flush();
    });
  }

  send(message: ChildMessage): void {
    const pressure = this.port.send(message);
    if (pressure === undefined) return;
    const mine = pressure.then(() => {
      if (this.pressure === mine) this.pressure = undefined;
    });
    this.pressure = mine;
  }

  private flushBatch(batch: OpenBatch): void {
    if (!batch.report.empty) {
      const isFull = this.wasFull || this.isMemoryFull;
      this.wasFull = false;
      if (isFull) for (const open of this.batches) open.handBack();
      this.lastReport = this.options.clock.now();
      for (const message of batch.report.take(isFull, this.options.peakRss())) this.send(message);
    }
    if (batch.isOver) this.batches = this.batches.filter((other) => other !== batch);
  }

  /** Between jobs, but not between tiny ones: to look takes as long as many of them. */
  private looksFull(now: number): boolean {
    if (!this.wasFull && now - this.lookedAt >= LOOK_MS) {
      this.lookedAt = now;
      this.wasFull = this.isMemoryFull;
    }
    return this.wasFull;
  }

  private get isMemoryFull(): boolean {
    const { maxMemory, rss } = this.options;
    return maxMemory !== undefined && rss() > maxMemory;
  }
}
