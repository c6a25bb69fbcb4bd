import type { RunnerPort } from '../../src/child/open-batches.js';
import type { RunnerOptions, WorkerFunctions } from '../../src/child/runner.js';
import { Runner } from '../../src/child/runner.js';
import { decodeColumn, encodeColumn } from '../../src/codec.js';
import { errorFromWire } from '../../src/error-wire.js';
import type { ChildMessage, JobsMessage, ResultsMessage } from '../../src/protocol.js';
import { BRAND } from '../../src/protocol.js';
import { FakeClock } from './fake-clock.js';

/** What became of one attempt, as the manager would read it. */
export type Outcome = { readonly value: unknown } | { readonly kind: string; readonly error: Error };

/** A channel to a manager that only listens. */
export class FakeChannel implements RunnerPort {
  readonly sent: ChildMessage[] = [];
  /** Whether it can take no more for now: what is sent then waits for `drain`. */
  isFull = false;
  private waiting: (() => void)[] = [];

  send(message: ChildMessage): Promise<void> | undefined {
    this.sent.push(structuredClone(message));
    if (!this.isFull) return undefined;
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Takes messages again. */
  drain(): void {
    this.isFull = false;
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  /** What kinds of messages came, in order. */
  get types(): string[] {
    return this.sent.map(({ type }) => type);
  }

  get results(): ResultsMessage[] {
    return this.sent.filter((message) => message.type === 'results');
  }

  /** How many jobs were given back. */
  get returned(): number {
    return this.results.reduce((sum, { returned = 0 }) => sum + returned, 0);
  }

  /** What was reported of a batch, by position. */
  outcomes(batch = 0): Outcome[] {
    const outcomes: Outcome[] = [];
    for (const message of this.results.filter((one) => one.batch === batch)) {
      const values = decodeColumn(message.values);
      for (let at = 0; at < message.count; at += 1) {
        const position = message.positions?.[at] ?? message.from + at;
        if (outcomes[position] !== undefined) throw new Error(`Position ${position} was reported twice`);
        const failed = message.failed?.find((attempt) => attempt.position === position);
        outcomes[position] =
          failed === undefined
            ? { value: values[at] }
            : { kind: failed.kind, error: errorFromWire(failed.error) };
      }
    }
    return outcomes;
  }
}

/** A message with a batch of jobs. */
export function batchOf(jobs: readonly unknown[], about: Partial<JobsMessage> = {}): JobsMessage {
  const column = encodeColumn(jobs, (_, error) => {
    throw error;
  });
  return {
    brand: BRAND,
    type: 'jobs',
    batch: 0,
    first: 0,
    jobs: column,
    count: jobs.length,
    budget: 1e9,
    ...about,
  };
}

/** The functions of a worker as tests write them. */
export interface Functions<Job = number> {
  workerStartup?(context: JobContext): unknown;
  workerProcess?(job: Job, context: JobContext): unknown;
  workerFinish?(context: JobContext): unknown;
}

export interface JobContext {
  readonly id: number;
  readonly local: unknown;
  readonly index: number | undefined;
  readonly attempt: number | undefined;
  readonly signal: AbortSignal;
  progress(data: unknown): void;
}

/** A test that moves the clock from inside a job brings it. */
type WorldOptions = Partial<Omit<RunnerOptions, 'clock'>> & { readonly clock?: FakeClock };

interface World {
  readonly runner: Runner;
  readonly clock: FakeClock;
  readonly channel: FakeChannel;
}

/** A runner in its own little world. Without `workerProcess` a job's result is the job. */
export function runnerOf<Job = number>(functions: Functions<Job>, options: WorldOptions = {}): World {
  const clock = options.clock ?? new FakeClock();
  const channel = new FakeChannel();
  const spec = { workerProcess: (job: Job) => job, ...functions };
  const runner = new Runner(spec as unknown as WorkerFunctions, channel, {
    concurrency: 1,
    timeout: undefined,
    maxMemory: undefined,
    rss: () => 0,
    peakRss: () => 0,
    abandons: false,
    ...options,
    clock,
  });
  return { runner, clock, channel };
}

/** The same, started up and with an empty channel. */
export async function readyRunner<Job = number>(
  functions: Functions<Job>,
  options: WorldOptions = {},
): Promise<World> {
  const world = runnerOf(functions, options);
  await world.runner.begin(1);
  world.channel.sent.length = 0;
  return world;
}

/** Lets everything run that waits for nothing but its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Something that opens once. */
export class Gate {
  private release: (() => void) | undefined;
  readonly opened = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  open(): void {
    this.release?.();
  }
}
