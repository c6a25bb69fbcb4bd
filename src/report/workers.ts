import type { JobLine } from '../journal.js';
import type { Buckets } from './buckets.js';
import type { WorkerTotals } from './data.js';
import { clip, LIMITS } from './limits.js';

/** What a worker came to. */
export interface WorkerCount {
  completed: number;
  failed: number;
  retries: number;
  crashes: number;
  busy: number;
}

interface Known extends WorkerCount {
  /** Its place among those that have a lane. */
  readonly lane: number | undefined;
  readonly id: number;
  readonly machine: string;
}

/** Counts by worker. A worker is its number, on its machine; a later run's worker of that number is the same one. */
export class Workers {
  /** By machine, then by number. */
  readonly #machines = new Map<string, Map<number, Known>>();
  readonly #withLane: Known[] = [];
  #more = 0;

  /** The counts of a worker, to be changed, and its lane: in order of appearance, undefined where there are too many. */
  of({ id, machine = '' }: Pick<JobLine, 'id'> & { readonly machine?: string | undefined }): Known {
    let workers = this.#machines.get(machine);
    if (workers === undefined) {
      workers = new Map();
      this.#machines.set(machine, workers);
    }
    let known = workers.get(id);
    if (known === undefined) {
      // A job that was refused before it had a worker, and a worker that ended before it had a number, have 0.
      const hasLane = id > 0 && this.#withLane.length < LIMITS.lanes;
      const lane = hasLane ? this.#withLane.length : undefined;
      known = { lane, id, machine, completed: 0, failed: 0, retries: 0, crashes: 0, busy: 0 };
      workers.set(id, known);
      if (hasLane) this.#withLane.push(known);
      else if (id > 0) this.#more += 1;
    }
    return known;
  }

  /**
   * The workers that have a lane, by machine and number.
   *
   * @returns `places`: where among them each lane has come
   */
  result(buckets: Buckets): { workers: WorkerTotals[]; places: number[]; more: number } {
    const sorted = [...this.#withLane].sort(
      (a, b) => a.machine.localeCompare(b.machine, 'en', { numeric: true }) || a.id - b.id,
    );
    const places: number[] = [];
    const workers = sorted.map((known, place) => {
      const { lane = 0, machine, id, completed, failed, retries, crashes, busy } = known;
      places[lane] = place;
      const name = machine === '' ? String(id) : `${clip(machine, LIMITS.key)} ${id}`;
      return { name, completed, failed, retries, crashes, busy, covered: covered(buckets, lane) };
    });
    return { workers, places, more: this.#more };
  }
}

/**
 * How long at least one job ran. A worker may run several at once, so a bucket is full at most; where jobs begin is
 * known to the millisecond only, so intervals of short ones could not be added up.
 */
function covered(buckets: Buckets, lane: number): number {
  return buckets.lane(lane).reduce((sum, [, { busy }]) => sum + Math.min(busy, buckets.width), 0);
}
