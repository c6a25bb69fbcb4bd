import { decodeColumn } from '../../src/codec.js';
import { errorToWire } from '../../src/error-wire.js';
import type { FailedAttempt, JobsMessage, ResultsMessage } from '../../src/protocol.js';
import { BRAND, indexAt } from '../../src/protocol.js';
import { encode, type FakeChild } from './fake-worker.js';

/** What a job does whenever it runs; `throws` and `late` go by its attempt. */
export interface Plan {
  readonly does: 'complete' | 'throw' | 'hang' | 'crash' | 'throw later' | 'refuse';
  /** `throw` and `crash`: only in the first so many attempts. */
  readonly times: number;
}

/** What the world knows of a job, whatever the manager thinks. */
export interface Truth {
  /** The attempts it was begun as. */
  readonly begun: number[];
  /** The longest it ever ran, in milliseconds. */
  longest: number;
  /** Children that run it now, and the most there ever were. */
  running: number;
  most: number;
}

export interface World {
  readonly plans: readonly Plan[];
  readonly truths: readonly Truth[];
  readonly concurrency: number;
  readonly timeout: number | undefined;
  /** Whether jobs take longer the later they are in the list. */
  readonly rises: boolean;
  now(): number;
}

interface OpenBatch {
  readonly message: JobsMessage;
  next: number;
  end: number;
  returned: number;
  readonly running: Map<number, number>;
  readonly done: { position: number; failed: FailedAttempt | undefined }[];
}

/** A thing that can happen now. */
export type Move = () => void;

/**
 * A child process as it really behaves, one move at a time: whoever drives it decides in which order things happen, but
 * not what. What it says waits in a pipe until it is delivered; its exit comes after all that it said.
 */
export class SimulatedChild {
  private phase: 'loading' | 'loaded' | 'starting' | 'ready' | 'leaving' | 'dead' = 'loading';
  private readonly pipe: Move[] = [];
  private readonly said: ResultsMessage[] = [];
  private batches: OpenBatch[] = [];
  private taken = 0;
  private owesError = false;
  private leaves = false;

  constructor(
    private readonly child: FakeChild,
    private readonly world: World,
    /** Lives on after SIGTERM. */
    private readonly stubborn: boolean,
  ) {}

  /** Everything that a well-behaved process and its channel may do now, the most urgent first. */
  moves(): Move[] {
    this.heedSignals();
    const moves: Move[] = [];
    const [delivery] = this.pipe;
    if (delivery !== undefined) moves.push(() => void this.pipe.shift()?.());
    if (this.phase === 'dead') return moves;
    if (this.phase === 'loading') moves.push(() => this.load());
    if (this.taken < this.child.sent.length) moves.push(() => this.take());
    if (this.phase === 'starting') moves.push(() => this.becomeReady());
    const next = this.batches.find((batch) => batch.next < batch.end);
    if (next !== undefined && this.runningCount < this.world.concurrency) moves.push(() => this.begin(next));
    for (const batch of this.batches) {
      for (const position of batch.running.keys()) {
        if (this.planOf(batch, position).does !== 'hang') moves.push(() => this.end(batch, position));
      }
      if (batch.done.length > 0 || batch.returned > 0) moves.push(() => this.flush(batch));
    }
    if (this.phase === 'leaving' && this.batches.length === 0) moves.push(() => this.die({ code: 0 }));
    return moves;
  }

  /** What may befall it besides; each as likely as any other. */
  mishaps(): Move[] {
    if (this.phase === 'dead') return [];
    const moves: Move[] = [];
    const isIdle =
      this.phase === 'ready' && this.taken === this.child.sent.length && this.batches.length === 0;
    if (isIdle) moves.push(() => this.die({ signal: 'SIGKILL' }));
    if (this.owesError) moves.push(() => this.throwLater());
    for (const batch of this.batches) if (batch.next < batch.end) moves.push(() => this.handBack(batch));
    const [first] = this.said;
    if (first !== undefined) moves.push(() => this.say({ ...first, returned: 0 }));
    return moves;
  }

  /** Does not get ready: it says why, or goes without a word. */
  failToStart(silently: boolean): void {
    if (this.phase !== 'loading' && this.phase !== 'starting') return;
    const error = errorToWire(new Error('no db'));
    if (!silently) this.pipe.push(() => this.child.say({ type: 'fatal', phase: 'startup', error }));
    this.die({ code: 1 });
  }

  /** Whether it is neither done nor waiting for anybody. */
  get busy(): boolean {
    return this.pipe.length > 0 || this.phase !== 'dead';
  }

  private get runningCount(): number {
    return this.batches.reduce((sum, { running }) => sum + running.size, 0);
  }

  private planOf({ message }: OpenBatch, position: number): Plan {
    return this.world.plans[indexAt(message, position)] ?? { does: 'complete', times: 0 };
  }

  private truthOf({ message }: OpenBatch, position: number): Truth {
    const truth = this.world.truths[indexAt(message, position)];
    if (truth === undefined) throw new Error('A job that is not in the list was given');
    return truth;
  }

  private load(): void {
    this.phase = 'loaded';
    this.pipe.push(() => this.child.say({ type: 'loaded', took: 0 }));
  }

  private becomeReady(): void {
    this.phase = this.leaves ? 'leaving' : 'ready';
    this.pipe.push(() => this.child.say({ type: 'ready', finishes: false }));
  }

  private take(): void {
    const message = this.child.sent[this.taken++];
    if (message?.type === 'begin') this.phase = 'starting';
    if (message?.type === 'jobs') {
      const batch = { message, next: 0, end: message.count, returned: 0, running: new Map(), done: [] };
      this.batches.push(batch);
      if (this.leaves) this.handBack(batch);
    }
    if (message?.type === 'finish' || message?.type === 'abort') {
      this.leaves = true;
      if (this.phase === 'ready') this.phase = 'leaving';
      for (const batch of this.batches) this.handBack(batch);
    }
  }

  private begin(batch: OpenBatch): void {
    // What ran before in another batch is reported first.
    for (const other of this.batches) if (other !== batch && other.done.length > 0) this.flush(other);
    const position = batch.next++;
    const attempt = batch.message.attempts?.[position] ?? 1;
    const truth = this.truthOf(batch, position);
    truth.begun.push(attempt);
    truth.most = Math.max(truth.most, truth.running + 1);
    const plan = this.planOf(batch, position);
    if (plan.does === 'crash' && attempt <= plan.times) return this.die({ signal: 'SIGSEGV' });
    batch.running.set(position, this.world.now());
    truth.running += 1;
    if (this.world.timeout === undefined) return;
    const started = { type: 'started', batch: batch.message.batch, position } as const;
    this.flush(batch);
    this.pipe.push(() => this.child.say(started));
  }

  private end(batch: OpenBatch, position: number): void {
    this.stopped(batch, position);
    const { does, times } = this.planOf(batch, position);
    const attempt = batch.message.attempts?.[position] ?? 1;
    const throws = does === 'throw' && attempt <= times;
    const kind = throws ? 'threw' : 'refused';
    const error = errorToWire(new Error(kind));
    batch.done.push({
      position,
      failed: throws || does === 'refuse' ? { position, kind, error } : undefined,
    });
    if (does === 'throw later') this.owesError = true;
  }

  private stopped(batch: OpenBatch, position: number): void {
    const truth = this.truthOf(batch, position);
    truth.longest = Math.max(truth.longest, this.world.now() - (batch.running.get(position) ?? 0));
    truth.running -= 1;
    batch.running.delete(position);
  }

  private handBack(batch: OpenBatch): void {
    batch.returned += batch.end - batch.next;
    batch.end = batch.next;
  }

  private flush(batch: OpenBatch): void {
    const { message, done, returned } = batch;
    if (done.length > 0 || returned > 0) {
      const jobs = decodeColumn(message.jobs);
      const failed = done.flatMap((one) => one.failed ?? []);
      this.say({
        brand: BRAND,
        type: 'results',
        batch: message.batch,
        from: 0,
        count: done.length,
        positions: done.map(({ position }) => position),
        values: encode(done.map(({ position }) => jobs[position])),
        failed,
        startedAt: 0,
        nanoseconds: this.world.rises ? (1 + indexAt(batch.message, batch.next)) * 1e6 : 1e6,
        returned,
      });
    }
    batch.done.length = 0;
    batch.returned = 0;
    if (batch.next >= batch.end && batch.running.size === 0) {
      this.batches = this.batches.filter((other) => other !== batch);
    }
  }

  private say(message: ResultsMessage): void {
    this.said.push(message);
    this.pipe.push(() => this.child.say(message));
  }

  /** An error that nobody caught, of a job that had ended: what has ended is reported, what runs is named. */
  private throwLater(): void {
    for (const batch of this.batches) this.flush(batch);
    const running = this.batches.flatMap((batch) =>
      [...batch.running.keys()].map((position) => indexAt(batch.message, position)),
    );
    const error = errorToWire(new Error('late'));
    this.pipe.push(() => this.child.say({ type: 'uncaught', error, running }));
    this.die({ code: 1 });
  }

  private heedSignals(): void {
    const { signals } = this.child;
    if (this.phase === 'dead') return;
    if (signals.includes('SIGKILL')) this.die({ signal: 'SIGKILL' });
    else if (signals.includes('SIGTERM') && !this.stubborn) this.die({ signal: 'SIGTERM' });
  }

  private die(exit: { code?: number; signal?: string }): void {
    this.phase = 'dead';
    // Its channel is closed before all that it said has been heard.
    this.child.disconnect();
    for (const batch of this.batches) {
      for (const position of [...batch.running.keys()]) this.stopped(batch, position);
    }
    this.batches = [];
    this.pipe.push(() => this.child.exit(exit));
  }
}
