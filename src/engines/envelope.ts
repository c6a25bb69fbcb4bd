import { amount, bad, list, parsed, strictFields, text, whole } from './checks.js';
import { MAX_BODY, MAX_INDEX, MAX_JOBS, NAME } from './limits.js';
import { isSigned, sign } from './signature.js';

/**
 * A chunk of jobs as it goes through the queue: `{ v, run, chunk, spec, timeout, count, body, mac? }`. The jobs are a JSON
 * text of their own, so that it is read by our rules and signed as it stands. Nothing in it names code.
 */
export interface Envelope {
  readonly v: 1;
  /** Which run. */
  readonly run: string;
  /** The chunk's id, which is that of its BullMQ job. */
  readonly chunk: string;
  /** Hash of the module that the submitting side runs: a machine with another one runs nothing. */
  readonly spec: string;
  /** Milliseconds an attempt may take, 0 for no limit. */
  readonly timeout: number;
  readonly count: number;
  readonly body: string;
  readonly mac?: string;
}

/** The jobs of a chunk. Job `i` has index `indices[i]`, or `first + i` without `indices`. */
export interface ChunkJobs {
  readonly first: number;
  readonly indices?: readonly number[];
  /** Attempt numbers; absent where all are 1. */
  readonly attempts?: readonly number[];
  readonly jobs: readonly unknown[];
}

/** A chunk to be written: each job's JSON text, undefined for a job that is `undefined`. */
export interface ChunkTexts extends Omit<ChunkJobs, 'jobs'> {
  readonly texts: readonly (string | undefined)[];
}

/** What an envelope says besides its jobs. */
export interface ChunkHead {
  readonly run: string;
  readonly chunk: string;
  readonly spec: string;
  readonly timeout: number | undefined;
}

/** @param secret signs it, where there is one */
export function writeEnvelope(head: ChunkHead, chunk: ChunkTexts, secret: string | undefined): Envelope {
  const { first, indices, attempts, texts } = chunk;
  const absent = texts.flatMap((json, at) => (json === undefined ? [at] : []));
  const parts = [
    `"first":${first}`,
    ...(indices === undefined ? [] : [`"indices":${JSON.stringify(indices)}`]),
    ...(attempts === undefined ? [] : [`"attempts":${JSON.stringify(attempts)}`]),
    ...(absent.length === 0 ? [] : [`"absent":${JSON.stringify(absent)}`]),
    `"jobs":[${texts.map((json) => json ?? 'null').join(',')}]`,
  ];
  const unsigned = {
    v: 1 as const,
    run: head.run,
    chunk: head.chunk,
    spec: head.spec,
    timeout: head.timeout ?? 0,
    count: texts.length,
    body: `{${parts.join(',')}}`,
  };
  return secret === undefined ? unsigned : { ...unsigned, mac: sign(secret, signed(unsigned)) };
}

/**
 * Checks an envelope and reads its jobs.
 * @param chunk the id under which it came
 * @throws EngineError (`ERR_ENGINE_ENVELOPE`) for anything that `writeEnvelope` would not have written
 */
export function readEnvelope(
  data: unknown,
  chunk: string,
  secret: string | undefined,
): { readonly envelope: Envelope; readonly jobs: ChunkJobs } {
  const envelope = checkEnvelope(data, chunk);
  if (secret !== undefined && !isSigned(secret, signed(envelope), envelope.mac)) {
    throw bad('the chunk', 'is not signed with our secret');
  }
  return { envelope, jobs: readJobs(envelope) };
}

function checkEnvelope(data: unknown, chunk: string): Envelope {
  const fields = strictFields(
    data,
    'the chunk',
    ['v', 'run', 'chunk', 'spec', 'timeout', 'count', 'body'],
    ['mac'],
  );
  whole(fields.v, 'its version', 1, 1);
  text(fields.run, 'its run', 64, NAME);
  if (fields.chunk !== chunk) throw bad('the chunk', 'came under the id of another');
  text(fields.spec, 'its spec', 64, NAME);
  amount(fields.timeout, 'its timeout');
  whole(fields.count, 'its count', 1, MAX_JOBS);
  text(fields.body, 'its body', MAX_BODY);
  if (fields.mac !== undefined) text(fields.mac, 'its signature', 64);
  return fields as unknown as Envelope;
}

function readJobs({ body, count }: Envelope): ChunkJobs {
  const fields = strictFields(
    parsed(body, 'its body'),
    'its body',
    ['first', 'jobs'],
    ['indices', 'attempts', 'absent'],
  );
  const first = whole(fields.first, 'its first index', 0, MAX_INDEX);
  const jobs = [...list(fields.jobs, 'its list', MAX_JOBS)];
  if (jobs.length !== count) throw bad('its list', `has ${jobs.length} jobs, not ${count}`);
  const indices = numbers(fields.indices, 'its indices', count, 0);
  const attempts = numbers(fields.attempts, 'its attempts', count, 1);
  for (const at of list(fields.absent ?? [], 'its undefined jobs', MAX_JOBS)) {
    jobs[whole(at, 'a position', 0, count - 1)] = undefined;
  }
  return {
    first,
    jobs,
    ...(indices === undefined ? {} : { indices }),
    ...(attempts === undefined ? {} : { attempts }),
  };
}

function numbers(value: unknown, what: string, count: number, least: number): readonly number[] | undefined {
  if (value === undefined) return undefined;
  const all = list(value, what, MAX_JOBS).map((one) => whole(one, what, least, MAX_INDEX));
  if (all.length !== count) throw bad(what, `are ${all.length}, not ${count}`);
  return all;
}

function signed({ run, chunk, spec, timeout, count, body }: Envelope): readonly string[] {
  return ['chunk', run, chunk, spec, String(timeout), String(count), body];
}
