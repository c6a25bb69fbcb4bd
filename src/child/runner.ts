import type { Clock, Timer } from '../clock.js';
import { decodeColumn, encodeColumn } from '../codec.js';
import { errorToWire } from '../error-wire.js';
import type { JobTimeoutError } from '../errors.js';
import { timeoutError } from '../errors.js';
import type { ChildMessage, EncodedColumn, FailedAttempt, JobsMessage } from '../protocol.js';
import { BRAND, indexAt } from '../protocol.js';
import type { ContextHost } from './context.js';
import { Context } from './context.js';
import { Report } from './report.js';

/**
 * Runs batches through the user's functions, over an injected channel: it knows no process.
 *
 * `lanes` loops run at once, one for each job of `concurrency`; each takes the next unstarted job until none is left.
 * A lane stays synchronous as long as jobs are: a thousand tiny jobs cost one turn of the event loop. Results are
 * buffered in a report a batch and flushed every few milliseconds, at the end of a batch, when a lane has to wait, and
 * before a job that would start after a longer gap, so that a crash loses the report of micro-jobs only.
 *
 * States: `idle` (nothing begun) → `open` (takes batches) → `closing` (`finish`: running jobs end, the rest goes back)
 * → `closed`.
 */

/** The functions of a spec that run in a worker. */
export interface WorkerFunctions {
  readonly workerStartup?: ((context: never) => unknown) | undefined;
  readonly workerProcess: (job: never, context: never) => unknown;
  readonly workerFinish?: ((context: never) => unknown) | undefined;
}

/** Where a runner's messages go. A promise means: wait before starting more, the channel is full. */
export interface RunnerPort {
  send(message: ChildMessage): Promise<void> | undefined;
}

/** What a runner depends on. */
export interface RunnerOptions {
  readonly concurrency: number;
  readonly timeout: number | undefined;
  /** Bytes of RSS above which unstarted jobs are given back. */
  readonly maxMemory: number | undefined;
  readonly rss: () => number;
  readonly clock: Clock;
  /** Whether an attempt that does not end after its time is left behind, because nobody can kill it. */
  readonly abandons: boolean;
}

/** Milliseconds between two reports. */
const FLUSH_MS = 10;
/** The same where there is a `timeout`, whose clock in the manager runs from the last message. */
const FLUSH_TIMED_MS = 2;
/** Below this many milliseconds a job, the clock is read once for every 16 of them. */
const TINY_MS = 0.02;
const TINY_STRIDE = 16;
/** Milliseconds an attempt over its time has to end by itself. */
const OVERTIME_MS = 1000;

/** A batch that has not been run to its end. */
interface OpenBatch {
  readonly message: JobsMessage;
  readonly jobs: readonly unknown[];
  readonly report: Report;
  next: number;
  end: number;
  running: number;
  begun: number;
}

export class Runner implements ContextHost {
  id = 0;
  local: unknown;

  private state: 'idle' | 'open' | 'closing' | 'closed' = 'idle';
  private batches: OpenBatch[] = [];
  private lanes = 0;
  /** Contexts of the jobs that are waiting for something: only those can be told that they are stopped. */
  private readonly waiting = new Set<Context>();
  private lastSent = 0;
  private flushDue = false;
  private pressure: Promise<void> | undefined;
  private stride = 1;
  private idle: (() => void) | undefined;
  private readonly flushMs: number;

  constructor(
    private readonly functions: WorkerFunctions,
    private readonly port: RunnerPort,
    private readonly options: RunnerOptions,
  ) {
    this.flushMs = options.timeout === undefined ? FLUSH_MS : FLUSH_TIMED_MS;
  }

  /** Runs `workerStartup`, then asks for jobs. @returns false if it failed, which was reported */
  async begin(id: number): Promise<boolean> {
    this.id = id;
    try {
      const startup = this.functions.workerStartup as ((context: unknown) => unknown) | undefined;
      this.local = await startup?.(this.context(undefined, undefined));
    } catch (error) {
      this.port.send({ brand: BRAND, type: 'fatal', phase: 'startup', error: errorToWire(error) });
      return false;
    }
    this.state = 'open';
    this.port.send({ brand: BRAND, type: 'ready', room: this.options.concurrency });
    return true;
  }

  /** Takes a batch; it runs when there is a free lane. */
  accept(message: JobsMessage): void {
    const { clock } = this.options;
    let jobs: readonly unknown[];
    try {
      jobs = decodeColumn(message.jobs);
    } catch {
      this.port.send(undecodable(message, clock.epoch()));
      return;
    }
    const report = new Report(message, clock.epoch() - clock.now());
    const batch = { message, jobs, report, next: 0, end: message.count, running: 0, begun: clock.now() };
    this.batches.push(batch);
    if (this.state !== 'open') this.giveBack();
    else while (this.lanes < this.options.concurrency && this.current() !== undefined) void this.lane();
  }

  /** Ends the running jobs, gives back the rest and runs `workerFinish`. */
  async finish(): Promise<void> {
    this.state = 'closing';
    this.giveBack();
    await this.lanesEnded();
    this.state = 'closed';
    try {
      const finish = this.functions.workerFinish as ((context: unknown) => unknown) | undefined;
      await finish?.(this.context(undefined, undefined));
    } catch (error) {
      await this.port.send({ brand: BRAND, type: 'fatal', phase: 'finish', error: errorToWire(error) });
    }
  }

  /** Fires the signal of everything that runs, and waits until it has ended. */
  async abort(reason: unknown): Promise<void> {
    this.state = 'closing';
    this.giveBack();
    for (const context of this.waiting) Context.fire(context, reason);
    await this.lanesEnded();
  }

  /** Indices of the jobs that are waiting for something: of all that are under way, whenever the event loop turns. */
  get running(): number[] {
    return [...this.waiting].map(({ index = -1 }) => index);
  }

  /** Sends what is buffered. */
  flush(): void {
    for (const batch of this.batches) this.flushBatch(batch);
  }

  /** Sends progress of a job; throws a SerializationError when it can't be sent. */
  progress(index: number, data: unknown): void {
    let refused: unknown;
    const encoded: EncodedColumn = encodeColumn([data], (_, error) => {
      refused = error;
    });
    if (refused !== undefined) throw refused;
    this.send({ brand: BRAND, type: 'progress', index, data: encoded });
  }

  // ---- running ---------------------------------------------------------------------------------------------------

  private context(index: number | undefined, attempt: number | undefined): Context {
    return new Context(this, index, attempt);
  }

  private async lanesEnded(): Promise<void> {
    if (this.lanes === 0) return;
    await new Promise<void>((resolve) => {
      this.idle = resolve;
    });
  }

  private current(): OpenBatch | undefined {
    return this.batches.find((batch) => batch.next < batch.end);
  }

  /** One loop over the unstarted jobs. Synchronous as long as they are. */
  private async lane(): Promise<void> {
    const { clock, timeout } = this.options;
    const process = this.functions.workerProcess as (job: unknown, context: unknown) => unknown;
    this.lanes += 1;
    try {
      let batch = this.current();
      let now = clock.now();
      if (batch !== undefined && batch.next === 0) batch.begun = now;
      let began = now;
      let group = 0;
      while (batch !== undefined) {
        const position = batch.next++;
        const index = indexAt(batch.message, position);
        const context = this.context(index, batch.message.attempts?.[position] ?? 1);
        batch.running += 1;
        if (timeout !== undefined) this.announce(batch, position, now);
        let failed: FailedAttempt | undefined;
        let value: unknown;
        let waited = false;
        try {
          value = process(batch.jobs[position], context);
          if (isThenable(value)) {
            waited = true;
            if (group > 0) {
              // The tiny ones before it were timed together: their group ends here.
              now = clock.now();
              batch.report.timed(group, began, (now - began) / group);
              began = now;
              group = 0;
            }
            value = await this.settled(value, context, now);
          }
        } catch (error) {
          value = undefined;
          const kind = error instanceof OverTime ? 'timeout' : 'threw';
          failed = { position, kind, error: errorToWire(error instanceof OverTime ? error.error : error) };
        }
        batch.running -= 1;
        group += 1;
        // Reading the clock costs as much as a tiny job, so a group of them shares one reading.
        if (waited || failed !== undefined || timeout !== undefined || group >= this.stride) {
          const start = began;
          now = clock.now();
          const each = (now - start) / group;
          if (timeout !== undefined && failed === undefined && now - start > timeout) {
            value = undefined;
            failed = {
              position,
              kind: 'timeout',
              error: errorToWire(timeoutError(timeout)),
            };
          }
          batch.report.timed(group, start, each);
          this.stride =
            each < TINY_MS && timeout === undefined && this.options.concurrency === 1 ? TINY_STRIDE : 1;
          began = now;
          group = 0;
        }
        batch.report.add(position, value, failed);
        if (batch.next >= batch.end || (group === 0 && now - this.lastSent >= this.flushMs)) {
          if (group > 0) {
            const end = clock.now();
            batch.report.timed(group, began, (end - began) / group);
            now = end;
            began = end;
            group = 0;
          }
          if (now - batch.begun > batch.message.budget) this.handBack(batch);
          this.flushBatch(batch);
          if (this.pressure !== undefined) {
            await this.pressure;
            now = clock.now();
            began = now;
          }
        }
        const before: OpenBatch = batch;
        batch = this.current();
        if (batch !== undefined && batch !== before) batch.begun = now;
      }
    } finally {
      this.lanes -= 1;
    }
    this.flush();
    if (this.lanes === 0) this.idle?.();
  }

  /** Waits for an asynchronous job; meanwhile what is buffered is sent and its time is watched. */
  private async settled(value: PromiseLike<unknown>, context: Context, startedAt: number): Promise<unknown> {
    this.flushSoon();
    this.waiting.add(context);
    try {
      return await (this.options.timeout === undefined ? value : this.inTime(value, context, startedAt));
    } finally {
      this.waiting.delete(context);
    }
  }

  private async inTime(value: PromiseLike<unknown>, context: Context, startedAt: number): Promise<unknown> {
    const { timeout = 0, clock } = this.options;
    let timer: Timer | undefined;
    let overtime: ((error: OverTime) => void) | undefined;
    const abandoned = new Promise<never>((_, reject) => {
      overtime = reject;
    });
    const error = timeoutError(timeout);
    let late = false;
    timer = clock.after(timeout, () => {
      late = true;
      Context.fire(context, error);
      if (this.options.abandons) timer = clock.after(OVERTIME_MS, () => overtime?.(new OverTime(error)));
    });
    try {
      const result = await (this.options.abandons ? Promise.race([value, abandoned]) : value);
      if (late || clock.now() - startedAt > timeout) throw new OverTime(error);
      return result;
    } catch (thrown) {
      throw late && !(thrown instanceof OverTime) ? new OverTime(error) : thrown;
    } finally {
      clock.clear(timer);
    }
  }

  /** With a `timeout` the manager has to know when attempts begin: a message at least every few milliseconds. */
  private announce(batch: OpenBatch, position: number, now: number): void {
    if (this.options.concurrency === 1 && position > 0 && now - this.lastSent < this.flushMs) return;
    this.flushBatch(batch);
    this.send({ brand: BRAND, type: 'started', batch: batch.message.batch, position });
  }

  // ---- reporting -------------------------------------------------------------------------------------------------

  /** The unstarted rest of a batch that took far longer than was thought, or of all when the memory is full. */
  private handBack(batch: OpenBatch): void {
    const rest = batch.end - batch.next;
    if (rest === 0) return;
    batch.end = batch.next;
    batch.report.returned += rest;
  }

  private giveBack(): void {
    for (const batch of this.batches) this.handBack(batch);
    this.flush();
  }

  private flushSoon(): void {
    if (this.flushDue) return;
    this.flushDue = true;
    this.options.clock.soon(() => {
      this.flushDue = false;
      this.flush();
    });
  }

  private flushBatch(batch: OpenBatch): void {
    if (!batch.report.empty) {
      const { maxMemory } = this.options;
      const full = maxMemory !== undefined && this.options.rss() > maxMemory;
      if (full) for (const open of this.batches) this.handBack(open);
      this.send(batch.report.take(full));
    }
    if (batch.next >= batch.end && batch.running === 0) {
      this.batches = this.batches.filter((other) => other !== batch || !other.report.empty);
    }
  }

  private send(message: ChildMessage): void {
    this.lastSent = this.options.clock.now();
    const pressure = this.port.send(message);
    if (pressure === undefined) return;
    const mine = pressure.then(() => {
      if (this.pressure === mine) this.pressure = undefined;
    });
    this.pressure = mine;
  }
}

/** Marks an attempt that is over its time, whatever the job itself threw. */
class OverTime {
  constructor(readonly error: JobTimeoutError) {}
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false;
  return typeof (value as { then?: unknown }).then === 'function';
}

function undecodable({ batch, count }: JobsMessage, startedAt: number): ChildMessage {
  return {
    brand: BRAND,
    type: 'results',
    batch,
    from: 0,
    count,
    values: 0,
    startedAt,
    durations: 0,
    undecodable: true,
  };
}
