import type { RetryPolicy } from '../manager/retry.js';
import type { Settlement } from '../manager/tally.js';
import { indexAt } from '../protocol.js';
import type { Chunk } from './chunk.js';
import type { FailureKind, Outcome } from './outcome.js';
import { errorFromJson } from './wire-errors.js';

/**
 * A machine's report turned into endings: which jobs have settled, which run again, alone or after a while. Pure but for
 * the attempts it charges.
 */
export interface Endings {
  readonly settlements: Settlement[];
  /** Charged attempts that are run again: after `delay`, or alone where the attempt took its worker along. */
  readonly retries: {
    readonly index: number;
    readonly job: unknown;
    readonly id: number;
    readonly attempt: number;
    readonly delay: number;
    readonly error: Error;
    readonly alone: boolean;
  }[];
  /** Positions that are to run again, uncharged. */
  readonly again: number[];
  /** Milliseconds, added up over `ran` jobs. */
  totalMs: number;
  ran: number;
  /** Jobs of `again` that did run, but whose results did not fit into the report. */
  unfit: number;
}

/** @param policy is charged for each attempt that failed */
export function endingsOf(chunk: Chunk, outcome: Outcome, policy: RetryPolicy): Endings {
  const endings: Endings = { settlements: [], retries: [], again: [], totalMs: 0, ran: 0, unfit: 0 };
  const failed = new Map((outcome.failed ?? []).map(([at, kind, error]) => [at, { kind, error }] as const));
  const again = new Set(outcome.again);
  const absent = new Set(outcome.absent);
  for (let at = 0; at < chunk.parcel.jobs.length; at += 1) {
    if (chunk.foreign?.has(at) === true) continue;
    if (again.has(at)) {
      endings.again.push(at);
      if (outcome.ids[at] !== 0) endings.unfit += 1;
      continue;
    }
    const index = indexAt(chunk.parcel, at);
    const duration = outcome.durations[at] ?? 0;
    endings.totalMs += duration;
    endings.ran += 1;
    const about = {
      index,
      job: chunk.parcel.jobs[at],
      id: outcome.ids[at] ?? 0,
      machine: outcome.machine,
      startedAt: outcome.startedAt + (outcome.starts[at] ?? 0),
      duration,
    };
    const failure = failed.get(at);
    if (failure === undefined) {
      const result = absent.has(at) ? undefined : outcome.values[at];
      endings.settlements.push({
        ...about,
        result,
        attempt: policy.attempt(index),
        done: 0,
        total: undefined,
      });
    } else {
      const { kind } = failure;
      charge(endings, about, { kind, error: errorFromJson(failure.error) }, policy);
    }
  }
  return endings;
}

type About = Pick<Settlement, 'index' | 'job' | 'id' | 'startedAt' | 'duration'>;

function charge(
  endings: Endings,
  about: About,
  { kind, error }: { kind: FailureKind; error: Error },
  policy: RetryPolicy,
): void {
  const { index, job, id } = about;
  const attempt = policy.attempt(index);
  const alone = kind === 'crashed';
  const verdict =
    kind === 'refused'
      ? { again: false as const, error }
      : alone
        ? policy.crashed(index, error)
        : policy.failed(index, error);
  if (verdict.again) endings.retries.push({ index, job, id, attempt, delay: verdict.delay, error, alone });
  else endings.settlements.push({ ...about, attempts: policy.attempt(index), error: verdict.error });
}
