import { apply } from '../apply.js';
import { errorToWire } from '../error-wire.js';
import { timeoutError } from '../errors.js';
import type { FailedAttempt } from '../protocol.js';
import { Context } from './context.js';
import type { OpenBatch } from './open-batch.js';
import { Unreadable } from './open-batch.js';
import type { OpenBatches } from './open-batches.js';
import type { Stopwatch } from './stopwatch.js';
import { OverTime } from './time-limit.js';

/** What a lane needs of its runner. */
export interface LaneHost {
  readonly batches: OpenBatches;
  /** Milliseconds an attempt may take. */
  readonly timeout: number | undefined;
  /** Whether other lanes run beside this one. */
  readonly isShared: boolean;
  /** What `process` is a method of. */
  readonly self: unknown;
  /** `workerProcess`. */
  readonly process: (job: unknown, context: Context) => unknown;
  contextOf(batch: OpenBatch, position: number): Context;
  /** An asynchronous job that began at `startedAt` is about to be waited for. @returns what to wait for */
  watched(value: PromiseLike<unknown>, context: Context, startedAt: number): PromiseLike<unknown>;
  /** The lane has no job left. */
  laneEnded(lane: Lane): void;
}

/** Jobs run by one call: in a loop that goes on for long V8 compiles it a second time, since the first can only be called. */
const LEG = 256;

/** A job that has to be waited for. */
interface Waiting {
  readonly position: number;
  readonly context: Context;
  readonly value: PromiseLike<unknown>;
}

/**
 * One job after the other: takes the next that has not begun, until there is none. It stays synchronous as long as the
 * jobs are: a thousand tiny jobs cost one turn of the event loop. They have a loop of their own, since V8 takes a third of
 * the time to compile one that waits for nothing.
 */
export class Lane {
  /** The context of the job that it waits for. Written here alone. */
  waitsFor: Context | undefined;

  constructor(
    private readonly host: LaneHost,
    private readonly watch: Stopwatch,
  ) {}

  /** Runs what there is to run. It waits for jobs itself: each function between costs them a promise, as that of a time limit does. */
  async run(): Promise<void> {
    const { host, watch } = this;
    const { batches } = host;
    watch.start();
    for (let batch = batches.next(); batch !== undefined; batch = batch.hasNext ? batch : batches.next()) {
      const waiting = this.runThrough(batch);
      if (waiting !== undefined) {
        const { position, context, value } = waiting;
        let result: unknown;
        let thrown: { readonly error: unknown } | undefined;
        this.waitsFor = context;
        try {
          result = await host.watched(value, context, watch.now);
        } catch (error) {
          thrown = { error };
        }
        // Before the error is looked at: its getters are the user's.
        this.waitsFor = undefined;
        const failed = thrown === undefined ? undefined : failure(position, thrown.error);
        Context.end(context);
        watch.lap(batch.report);
        this.note(batch, position, result, failed, true);
      }
      if (this.goesOn(batch)) continue;
      const room = batches.report(batch, watch.now);
      if (room !== undefined) await room;
      // To write the report takes a while, which is no job's.
      watch.start();
    }
    host.laneEnded(this);
  }

  /** Runs jobs of a batch until something has to be reported, or waited for: the job that it is, then. `LEG` at most. */
  private runThrough(batch: OpenBatch): Waiting | undefined {
    const { host, watch } = this;
    let left = LEG;
    do {
      const position = batch.take(watch.now);
      const context = host.contextOf(batch, position);
      if (host.timeout !== undefined && host.batches.begins(batch, position, watch.now)) watch.start();
      let value: unknown;
      let failed: FailedAttempt | undefined;
      try {
        // So that V8 does not make the job a part of this loop when it compiles it: a loop of the job's own lacked registers
        // then, and took twice as long with Node 20 on some processors.
        value = apply(host.process, host.self, [batch.jobAt(position), context]);
        if (isThenable(value)) return { position, context, value };
      } catch (error) {
        failed = failure(position, error);
      }
      Context.end(context);
      watch.lap(batch.report);
      this.note(batch, position, value, failed, false);
      left -= 1;
    } while (left > 0 && this.goesOn(batch));
    return undefined;
  }

  /** Whether the next job of a batch runs before anything is reported. */
  private goesOn(batch: OpenBatch): boolean {
    return batch.hasNext && !batch.report.isFull && !this.host.batches.isReportDue(batch, this.watch.now);
  }

  private note(
    batch: OpenBatch,
    position: number,
    value: unknown,
    thrown: FailedAttempt | undefined,
    hasWaited: boolean,
  ): void {
    let failed = thrown;
    const { timeout } = this.host;
    if (timeout !== undefined && failed?.kind !== 'timeout' && this.isOver(timeout, hasWaited)) {
      failed = failure(position, new OverTime(timeoutError(timeout)));
    }
    batch.running -= 1;
    const result = failed === undefined ? value : undefined;
    // The next job's time begins after that. What is left after the last job of a batch is a report.
    if (batch.report.add(position, result, failed, !batch.hasNext)) this.watch.start();
  }

  /**
   * Whether an attempt took too long, be it that it could be told so or not. One that waited beside others could: what
   * they did at a stretch meanwhile is in its time as well.
   */
  private isOver(timeout: number, hasWaited: boolean): boolean {
    return this.watch.lastMs > timeout && !(hasWaited && this.host.isShared);
  }
}

function failure(position: number, error: unknown): FailedAttempt {
  if (OverTime.is(error)) return { position, kind: 'timeout', error: errorToWire(error.error) };
  if (Unreadable.is(error)) return { position, kind: 'refused', error: errorToWire(error.error) };
  return { position, kind: 'threw', error: errorToWire(error) };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false;
  return typeof (value as { then?: unknown }).then === 'function';
}
