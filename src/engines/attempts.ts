import { errorFromWire } from '../error-wire.js';
import type { Attempt } from '../manager/endings.js';
import type { RetryPolicy } from '../manager/retry.js';
import type { CompletedJob } from '../manager/tally.js';
import { indexAt } from '../protocol.js';
import type { Chunk } from './chunk.js';
import { mine } from './chunk.js';
import type { FailureKind, Outcome } from './outcome.js';

/** The attempts that a chunk's jobs had on a machine, from the columns of its report. */
export interface Attempts {
  readonly completed: CompletedJob[];
  readonly failed: { readonly attempt: Attempt; readonly kind: FailureKind; readonly error: Error }[];
  /** Positions that are to run again, uncharged. */
  readonly again: number[];
  /** Jobs of `again` that did run, but whose results did not fit into the report. */
  unfit: number;
  /** Milliseconds, added up over the jobs that have an ending. */
  totalMs: number;
}

/** @param retries knows which attempt each was; nothing is charged here */
export function attemptsOf(chunk: Chunk, outcome: Outcome, retries: RetryPolicy): Attempts {
  const attempts: Attempts = { completed: [], failed: [], again: [], unfit: 0, totalMs: 0 };
  const { machine } = outcome;
  const failed = new Map((outcome.failed ?? []).map(([at, kind, error]) => [at, { kind, error }] as const));
  const again = new Set(outcome.again);
  const absent = new Set(outcome.absent);
  for (const at of mine(chunk)) {
    const id = outcome.ids[at] ?? 0;
    if (again.has(at)) {
      attempts.again.push(at);
      if (id !== 0) attempts.unfit += 1;
      continue;
    }
    const index = indexAt(chunk.parcel, at);
    const job = chunk.parcel.jobs[at];
    const startedAt = outcome.startedAt + (outcome.starts[at] ?? 0);
    const duration = outcome.durations[at] ?? 0;
    const attempt = { index, job, id, machine, attempt: retries.attempt(index), startedAt, duration };
    attempts.totalMs += duration;
    const failure = failed.get(at);
    if (failure === undefined) {
      const result = absent.has(at) ? undefined : outcome.values[at];
      attempts.completed.push({ ...attempt, result, done: 0, total: undefined });
    } else {
      attempts.failed.push({ attempt, kind: failure.kind, error: errorFromWire(failure.error) });
    }
  }
  return attempts;
}
