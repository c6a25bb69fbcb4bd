import type { Clock, Timer } from '../clock.js';
import type { ResultsMessage } from '../protocol.js';
import { OVERTIME_MS } from '../protocol.js';
import type { Batch } from './batch.js';

/*
 * The manager's side of `timeout`. A worker ends an attempt that is over its time itself, by `signal`; one that can't, for it
 * is in a loop or was stopped, is noticed here.
 */

/** Milliseconds for a message that was sent in time to arrive late. */
const SLACK_MS = 250;

/** Milliseconds that a timer goes off late by where its process has time for it. */
const BUSY_MS = 50;

/** How often a manager that was busy waits once more: one that always is must notice a hanging worker, too. */
const PATIENCE = 10;

/** What a worker runs, by batch and position. */
export interface AttemptAt {
  readonly batch: Batch;
  readonly position: number;
}

/** The times of a worker that count here, in milliseconds. */
export interface DeadlineLimits {
  readonly timeout: number;
  readonly startupTimeout: number;
  readonly concurrency: number;
}

/** Which jobs of a batch a report is about. */
type Covered = Pick<ResultsMessage, 'from' | 'count' | 'positions'>;

/** Watches the attempts of one worker. The only one that writes `running` of its batches. */
export class Deadline {
  private readonly allowance: number;
  /** Since when the worker owes word of the job whose turn it is. */
  private silentSince: number | undefined;
  private timer: Timer | undefined;
  private timerDue = Number.POSITIVE_INFINITY;
  private isOver = false;

  /**
   * @param batches what the worker holds, oldest first
   * @param exceeded called once, with the attempts that are over their time; with none where the worker has never said that
   *   it began the job whose turn it is
   */
  constructor(
    private readonly limits: DeadlineLimits,
    private readonly clock: Clock,
    private readonly batches: () => readonly Batch[],
    private readonly exceeded: (overdue: readonly AttemptAt[]) => void,
  ) {
    this.allowance = limits.timeout + OVERTIME_MS + SLACK_MS;
  }

  /** The worker has begun a job. */
  started(batch: Batch, position: number): void {
    // One job at a time: what ran before it in this worker has ended, though its report may still be buffered.
    if (this.limits.concurrency === 1) for (const other of this.batches()) other.running.clear();
    batch.running.set(position, this.clock.now());
    this.silentSince = undefined;
    this.watch();
  }

  /** A report says that what it covers has ended; with one job at a time the next one began at about that moment. */
  covered(batch: Batch, { from, count, positions }: Covered): void {
    for (let at = 0; at < count; at += 1) batch.running.delete(positions?.[at] ?? from + at);
    if (this.limits.concurrency === 1) {
      batch.running.clear();
      if (batch.pending > 0) batch.running.set(batch.next, this.clock.now());
    }
    this.expectStart();
  }

  /**
   * A worker that says nothing of the job whose turn it is was stopped, or is in a loop that an earlier job left behind:
   * it has as long as for its start, and then what an attempt has.
   */
  expectStart(): void {
    const batches = this.batches();
    const owes = batches.length > 0 && !batches.some(({ running }) => running.size > 0);
    if (!owes) this.silentSince = undefined;
    else this.silentSince ??= this.clock.now();
    this.watch();
  }

  /** The worker has gone. */
  end(): void {
    this.isOver = true;
    this.clock.clear(this.timer);
  }

  private watch(): void {
    const due = this.due();
    if (this.isOver || due === undefined || due >= this.timerDue) return;
    this.clock.clear(this.timer);
    this.timerDue = due;
    this.wakeAt(due);
  }

  private wakeAt(due: number, patience = PATIENCE): void {
    const { clock } = this;
    this.timer = clock.after(Math.max(1, due - clock.now()), () => {
      const now = clock.now();
      // A busy manager must not take its own delay for the worker's: what was sent meanwhile is heard first, and may be more
      // than the channel holds at once.
      if (now > due + BUSY_MS && patience > 0) return this.wakeAt(now + SLACK_MS, patience - 1);
      this.timerDue = Number.POSITIVE_INFINITY;
      clock.soon(() => this.check());
    });
  }

  private check(): void {
    const due = this.due();
    if (this.isOver || due === undefined) return;
    const now = this.clock.now();
    if (due > now) {
      this.watch();
      return;
    }
    const overdue: AttemptAt[] = [];
    for (const batch of this.batches()) {
      for (const [position, at] of batch.running) {
        if (at + this.allowance <= now) overdue.push({ batch, position });
      }
    }
    this.end();
    this.exceeded(overdue);
  }

  /** When the first of them will be over its time. */
  private due(): number | undefined {
    const { silentSince, limits } = this;
    let first = silentSince === undefined ? undefined : silentSince + limits.startupTimeout;
    for (const batch of this.batches()) {
      for (const at of batch.running.values()) if (first === undefined || at < first) first = at;
    }
    return first === undefined ? undefined : first + this.allowance;
  }
}
