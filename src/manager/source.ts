import { apply } from '../apply.js';
import { describe } from '../describe.js';
import { SpecError } from '../errors.js';
import type { Parcel } from './batch.js';

/**
 * Whatever `manager()` returned, as one pull-based list of jobs.
 *
 * An array is used as it is, never copied. A synchronous iterable is pulled when a worker has room. An asynchronous
 * one is read ahead up to a high-water mark that the scheduler sets to what the workers can hold, since asking only
 * when a worker is idle would make every worker wait for the list.
 *
 * Open until the list has ended, has thrown or was closed early: from then on it is never touched again.
 */

/** What a source tells its owner. */
export interface SourceEvents {
  /** Jobs have come, or the list has ended, since the last `take` found none. */
  available(): void;
  /** The list threw. Nothing more comes from it. */
  failed(error: unknown): void;
}

/** The list of jobs as the scheduler sees it. */
export interface Source {
  /** How many jobs there are in all, undefined while nobody can know. */
  readonly total: number | undefined;
  /** How many jobs were taken so far: the next one has this index. Of a list that was ended early, with those that were read ahead. */
  readonly taken: number;
  /** Whether nothing will come any more. */
  readonly exhausted: boolean;
  /** How many jobs are left as far as is known: exact for arrays, what is buffered for open lists. */
  readonly known: number;
  /** Up to `count` consecutive jobs that are there now, so without `indices`; undefined where there are none. */
  take(count: number): Parcel | undefined;
  /** How many jobs to read ahead from an asynchronous list. */
  readAhead(count: number): void;
  /** Ends the list early: `return()` is called once where there is one. */
  close(): void;
  /** Resolves when that has cleaned up, where it takes a while and may be for ever. */
  readonly closing?: Promise<void> | undefined;
}

/**
 * @param list what `manager()` resolved to
 * @param events who is told of arrivals and failures
 * @param peek how many jobs of a lazy list to look at before anything runs, so that no worker is forked in vain
 * @throws SpecError when it is no list
 */
export function createSource(list: unknown, events: SourceEvents, peek: number): Source {
  if (Array.isArray(list)) return new ArraySource(list, events);
  if (typeof list === 'object' && list !== null) {
    const asynchronous = (list as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator];
    if (typeof asynchronous === 'function')
      return new AsyncSource(list as AsyncIterable<unknown>, events, peek);
    const synchronous = (list as Partial<Iterable<unknown>>)[Symbol.iterator];
    if (typeof synchronous === 'function') return new IterableSource(list as Iterable<unknown>, events, peek);
  }
  throw new SpecError(
    `Expected manager() to return a list of jobs (an array, an iterable or an async iterable), got ${describe(list)}. ` +
      'Return an array, a Set, a generator, an async generator or a Readable in object mode.',
  );
}

class ArraySource implements Source {
  taken = 0;
  private isOpen = true;
  private readonly size: number;

  constructor(
    private readonly list: readonly unknown[],
    private readonly events: SourceEvents,
  ) {
    this.size = list.length;
  }

  /** Of an array that gets shorter meanwhile, what is left of it; one that gets longer was listed before. */
  get total(): number {
    return this.isOpen ? Math.max(this.taken, Math.min(this.size, this.list.length)) : this.taken;
  }

  get exhausted(): boolean {
    return this.known === 0;
  }

  get known(): number {
    return this.total - this.taken;
  }

  take(count: number): Parcel | undefined {
    if (this.exhausted) return undefined;
    const first = this.taken;
    try {
      const slice = this.list.slice(first, Math.min(first + count, this.total));
      // A hole is a job that is undefined, as iteration has it.
      const jobs = slice.includes(undefined) ? Array.from(slice) : slice;
      this.taken += jobs.length;
      return { first, jobs };
    } catch (error) {
      // A getter, or a Proxy's trap.
      this.isOpen = false;
      this.events.failed(error);
      return undefined;
    }
  }

  readAhead(): void {}

  close(): void {
    this.isOpen = false;
  }
}

class IterableSource implements Source {
  taken = 0;
  private readonly iterator: Iterator<unknown>;
  private isOpen = true;
  private pulling = false;
  private readonly buffer: unknown[] = [];
  private readonly size: number | undefined;

  constructor(
    list: Iterable<unknown>,
    private readonly events: SourceEvents,
    peek: number,
  ) {
    this.size = sizeOf(list);
    this.iterator = list[Symbol.iterator]();
    this.pull(peek);
  }

  /** Of a Set or a Map that has grown meanwhile, what was seen of it: its end is known when it is there. */
  get total(): number | undefined {
    const seen = this.taken + this.buffer.length;
    if (!this.isOpen) return seen;
    return this.size === undefined ? undefined : Math.max(this.size, seen);
  }

  get exhausted(): boolean {
    return !this.isOpen && this.buffer.length === 0;
  }

  get known(): number {
    return this.buffer.length;
  }

  take(count: number): Parcel | undefined {
    // Asks for one more than was wanted, so that the end is known as soon as the last job is taken.
    this.pull(count + 1);
    if (this.buffer.length === 0) return undefined;
    const first = this.taken;
    const jobs = this.buffer.splice(0, count);
    this.taken += jobs.length;
    return { first, jobs };
  }

  readAhead(): void {}

  close(): void {
    this.taken += this.buffer.length;
    this.buffer.length = 0;
    if (!this.isOpen) return;
    this.isOpen = false;
    // A generator that stops its own run can't be returned before it has yielded.
    if (!this.pulling) this.returnIterator();
  }

  private pull(level: number): void {
    this.pulling = true;
    try {
      while (this.isOpen && this.buffer.length < level) this.pullOne();
    } catch (error) {
      this.isOpen = false;
      this.events.failed(error);
    }
    this.pulling = false;
  }

  private pullOne(): void {
    const next = checked(this.iterator.next());
    if (!this.isOpen) {
      if (!next.done) this.returnIterator();
    } else if (next.done) this.isOpen = false;
    else this.buffer.push(next.value);
  }

  private returnIterator(): void {
    try {
      this.iterator.return?.();
    } catch (error) {
      this.events.failed(error);
    }
  }
}

/** A Set's or a Map's size is its number of jobs, unless a class of its own gives out others; anybody else's `size` may mean anything. */
function sizeOf(list: Iterable<unknown>): number | undefined {
  const kind = [Set, Map].find(({ prototype }) => list[Symbol.iterator] === prototype[Symbol.iterator]);
  return kind && (Reflect.get(kind.prototype, 'size', list) as number);
}

class AsyncSource implements Source {
  taken = 0;
  closing: Promise<void> | undefined;
  private readonly iterator: AsyncIterator<unknown>;
  private isOpen = true;
  private buffer: unknown[] = [];
  private head = 0;
  private wake: (() => void) | undefined;

  constructor(
    private readonly list: AsyncIterable<unknown>,
    private readonly events: SourceEvents,
    private level: number,
  ) {
    this.iterator = list[Symbol.asyncIterator]();
    void this.pump();
  }

  get total(): number | undefined {
    return this.isOpen ? undefined : this.taken + this.known;
  }

  get exhausted(): boolean {
    return !this.isOpen && this.known === 0;
  }

  get known(): number {
    return this.buffer.length - this.head;
  }

  take(count: number): Parcel | undefined {
    if (this.known === 0) return undefined;
    const first = this.taken;
    const jobs = this.buffer.slice(this.head, this.head + count);
    this.head += jobs.length;
    this.taken += jobs.length;
    if (this.head === this.buffer.length) {
      this.buffer = [];
      this.head = 0;
    } else if (this.head > 4096) {
      this.buffer = this.buffer.slice(this.head);
      this.head = 0;
    }
    this.wakeUp();
    return { first, jobs };
  }

  readAhead(count: number): void {
    this.level = count;
    this.wakeUp();
  }

  close(): void {
    this.taken += this.known;
    this.buffer = [];
    this.head = 0;
    if (!this.isOpen) return;
    this.isOpen = false;
    this.wakeUp();
    this.closing = this.returnIterator();
  }

  private async returnIterator(): Promise<void> {
    try {
      // A stream that waits for data would not return before some came.
      const { destroy } = this.list as { destroy?: unknown };
      if (typeof destroy === 'function') apply(destroy, this.list, []);
      await this.iterator.return?.();
    } catch (error) {
      this.events.failed(error);
    }
  }

  private wakeUp(): void {
    if (this.wake === undefined || (this.isOpen && this.known >= this.level)) return;
    const wake = this.wake;
    this.wake = undefined;
    wake();
  }

  private async pump(): Promise<void> {
    try {
      while (this.isOpen) {
        if (this.known >= this.level) {
          await new Promise<void>((resolve) => {
            this.wake = resolve;
          });
          continue;
        }
        const next = checked(await this.iterator.next());
        if (!this.isOpen) return;
        if (next.done) this.isOpen = false;
        else this.buffer.push(next.value);
        this.events.available();
      }
    } catch (error) {
      if (!this.isOpen) return;
      this.isOpen = false;
      this.events.failed(error);
    }
  }
}

/** As `for` and `for await` do: of something that is no object `done` is never true, and the list would not end. */
function checked<Next>(next: Next): Next {
  if ((typeof next === 'object' && next !== null) || typeof next === 'function') return next;
  throw new SpecError(
    `Expected next() of the list's iterator to return an object with \`done\` and \`value\`, got ${describe(next)}`,
  );
}
