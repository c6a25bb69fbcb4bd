import { LIMITS } from './limits.js';

/** What happened in a bucket of time. */
export interface Bucket {
  completed: number;
  failed: number;
  /** Milliseconds of jobs. */
  busy: number;
  /** Epoch milliseconds: the first and the last moment of it that a job or an event is known of. */
  from: number;
  to: number;
}

/** Of one worker. */
export interface Cell {
  jobs: number;
  failed: number;
  busy: number;
}

/**
 * Time cut into buckets of one width, a power of two of milliseconds. Only those in which something happened exist, so
 * that the days between two runs of a journal take no room; when there are too many, each two become one, so that
 * neither how long the run took nor when it began needs to be known beforehand.
 */
export class Buckets {
  #width = 1;
  #all = new Map<number, Bucket>();
  readonly #lanes: Map<number, Cell>[] = [];
  /** In all lanes. */
  #cells = 0;

  /** Milliseconds. */
  get width(): number {
    return this.#width;
  }

  /** Buckets by number, in ascending order; a bucket begins at its number times the width. */
  get all(): [number: number, bucket: Bucket][] {
    return [...this.#all].sort(([a], [b]) => a - b);
  }

  /** The same of one worker. */
  lane(lane: number): [number: number, cell: Cell][] {
    return [...(this.#lanes[lane] ?? [])].sort(([a], [b]) => a - b);
  }

  /** Something that takes no time. @param at epoch milliseconds */
  event(at: number): void {
    this.#bucket(Math.floor(at / this.#width), at, at);
    this.#widen();
  }

  /**
   * A job.
   *
   * @param lane undefined for a worker that has no lane
   * @param start epoch milliseconds
   * @param duration milliseconds
   */
  job(lane: number | undefined, start: number, duration: number, failed: boolean): void {
    // First of all, so that no job is spread over more buckets than there may be.
    while (duration / this.#width > LIMITS.buckets) this.#double();
    const end = start + duration;
    const last = Math.floor(end / this.#width);
    for (let number = Math.floor(start / this.#width); number <= last; number += 1) {
      const from = Math.max(start, number * this.#width);
      const to = Math.min(end, (number + 1) * this.#width);
      const bucket = this.#bucket(number, from, to);
      bucket.busy += to - from;
      if (number === last) bucket[failed ? 'failed' : 'completed'] += 1;
      if (lane !== undefined) this.#fill(lane, number, to - from, number === last, failed);
    }
    this.#widen();
  }

  #bucket(number: number, from: number, to: number): Bucket {
    const bucket = this.#all.get(number);
    if (bucket === undefined) {
      const made = { completed: 0, failed: 0, busy: 0, from, to };
      this.#all.set(number, made);
      return made;
    }
    if (from < bucket.from) bucket.from = from;
    if (to > bucket.to) bucket.to = to;
    return bucket;
  }

  #fill(lane: number, number: number, busy: number, ends: boolean, failed: boolean): void {
    this.#lanes[lane] ??= new Map();
    const cells = this.#lanes[lane];
    let cell = cells.get(number);
    if (cell === undefined) {
      cell = { jobs: 0, failed: 0, busy: 0 };
      cells.set(number, cell);
      this.#cells += 1;
    }
    cell.busy += busy;
    if (!ends) return;
    cell.jobs += 1;
    if (failed) cell.failed += 1;
  }

  #widen(): void {
    while (this.#all.size > LIMITS.buckets || this.#cells > 2 * LIMITS.cells) this.#double();
  }

  #double(): void {
    this.#width *= 2;
    this.#all = halved(this.#all, (into, from) => {
      into.completed += from.completed;
      into.failed += from.failed;
      into.busy += from.busy;
      into.from = Math.min(into.from, from.from);
      into.to = Math.max(into.to, from.to);
    });
    this.#cells = 0;
    for (const [lane, cells] of this.#lanes.entries()) {
      const half = halved(cells ?? [], addCell);
      this.#lanes[lane] = half;
      this.#cells += half.size;
    }
  }
}

/** Each two neighbours as one. */
export function halved<Each>(
  buckets: Iterable<[number, Each]>,
  add: (into: Each, from: Each) => void,
): Map<number, Each> {
  const half = new Map<number, Each>();
  for (const [number, each] of buckets) {
    const number2 = Math.floor(number / 2);
    const into = half.get(number2);
    if (into === undefined) half.set(number2, each);
    else add(into, each);
  }
  return half;
}

/** Adds what is in one cell to another. */
export function addCell(into: Cell, from: Cell): void {
  into.jobs += from.jobs;
  into.failed += from.failed;
  into.busy += from.busy;
}
