/**
 * A run as an async iterator, with back-pressure both ways: a slow consumer holds the hand-out, leaving the loop stops
 * the run. In order, later results wait for earlier ones; a failed job is a gap.
 */

/** What an iteration needs of its run. */
export interface Iteration<Item> {
  readonly ordered: boolean;
  /** Starts the run; `sink` gets each settled job, of one that gives nothing only the index. Settles as `start()` would. */
  run(sink: (index: number, job?: Item) => void): Promise<unknown>;
  hold(on: boolean): void;
  stop(): Promise<void>;
}

/** Completed jobs that wait for a consumer before the hand-out is held, and until it goes on. */
const HIGH_WATER = 1024;
const LOW_WATER = 256;

/** @returns an iterator over the jobs of a run that begins at the first `next()` */
export function iterate<Item>(iteration: Iteration<Item>): AsyncIterableIterator<Item> {
  return new RunIterator(iteration);
}

/** Somebody who waits in `next()`. */
interface Waiting<Item> {
  resolve(result: IteratorResult<Item, undefined>): void;
  reject(error: unknown): void;
}

const DONE = { done: true, value: undefined } as const;

/**
 * No async generator, since those queue `return()` behind a `next()` that waits: who races `next()` against a timer
 * could not leave.
 *
 * States: `new` → `running` (from the first `next()`) → `ended` (the run is over, what is ready can still be had)
 * → `left` (done, for ever). `return()` leads to `left` from each.
 */
class RunIterator<Item> implements AsyncIterableIterator<Item> {
  private state: 'new' | 'running' | 'ended' | 'left' = 'new';
  private ready: Item[] = [];
  /** How many of `ready` the consumer has had. */
  private at = 0;
  /** In order: what waits for an earlier job; undefined for one that gives nothing. */
  private early = new Map<number, Item | undefined>();
  private nextIndex = 0;
  private held = false;
  private waiting: Waiting<Item>[] = [];
  private failure: { readonly error: unknown } | undefined;

  constructor(private readonly iteration: Iteration<Item>) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.state === 'new') this.begin();
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.serve();
    });
  }

  /** Leaves: whoever waits in `next()` is told at once; resolves when the run has stopped. */
  async return(): Promise<IteratorResult<Item, undefined>> {
    const { state } = this;
    this.state = 'left';
    this.ready = [];
    this.early.clear();
    this.serve();
    if (state === 'running') {
      this.iteration.hold(false);
      await this.iteration.stop();
    }
    return DONE;
  }

  private begin(): void {
    this.state = 'running';
    const end = (failure?: { readonly error: unknown }): void => {
      if (this.state === 'left') return;
      this.state = 'ended';
      this.failure = failure;
      // What an early end left out of order has no earlier ones to wait for any more.
      for (const index of [...this.early.keys()].sort((a, b) => a - b)) this.release(index);
      this.serve();
    };
    this.iteration
      .run((index, job) => this.take(index, job))
      .then(
        () => end(),
        (error: unknown) => end({ error }),
      );
  }

  private take(index: number, job: Item | undefined): void {
    if (this.state === 'left') return;
    if (this.iteration.ordered) {
      this.early.set(index, job);
      for (; this.early.has(this.nextIndex); this.nextIndex += 1) this.release(this.nextIndex);
    } else if (job !== undefined) this.ready.push(job);
    this.serve();
    if (this.held || this.ready.length - this.at < HIGH_WATER) return;
    this.held = true;
    this.iteration.hold(true);
  }

  private release(index: number): void {
    const item = this.early.get(index);
    this.early.delete(index);
    if (item !== undefined) this.ready.push(item);
  }

  /** Gives those who wait what there is. */
  private serve(): void {
    while (this.waiting.length > 0) {
      if (this.at < this.ready.length) this.waiting.shift()?.resolve({ done: false, value: this.draw() });
      else if (this.state === 'running') return;
      else this.conclude(this.waiting.shift());
    }
  }

  private draw(): Item {
    const item = this.ready[this.at++] as Item;
    // A consumer that never catches up must not keep all that it had.
    if (this.at >= HIGH_WATER || this.at === this.ready.length) {
      this.ready = this.ready.slice(this.at);
      this.at = 0;
    }
    if (this.held && this.ready.length - this.at <= LOW_WATER) {
      this.held = false;
      this.iteration.hold(false);
    }
    return item;
  }

  /** The end of the loop throws where `start()` would reject: once. */
  private conclude(waiting: Waiting<Item> | undefined): void {
    this.state = 'left';
    const { failure } = this;
    this.failure = undefined;
    if (failure === undefined) waiting?.resolve(DONE);
    else waiting?.reject(failure.error);
  }
}
