import { amount, bad, list, parsed, strictFields, text, whole } from './checks.js';
import { MAX_INDEX, MAX_JOBS, MAX_OUTCOME, MAX_PROGRESS, NAME } from './limits.js';
import { isSigned, sign } from './signature.js';

/**
 * What became of a chunk, as a machine reports it: `{ body, mac? }` with the columns as a JSON text of their own. Every
 * position is in exactly one of `values`, `failed` and `again`.
 */
export interface SealedOutcome {
  readonly body: string;
  readonly mac?: string;
}

/** Why an attempt did not complete. `threw`: or was over its time; `crashed`: its worker process died with it. */
export type FailureKind = 'threw' | 'refused' | 'crashed';

/** The report on a chunk's jobs, by position. */
export interface Outcome {
  readonly machine: string;
  /** Results; null where there is none. */
  readonly values: readonly unknown[];
  /** Positions whose result is undefined. */
  readonly absent?: readonly number[];
  readonly failed?: readonly (readonly [position: number, kind: FailureKind, error: unknown])[];
  /** Positions that were not run, or whose results did not fit: they are to run again, uncharged. */
  readonly again?: readonly number[];
  /** Numbers of the workers. */
  readonly ids: readonly number[];
  /** Epoch milliseconds of the first start, and each start after it. */
  readonly startedAt: number;
  readonly starts: readonly number[];
  /** Milliseconds. */
  readonly durations: readonly number[];
  /** Numbered from 0 within the chunk, so that what came by event before is not told twice. */
  readonly progress?: readonly Progress[];
}

/** Progress of one job, and the number of its worker. */
export type Progress = readonly [number: number, index: number, data: unknown, id: number];

const KINDS: readonly unknown[] = ['threw', 'refused', 'crashed'] satisfies FailureKind[];

/** A report to be written: each result's JSON text, undefined where there is none or it is `undefined`. */
export interface OutcomeTexts extends Omit<Outcome, 'values'> {
  readonly texts: readonly (string | undefined)[];
}

/** The caller sees to it that it is not too large. */
export function writeOutcome(
  outcome: OutcomeTexts,
  chunk: string,
  secret: string | undefined,
): SealedOutcome {
  const { texts, ...rest } = outcome;
  const body = `{"values":[${texts.map((json) => json ?? 'null').join(',')}],${JSON.stringify(rest).slice(1)}`;
  return secret === undefined ? { body } : { body, mac: sign(secret, ['outcome', chunk, body]) };
}

/**
 * @param count how many jobs the chunk has
 * @throws EngineError (`ERR_ENGINE_ENVELOPE`)
 */
export function readOutcome(
  sealed: unknown,
  { chunk, count, secret }: { chunk: string; count: number; secret: string | undefined },
): Outcome {
  const { body, mac } = strictFields(sealed, 'an outcome', ['body'], ['mac']);
  const said = text(body, 'an outcome', MAX_OUTCOME);
  if (secret !== undefined && !isSigned(secret, ['outcome', chunk, said], mac)) {
    throw bad('an outcome', 'is not signed with our secret');
  }
  const fields = strictFields(
    parsed(said, 'an outcome'),
    'an outcome',
    ['machine', 'values', 'ids', 'startedAt', 'starts', 'durations'],
    ['absent', 'failed', 'again', 'progress'],
  );
  text(fields.machine, 'its machine', 64, NAME);
  amount(fields.startedAt, 'its start');
  for (const column of ['values', 'ids', 'starts', 'durations']) {
    const { length } = list(fields[column], `its ${column}`, MAX_JOBS);
    if (length !== count) throw bad(`its ${column}`, `are ${length}, not ${count}`);
  }
  for (const column of ['ids', 'starts', 'durations']) {
    for (const one of fields[column] as readonly unknown[]) amount(one, `one of its ${column}`);
  }
  const outcome = fields as unknown as Outcome;
  checkEndings(outcome, count);
  checkProgress(outcome.progress);
  return outcome;
}

/** Who says that it has sent this; a hint, which nobody has signed. */
export function machineOf(sealed: unknown): string | undefined {
  try {
    const { machine } = JSON.parse((sealed as SealedOutcome).body) as { machine?: unknown };
    return typeof machine === 'string' && NAME.test(machine) ? machine : undefined;
  } catch {
    return undefined;
  }
}

/** The progress that came by event before the outcome; throws as `readOutcome` does. */
export function checkProgress(progress: unknown): readonly Progress[] {
  if (progress === undefined) return [];
  return list(progress, 'its progress', MAX_PROGRESS).map((entry) => {
    const [number, index, data, id] = list(entry, 'progress', 4);
    return [
      whole(number, 'its number', 0, MAX_INDEX),
      whole(index, 'its index', 0, MAX_INDEX),
      data,
      whole(id, 'its worker', 0, MAX_INDEX),
    ] as const;
  });
}

function checkEndings({ absent, failed, again }: Outcome, count: number): void {
  const seen = new Set<number>();
  const once = (position: unknown): void => {
    const at = whole(position, 'a position', 0, count - 1);
    if (seen.has(at)) throw bad('a position', 'has two endings');
    seen.add(at);
  };
  for (const position of list(absent ?? [], 'its undefined results', MAX_JOBS)) once(position);
  for (const position of list(again ?? [], 'its returned jobs', MAX_JOBS)) once(position);
  for (const entry of list(failed ?? [], 'its failures', MAX_JOBS)) {
    const [position, kind] = list(entry, 'a failure', 3);
    once(position);
    if (!KINDS.includes(kind)) throw bad('a failure', 'is of no known kind');
  }
}
