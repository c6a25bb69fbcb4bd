import type { Parcel } from './batch.js';
import { sliceParcel } from './batch.js';
import type { Source } from './source.js';

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

/** Jobs kept from running in one go: about as many milliseconds of recalling them as anybody can do without signals. */
const MAX_PASSED = 10_000;

interface Delayed extends Entry {
  readonly due: number;
  readonly order: number;
}

/**
 * What runs next, in this order: suspects (each alone), retries that are due, jobs that were given back, the list.
 *
 * A job is in exactly one place: the source, here, in a worker, or settled. Pure: time comes in as an argument.
 */
export class Queue {
  private readonly suspects: Suspect[] = [];
  private readonly delayed = new Heap();
  private backlog: Parcel[] = [];
  private returned = 0;
  private order = 0;
  private isOutOfBreath = false;

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

  /** Jobs that could run now, as far as is known. Where some are kept from running `lookAhead` finds out. */
  known(now: number): number {
    const listed = this.admit === undefined ? this.source.known : 0;
    return listed + this.returned + this.suspects.length + this.delayed.dueBy(now);
  }

  /** Jobs left to hand out; `Infinity` while the list is open. */
  get remaining(): number {
    return this.listed + this.returned + this.delayed.size;
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
    return this.takeListed(count, limit);
  }

  /** A retry that is due, or else the last job of the list; all that is left of that is taken for it. */
  takeLast(now: number): Parcel | undefined {
    if (this.delayed.dueBy(now) > 0) return this.takeDue(1, now);
    this.giveBack(this.takeListed(this.listed));
    const { backlog } = this;
    const parcel = backlog.pop();
    if (parcel === undefined) return undefined;
    const last = parcel.jobs.length - 1;
    if (last > 0) backlog.push(sliceParcel(parcel, 0, last));
    this.returned -= 1;
    return sliceParcel(parcel, last, last + 1);
  }

  /**
   * Looks for up to `count` jobs that have to run, so that no worker is started for those that don't.
   * @param limit as for `take`
   */
  lookAhead(count: number, limit = Number.POSITIVE_INFINITY): void {
    if (this.admit === undefined || this.returned >= count) return;
    this.giveBack(this.takeAdmitted(this.admit, count - this.returned, limit));
  }

  /** Whether so many jobs were kept from running that the others have to be asked for again. Said once. */
  catchBreath(): boolean {
    const was = this.isOutOfBreath;
    this.isOutOfBreath = false;
    return was;
  }

  addSuspect(suspect: Suspect): void {
    this.suspects.push(suspect);
  }

  /** A job to be run again at `due`. */
  addRetry(entry: Entry, due: number): void {
    this.delayed.push({ ...entry, due, order: this.order++ });
  }

  /** Jobs that a worker did not begin, or that died with a neighbour; none where there are none. */
  giveBack(parcel: Parcel | undefined): void {
    if (!parcel?.jobs.length) return;
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

  /** Jobs of the list that were not taken from it; `Infinity` while it is open. */
  private get listed(): number {
    const { total, taken } = this.source;
    return total === undefined ? Number.POSITIVE_INFINITY : total - taken;
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

  private takeListed(count: number, limit = Number.POSITIVE_INFINITY): Parcel | undefined {
    const room = Math.min(count, limit - this.source.taken);
    if (room <= 0) return undefined;
    if (this.admit === undefined) return this.source.take(room);
    return this.takeAdmitted(this.admit, count, limit);
  }

  /** From the list alone: up to `count` jobs that `admit` lets run, past all the others. */
  private takeAdmitted(admit: Admit, count: number, limit: number): Parcel | undefined {
    const admitted: unknown[] = [];
    const indices: number[] = [];
    let passed = 0;
    while (admitted.length < count && !this.isOutOfBreath) {
      const room = Math.min(count - admitted.length, limit - this.source.taken);
      const parcel: Parcel | undefined = room > 0 ? this.source.take(room) : undefined;
      if (parcel === undefined) break;
      parcel.jobs.forEach((job, at) => {
        if (admit(parcel.first + at, job)) {
          indices.push(parcel.first + at);
          admitted.push(job);
        } else passed += 1;
      });
      // Those that were passed over may have moved the limit, which is the caller's to say.
      this.isOutOfBreath = passed >= MAX_PASSED || (passed > 0 && this.source.taken >= limit);
    }
    const [first] = indices;
    if (first === undefined) return undefined;
    // Where none was passed over in between, the indices need not travel.
    const isRange = indices.at(-1) === first + indices.length - 1;
    return isRange ? { first, jobs: admitted } : { first, jobs: admitted, indices };
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
