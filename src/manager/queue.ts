import type { Parcel } from './batch.js';
import { sliceParcel } from './batch.js';
import type { Source } from './source.js';

/**
 * What runs next, in this order: suspects (each alone), retries that are due, jobs that were given back, the list.
 *
 * A job is in exactly one place: the source, here, in a worker, or settled. Pure: time comes in as an argument.
 */

/** One job that runs apart from the others. */
export interface Entry {
  readonly index: number;
  readonly job: unknown;
}

/** A job whose worker died or hung while it may have been running. */
export interface Suspect extends Entry {
  /** Only a worker that has run nothing else can tell whether it is the culprit. */
  readonly needsFreshWorker: boolean;
}

/** Called for each job of the list before it is handed out; false keeps it from being handed out. */
export type Admit = (index: number, job: unknown) => boolean;

interface Delayed extends Entry {
  readonly due: number;
  readonly order: number;
}

export class Queue {
  private readonly suspects: Suspect[] = [];
  private readonly delayed = new Heap();
  private backlog: Parcel[] = [];
  private returned = 0;
  private order = 0;

  /**
   * @param source the list
   * @param admit who may keep a job from running: a journal that holds its result already
   */
  constructor(
    private readonly source: Source,
    private readonly admit?: Admit,
  ) {}

  /** Whether nothing is left and nothing will come, apart from what workers hold. */
  get drained(): boolean {
    return (
      this.source.exhausted && this.returned === 0 && this.suspects.length === 0 && this.delayed.size === 0
    );
  }

  /** Jobs that could run now, as far as is known. */
  known(now: number): number {
    return this.source.known + this.returned + this.suspects.length + this.delayed.dueBy(now);
  }

  /** Jobs left to hand out; `Infinity` while the list is open. */
  get remaining(): number {
    const total = this.source.total;
    const listed = total === undefined ? Number.POSITIVE_INFINITY : total - this.source.taken;
    return listed + this.returned + this.delayed.size;
  }

  /** The first suspect, if there is one. */
  get suspect(): Suspect | undefined {
    return this.suspects[0];
  }

  /** When the next delayed retry is due, in the clock of `now`. */
  get nextDue(): number | undefined {
    return this.delayed.first?.due;
  }

  takeSuspect(): Suspect | undefined {
    return this.suspects.shift();
  }

  /**
   * Up to `count` jobs that can run now.
   * @param count at most so many
   * @param now the clock
   * @param limit no job of the list with this index or a higher one (for ordered hand-out)
   */
  take(count: number, now: number, limit = Number.POSITIVE_INFINITY): Parcel | undefined {
    if (this.delayed.dueBy(now) > 0) return this.takeDue(count, now);
    if (this.returned > 0) return this.takeReturned(count);
    const room = Math.min(count, limit - this.source.taken);
    if (room <= 0) return undefined;
    const chunk = this.source.take(room);
    if (chunk === undefined || this.admit === undefined) return chunk;
    return this.filter(chunk.first, chunk.jobs, this.admit, room);
  }

  addSuspect(suspect: Suspect): void {
    this.suspects.push(suspect);
  }

  /** A job to be run again at `due`. */
  addRetry(entry: Entry, due: number): void {
    this.delayed.push({ ...entry, due, order: this.order++ });
  }

  /** Jobs that a worker did not begin, or that died with a neighbour. */
  giveBack(parcel: Parcel): void {
    if (parcel.jobs.length === 0) return;
    this.returned += parcel.jobs.length;
    let at = this.backlog.length;
    while (at > 0 && (this.backlog[at - 1]?.first ?? 0) > parcel.first) at -= 1;
    this.backlog.splice(at, 0, parcel);
  }

  /** Drops everything: the run ends early. */
  clear(): void {
    this.suspects.length = 0;
    this.delayed.clear();
    this.backlog = [];
    this.returned = 0;
  }

  private takeDue(count: number, now: number): Parcel {
    const indices: number[] = [];
    const jobs: unknown[] = [];
    for (let next = this.delayed.first; next !== undefined && next.due <= now; next = this.delayed.first) {
      if (jobs.length >= count) break;
      this.delayed.pop();
      indices.push(next.index);
      jobs.push(next.job);
    }
    return { first: indices[0] ?? 0, jobs, indices };
  }

  private takeReturned(count: number): Parcel | undefined {
    const parcel = this.backlog.shift();
    if (parcel === undefined) return undefined;
    if (parcel.jobs.length <= count) {
      this.returned -= parcel.jobs.length;
      return parcel;
    }
    this.backlog.unshift(sliceParcel(parcel, count, parcel.jobs.length));
    this.returned -= count;
    return sliceParcel(parcel, 0, count);
  }

  private filter(first: number, jobs: readonly unknown[], admit: Admit, room: number): Parcel | undefined {
    const admitted: unknown[] = [];
    const indices: number[] = [];
    for (let chunk: { first: number; jobs: readonly unknown[] } | undefined = { first, jobs }; chunk; ) {
      for (let at = 0; at < chunk.jobs.length; at += 1) {
        if (!admit(chunk.first + at, chunk.jobs[at])) continue;
        indices.push(chunk.first + at);
        admitted.push(chunk.jobs[at]);
      }
      // A list that was done before would make a worker wait for its turn a thousand jobs at a time.
      chunk = admitted.length === 0 ? this.source.take(room) : undefined;
    }
    if (admitted.length === 0) return undefined;
    return { first: indices[0] ?? first, jobs: admitted, indices };
  }
}

/** A binary heap of delayed jobs, soonest first, equal ones in the order they came. */
class Heap {
  private readonly entries: Delayed[] = [];

  get size(): number {
    return this.entries.length;
  }

  get first(): Delayed | undefined {
    return this.entries[0];
  }

  /** 0 if none is due, else at least 1: all there are, since counting the due ones would be a walk. */
  dueBy(now: number): number {
    const first = this.entries[0];
    return first !== undefined && first.due <= now ? this.entries.length : 0;
  }

  clear(): void {
    this.entries.length = 0;
  }

  push(entry: Delayed): void {
    const { entries } = this;
    let at = entries.length;
    while (at > 0) {
      const parent = entries[(at - 1) >> 1];
      if (parent === undefined || !before(entry, parent)) break;
      entries[at] = parent;
      at = (at - 1) >> 1;
    }
    entries[at] = entry;
  }

  pop(): Delayed | undefined {
    const { entries } = this;
    const top = entries[0];
    const last = entries.pop();
    if (last === undefined || entries.length === 0) return top;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const a = entries[left];
      const b = entries[left + 1];
      const smaller = b !== undefined && a !== undefined && before(b, a) ? left + 1 : left;
      const child = smaller === left ? a : b;
      if (child === undefined || !before(child, last)) break;
      entries[at] = child;
      at = smaller;
    }
    entries[at] = last;
    return top;
  }
}

function before(a: Delayed, b: Delayed): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}
