import { apply } from '../apply.js';
import type { OnRefused } from '../codec.js';
import { encodeColumn, whyUnreadable } from '../codec.js';
import { errorToWire } from '../error-wire.js';
import { type SerializationError, ThreadFactoryError } from '../errors.js';
import { HeldMemory } from '../held-column.js';
import type { ChildMessage, FatalPhase, JobsMessage } from '../protocol.js';
import { BRAND } from '../protocol.js';
import type { ContextHost } from './context.js';
import { Context } from './context.js';
import type { LaneHost } from './lane.js';
import { Lane } from './lane.js';
import { OpenBatch } from './open-batch.js';
import type { ReportOptions, RunnerPort } from './open-batches.js';
import { OpenBatches } from './open-batches.js';
import { Stopwatch } from './stopwatch.js';
import { inTime } from './time-limit.js';

/** The functions of a spec that run in a worker. */
export interface WorkerFunctions {
  /** What they are methods of. */
  readonly self?: unknown;
  readonly workerStartup?: ((context: never) => unknown) | undefined;
  readonly workerProcess: (job: never, context: never) => unknown;
  readonly workerFinish?: ((context: never) => unknown) | undefined;
}

/** What a runner depends on. */
export interface RunnerOptions extends ReportOptions {
  /** The machine's name, where there are several. */
  readonly machine?: string | undefined;
  /** Whether an attempt that does not end after its time is left behind, because nobody can kill it. */
  readonly abandons: boolean;
}

/**
 * Runs batches through the user's functions, over an injected channel: it knows no process. Up to `concurrency` lanes
 * take the jobs of the open batches, each one after the other.
 *
 * States: `idle` (not started up) → `open` (takes batches) → `closing` (`finish`: running jobs end, the rest goes back)
 * → `finishing` (`workerFinish`) → `closed` (nothing more is run; `abort` goes there at once). Written by `startUp`, `finish`
 * and `abort` alone.
 */
export class Runner implements ContextHost, LaneHost {
  id = 0;
  local: unknown;
  readonly self: unknown;
  readonly process: (job: unknown, context: Context) => unknown;
  readonly timeout: number | undefined;
  readonly isShared: boolean;
  readonly batches: OpenBatches;
  readonly machine: string | undefined;

  private readonly memory = new HeldMemory();
  private state: 'idle' | 'open' | 'closing' | 'finishing' | 'closed' = 'idle';
  private beginning: Promise<boolean> | undefined;
  private readonly lanes: Lane[] = [];
  private readonly idleLanes: Lane[] = [];
  /** Who waits until no lane is busy. */
  private quiet: (() => void)[] = [];

  constructor(
    private readonly functions: WorkerFunctions,
    private readonly port: RunnerPort,
    private readonly options: RunnerOptions,
  ) {
    this.machine = options.machine;
    this.self = functions.self;
    this.process = functions.workerProcess as Runner['process'];
    this.timeout = options.timeout;
    this.isShared = options.concurrency > 1;
    this.batches = new OpenBatches(port, options);
  }

  // ---- told by the manager ---------------------------------------------------------------------------------------

  /** Runs `workerStartup`, then asks for jobs. @returns false if it failed, which was reported */
  begin(id: number): Promise<boolean> {
    this.id = id;
    this.beginning = this.startUp();
    return this.beginning;
  }

  /** Takes a batch; it runs when there is a free lane. */
  accept(message: JobsMessage): void {
    const { clock } = this.options;
    let batch: OpenBatch;
    try {
      batch = new OpenBatch(message, clock.epoch() - clock.now(), this.memory);
    } catch (error) {
      // The manager then sends its jobs one by one.
      const { cause } = error as SerializationError;
      this.port.send(undecodable(message, whyUnreadable(cause), clock.epoch()));
      return;
    }
    this.batches.add(batch);
    if (this.state !== 'open') this.batches.giveBack();
    while (this.busyLanes < this.options.concurrency && this.batches.next() !== undefined) this.startLane();
  }

  /**
   * Ends the running jobs, gives back the rest and runs `workerFinish`; after a `workerStartup` that is under way. Where
   * nothing has started up there is nothing to finish.
   * @returns false if nothing had
   */
  async finish(): Promise<boolean> {
    if ((await this.beginning) !== true || this.state !== 'open') return false;
    this.state = 'closing';
    this.batches.giveBack();
    await this.lanesEnded();
    if (this.state !== 'closing') return true;
    this.state = 'finishing';
    try {
      await this.call(this.functions.workerFinish);
    } catch (error) {
      await this.port.send(fatal('finish', error));
    }
    this.state = 'closed';
    return true;
  }

  /** Fires the signal of everything that runs, and waits until it has ended. */
  async abort(): Promise<void> {
    const reason = new ThreadFactoryError('The run was aborted', { code: 'ERR_ABORTED' });
    this.state = 'closed';
    this.batches.giveBack();
    for (const context of this.waiting) Context.fire(context, reason);
    await this.lanesEnded();
  }

  /** Indices of the jobs that are waiting for something, ascending: of all that are under way, whenever the event loop turns. */
  get running(): number[] {
    return this.waiting.map(({ index = -1 }) => index).sort((a, b) => a - b);
  }

  /** Whether `workerFinish` is under way. */
  get finishing(): boolean {
    return this.state === 'finishing';
  }

  /** Sends what is buffered. */
  flush(): void {
    this.batches.flush();
  }

  private async startUp(): Promise<boolean> {
    try {
      this.local = await this.call(this.functions.workerStartup);
    } catch (error) {
      this.port.send(fatal('startup', error));
      return false;
    }
    if (this.state !== 'idle') return false;
    this.state = 'open';
    const finishes = this.functions.workerFinish !== undefined;
    this.port.send({ brand: BRAND, type: 'ready', finishes });
    return true;
  }

  /** Calls one of the functions that are about no job. */
  private call(its: WorkerFunctions['workerStartup']): unknown {
    return its && apply(its, this.self, [new Context(this, undefined, undefined) as never]);
  }

  // ---- told by jobs ----------------------------------------------------------------------------------------------

  /** Sends progress of a job; throws a SerializationError when it can't be sent. */
  progress(index: number, data: unknown): void {
    const refuse: OnRefused = (_, error) => {
      throw error;
    };
    const encoded = encodeColumn([data], refuse, () => `the progress of job ${index}`);
    this.batches.send({ brand: BRAND, type: 'progress', index, data: encoded });
  }

  // ---- told by lanes ---------------------------------------------------------------------------------------------

  contextOf(batch: OpenBatch, position: number): Context {
    return new Context(this, batch.indexAt(position), batch.attemptAt(position));
  }

  /** Until an asynchronous job has ended what is buffered is sent, and its time is watched. */
  watched(value: PromiseLike<unknown>, context: Context, startedAt: number): PromiseLike<unknown> {
    const { timeout, clock, abandons } = this.options;
    const { isShared } = this;
    this.batches.flushSoon();
    return timeout === undefined
      ? value
      : inTime(value, context, startedAt, { timeout, clock, abandons, isShared });
  }

  laneEnded(lane: Lane): void {
    this.idleLanes.push(lane);
    this.batches.flush();
    if (this.busyLanes > 0) return;
    for (const resolve of this.quiet.splice(0)) resolve();
  }

  private get busyLanes(): number {
    return this.lanes.length - this.idleLanes.length;
  }

  /** Contexts of the jobs that are waiting for something: only those can be told that they are stopped. */
  private get waiting(): Context[] {
    return this.lanes.flatMap(({ waitsFor }) => waitsFor ?? []);
  }

  private startLane(): void {
    const { clock } = this.options;
    let lane = this.idleLanes.pop();
    if (lane === undefined) {
      lane = new Lane(this, new Stopwatch(clock.now));
      this.lanes.push(lane);
    }
    void lane.run();
  }

  private async lanesEnded(): Promise<void> {
    if (this.busyLanes > 0) await new Promise<void>((resolve) => this.quiet.push(resolve));
  }
}

function fatal(phase: FatalPhase, error: unknown): ChildMessage {
  return { brand: BRAND, type: 'fatal', phase, error: errorToWire(error) };
}

function undecodable({ batch, count }: JobsMessage, why: string, startedAt: number): ChildMessage {
  return {
    brand: BRAND,
    type: 'results',
    batch,
    from: 0,
    count,
    values: 0,
    startedAt,
    nanoseconds: 0,
    undecodable: why,
  };
}
