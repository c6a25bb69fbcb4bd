import type { Parcel } from '../manager/batch.js';
import type { Source } from '../manager/source.js';
import { indexAt } from '../protocol.js';
import type { ChunkJobs } from './envelope.js';

/**
 * A machine's list of jobs: whatever chunks have come, with the indices they have in the run's own list. Open until the
 * machine stops.
 */
export class ChunkSource implements Source {
  readonly total = undefined;
  taken = 0;
  private state: 'open' | 'closed' = 'open';
  private rows: { first: number; jobs: readonly unknown[] }[] = [];
  private count = 0;

  get exhausted(): boolean {
    return this.state === 'closed' && this.count === 0;
  }

  get known(): number {
    return this.count;
  }

  /** Adds a chunk, as rows of jobs that follow one another. */
  push(chunk: ChunkJobs): void {
    let from = 0;
    for (let at = 1; at <= chunk.jobs.length; at += 1) {
      if (at < chunk.jobs.length && indexAt(chunk, at) === indexAt(chunk, at - 1) + 1) continue;
      this.rows.push({ first: indexAt(chunk, from), jobs: chunk.jobs.slice(from, at) });
      from = at;
    }
    this.count += chunk.jobs.length;
  }

  take(count: number): Parcel | undefined {
    const row = this.rows.shift();
    if (row === undefined) return undefined;
    const jobs = row.jobs.slice(0, count);
    if (jobs.length < row.jobs.length) {
      this.rows.unshift({ first: row.first + count, jobs: row.jobs.slice(count) });
    }
    this.taken += jobs.length;
    this.count -= jobs.length;
    return { first: row.first, jobs };
  }

  readAhead(): void {}

  close(): void {
    this.state = 'closed';
    this.rows = [];
    this.count = 0;
  }
}
