import { MAX_JOBS, MAX_OUTSTANDING } from './limits.js';

/**
 * How many jobs a chunk gets, and how many chunks may be on their way.
 *
 * A chunk costs a round trip through the server whatever is in it, and is what a dead machine has to do again: so it aims
 * at half a second of one worker's time. What was measured grows it carefully, since one lucky job proves little. Where
 * results did not fit into a report it gets no more jobs than did. Pure: what it knows it was told.
 */

/** Milliseconds of work that a chunk aims at. */
const TARGET_MS = 500;
/** A chunk is at most so many times the largest that came back. */
const GROWTH = 8;
/** So many times as many jobs are tried after a chunk whose results have fitted. */
const CARE = 1.05;
/** Chunks on the way for each worker of the fleet: one runs, one waits, and some for the way there. */
const AHEAD = 3;
/** Chunks on the way while nothing is known of the fleet. */
const FIRST = 16;

export class ChunkSizer {
  private jobMs: number | undefined;
  private largest = 0;
  /** Jobs whose results fit into one report, as far as is known. */
  private fit = MAX_JOBS;
  private readonly workers = new Set<string>();
  private slots = 0;
  /** Chunks that the server has room for, as far as is known. */
  private room = MAX_OUTSTANDING;

  /** @param fixed jobs per chunk, or let it adapt */
  constructor(private readonly fixed: number | 'auto') {}

  /**
   * @param count jobs of a chunk that came back; @param totalMs what they took, added up
   * @param unfit others of it, whose results did not fit into the report
   */
  observe(count: number, totalMs: number, unfit: number): void {
    if (count === 0) return;
    // Carefully: what does not fit runs again.
    if (unfit > 0) this.fit = count;
    else if (count >= this.fit) this.fit = Math.min(MAX_JOBS, Math.ceil(this.fit * CARE));
    if (this.room < MAX_OUTSTANDING) this.room += 1;
    const sample = totalMs / count;
    const known = this.jobMs;
    if (known === undefined) this.jobMs = sample;
    else this.jobMs = sample > known ? 0.3 * known + 0.7 * sample : 0.7 * known + 0.3 * sample;
    if (count > this.largest) this.largest = count;
  }

  /** A worker, by machine and number, that ran something. */
  saw(worker: string): void {
    if (this.workers.size < MAX_OUTSTANDING) this.workers.add(worker);
  }

  /** How many workers the machines that are connected say they have; 0 for unknown. */
  fleet(slots: number): void {
    this.slots = slots;
  }

  /** The server is full with so many chunks: half of them, and from there one more for each that comes back. */
  full(chunks: number): void {
    this.room = Math.max(1, Math.floor(chunks / 2));
  }

  /** Workers there are, as far as is known. */
  get known(): number {
    return Math.max(1, this.slots === 0 ? this.workers.size : this.slots);
  }

  /** Chunks that may be on their way now. */
  get outstanding(): number {
    if (this.slots === 0 && this.workers.size === 0) return Math.min(this.room, FIRST);
    return Math.min(this.room, Math.max(FIRST, this.known * AHEAD));
  }

  /** @param remaining jobs left to hand out, `Infinity` while nobody knows */
  size(remaining: number): number {
    if (this.fixed !== 'auto') return Math.min(this.fixed, this.fit);
    if (this.jobMs === undefined) return 1;
    const byTime = this.jobMs > 0 ? Math.floor(TARGET_MS / this.jobMs) : MAX_JOBS;
    const fair = Math.ceil(remaining / (2 * this.known));
    return Math.max(1, Math.min(byTime, this.largest * GROWTH, fair, this.fit));
  }
}
