import type { Parcel } from '../manager/batch.js';
import { indexAt } from '../protocol.js';

/** A chunk of jobs on its way, as the submitting side keeps it until it has settled. */
export interface Chunk {
  readonly id: string;
  readonly parcel: Parcel;
  /** Attempt numbers; absent where all are 1. */
  readonly attempts?: readonly number[];
  /** Positions that are somebody else's: an earlier manager had recorded them. */
  readonly foreign?: ReadonlySet<number>;
  /** When the queue had taken it, in the clock's milliseconds; undefined before. */
  takenAt: number | undefined;
  /** Progress that was told: entries with lower numbers are known. */
  told: number;
}

/** Parcels as one, in the order given; without a list of indices where they follow one another. */
export function join(parcels: readonly Parcel[]): Parcel | undefined {
  const [first] = parcels;
  if (first === undefined || parcels.length === 1) return first;
  const jobs = parcels.flatMap((parcel) => parcel.jobs);
  const indices = parcels.flatMap((parcel) => parcel.jobs.map((_, at) => indexAt(parcel, at)));
  const isRow = indices.every((index, at) => index === first.first + at);
  return isRow ? { first: first.first, jobs } : { first: indices[0] ?? first.first, jobs, indices };
}

/** Positions of a chunk that no earlier manager had recorded. */
export function mine({ parcel, foreign }: Chunk): number[] {
  const all = parcel.jobs.map((_, at) => at);
  return foreign === undefined ? all : all.filter((at) => !foreign.has(at));
}
