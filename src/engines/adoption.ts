import { indexAt } from '../protocol.js';
import type { Leftover } from './backend.js';
import type { Chunk } from './chunk.js';
import { readEnvelope } from './envelope.js';
import { MAX_INDEX } from './limits.js';

/**
 * Chunks that an earlier manager of the same journal left in the queue, some of them finished by now: their work is not
 * done twice. While the list is pulled, each job that is in one of them is matched by index *and* value; a chunk is taken over
 * when each of its jobs was met (or is recorded). One that does not match the list is dropped, and its jobs run as if it
 * had never been.
 */

interface Candidate {
  readonly id: string;
  readonly indices: readonly number[];
  /** As JSON, to be compared. */
  readonly texts: readonly (string | undefined)[];
  readonly jobs: unknown[];
  readonly foreign: Set<number>;
  unmet: number;
}

/** What came of looking at one job. */
export interface Claim {
  /** The job is in this chunk and needs no other. */
  readonly claimed: boolean;
  /** The chunk is complete and can be taken over. */
  readonly adopted?: Chunk;
  /** The chunk is of another list: drop it, and run what was claimed of it. */
  readonly dropped?: Dropped;
}

/** A chunk that is not taken over. */
export interface Dropped {
  readonly id: string;
  readonly jobs: readonly { readonly index: number; readonly job: unknown }[];
}

const NOTHING: Claim = { claimed: false };

export class Adoption {
  private readonly byIndex = new Map<number, { readonly candidate: Candidate; readonly position: number }>();
  private readonly unusable: Dropped[] = [];

  /** @param leftovers in any order; @param secret theirs must be signed with */
  constructor(leftovers: readonly Leftover[], secret: string | undefined) {
    for (const leftover of leftovers) this.add(leftover, secret);
  }

  /** Ids that nobody can use: damaged, or in conflict with one another. */
  takeUnusable(): readonly Dropped[] {
    return this.unusable.splice(0);
  }

  /** Whether anything is left to match. */
  get isEmpty(): boolean {
    return this.byIndex.size === 0;
  }

  /** A job of the list that has to run. */
  claim(index: number, json: string | undefined, job: unknown): Claim {
    const found = this.byIndex.get(index);
    if (found === undefined) return NOTHING;
    const { candidate, position } = found;
    if (candidate.texts[position] !== json) return { claimed: false, dropped: this.drop(candidate) };
    this.byIndex.delete(index);
    candidate.jobs[position] = job;
    return { claimed: true, ...this.met(candidate) };
  }

  /** A job of the list that the journal holds. */
  recorded(index: number): Claim {
    const found = this.byIndex.get(index);
    if (found === undefined) return NOTHING;
    this.byIndex.delete(index);
    found.candidate.foreign.add(found.position);
    return { claimed: false, ...this.met(found.candidate) };
  }

  /** The list has ended: what is still unmatched is of another list. */
  end(): readonly Dropped[] {
    const candidates = new Set([...this.byIndex.values()].map(({ candidate }) => candidate));
    return [...candidates].map((candidate) => this.drop(candidate));
  }

  private add({ id, data }: Leftover, secret: string | undefined): void {
    try {
      const { jobs: chunk } = readEnvelope(data, id, secret);
      const indices = chunk.jobs.map((_, at) => indexAt(chunk, at));
      if (indices.some((index) => this.byIndex.has(index)))
        throw new Error('its jobs are in another chunk as well');
      const candidate: Candidate = {
        id,
        indices,
        texts: chunk.jobs.map((job) => (job === undefined ? undefined : JSON.stringify(job))),
        jobs: [],
        foreign: new Set(),
        unmet: indices.length,
      };
      indices.forEach((index, position) => {
        this.byIndex.set(index, { candidate, position });
      });
    } catch {
      // Whatever is wrong with it: its jobs are in the list, and run from there.
      this.unusable.push({ id, jobs: [] });
    }
  }

  private met(candidate: Candidate): { adopted?: Chunk; dropped?: Dropped } {
    candidate.unmet -= 1;
    if (candidate.unmet > 0) return {};
    if (candidate.foreign.size === candidate.indices.length) return { dropped: this.drop(candidate) };
    const { id, indices, jobs, foreign } = candidate;
    const first = indices[0] ?? MAX_INDEX;
    return { adopted: { id, parcel: { first, jobs, indices }, foreign, takenAt: 0, told: 0 } };
  }

  private drop(candidate: Candidate): Dropped {
    for (const index of candidate.indices) this.byIndex.delete(index);
    const jobs = candidate.indices.flatMap((index, position) =>
      position in candidate.jobs ? [{ index, job: candidate.jobs[position] }] : [],
    );
    return { id: candidate.id, jobs };
  }
}
