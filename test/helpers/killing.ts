import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { allGone, project } from './script.js';

/*
 * One run that is killed again and again, at instants drawn from a seed, and started again each time.
 *
 * A third of the kills come from outside after some milliseconds, a third from within the journal: before, midway in or
 * after its n-th call on the file system, so that lines are torn and locks half taken; a third from a worker in the
 * middle of a job.
 */

/** How the list is given, and how its jobs are told apart. */
export interface Kind {
  readonly list: 'an array' | 'a lazy list';
  readonly identity: 'without a key' | 'with a key';
}

/** All there are. */
export const KINDS: readonly Kind[] = [
  { list: 'an array', identity: 'without a key' },
  { list: 'an array', identity: 'with a key' },
  { list: 'a lazy list', identity: 'without a key' },
  { list: 'a lazy list', identity: 'with a key' },
];

/** How often, and from which seed. */
export interface Plan extends Kind {
  readonly kills: number;
  readonly seed: number;
  /** Jobs of the list; so many that some are left at the last kill, or hardly more than none. */
  readonly jobs: number;
}

/** What came of it, for whoever wants to print it. */
export interface Toll {
  readonly lives: number;
  /** Kills that came before the journal held a line, while it had some and lacked some, and when it lacked none. */
  readonly instants: { readonly early: number; readonly midway: number; readonly complete: number };
  /** Lines that were cut off in their middle by a kill. */
  readonly torn: number;
  /** Executions beyond one a job. */
  readonly again: number;
}

const SCRIPT = `
const fs = require('node:fs');
const ThreadFactory = require('threadfactory');
const { isDeepStrictEqual } = require('node:util');
const { KIND, JOBS, LIFE, WORKERS, BATCH, KILL_AT_JOB } = process.env;
const { list, identity } = JSON.parse(KIND);
const keyed = identity === 'with a key';
process.env.MANAGER ??= String(process.pid);
const log = (name, text) => fs.appendFileSync(name + '.log', text + '\\n');

// With a key the list may be in any order: here it is another one in each life.
const jobs = Array.from({ length: Number(JOBS) }, (_, i) => (keyed ? (i * 7 + Number(LIFE)) % Number(JOBS) : i));
const resultOf = (n) => new Map([[n, new Date(n)]]);
let here = 0;
const factory = new ThreadFactory({
  manager: list === 'an array' ? () => jobs : async function* () { yield* jobs; },
  workerProcess: async (n) => {
    log('ran', LIFE + ' ' + n);
    here += 1;
    if (here === Number(KILL_AT_JOB)) process.kill(Number(process.env.MANAGER), 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, n % 4));
    return resultOf(n);
  },
  managerFinish: ({ results }) => results.every((result, i) => isDeepStrictEqual(result, resultOf(jobs[i]))),
}, { journal: 'run.jsonl', key: keyed ? String : undefined, workers: Number(WORKERS), batchSize: Number(BATCH), fsync: 5 });
factory.on('completed', ({ job }) => log('told', String(job)));
factory.start().then(({ total, completed, skipped, failed, value }) =>
  console.log(JSON.stringify({ total, settled: completed + skipped, failed, value })));
`;

/** Kills the manager at the n-th of the journal's calls on the file system. */
const KILLER = `
const fs = require('node:fs');
const { n, share } = JSON.parse(process.env.KILL_AT_CALL);
const isManager = process.env.MANAGER === undefined;
const die = () => process.kill(process.pid, 'SIGKILL');
const files = new Set();
let calls = 0;
for (const name of ['openSync', 'readSync', 'writeSync', 'ftruncateSync', 'fdatasync', 'fdatasyncSync', 'closeSync',
  'mkdirSync', 'writeFileSync', 'readdirSync', 'rmSync', 'rmdirSync']) {
  const real = fs[name];
  fs[name] = (...args) => {
    const mine = isManager && (files.has(args[0]) || String(args[0]).includes('run.jsonl'));
    const last = mine && ++calls === n;
    if (last && share === 0) die();
    if (last && name === 'writeSync') {
      real(args[0], args[1], args[2], Math.floor(args[3] * share));
      die();
    }
    const result = real(...args);
    if (name === 'openSync' && mine) files.add(result);
    if (last) die();
    return result;
  };
}
`;

/** Lives through all kills and a last life to the end, and checks what has to hold after each. */
export async function liveThroughKills({ kills, seed, jobs, ...kind }: Plan): Promise<Toll> {
  const random = randomOf(seed);
  const folder = await project({ 'main.cjs': SCRIPT, 'killer.cjs': KILLER });
  const instants = { early: 0, midway: 0, complete: 0 };
  let torn = 0;
  let killed = 0;
  let life = 0;
  const whole = (below: number): number => Math.floor(random() * below);
  while (killed < kills) {
    const workers = whole(3);
    const batch = 1 + whole(4);
    const kill = killOf(random, workers);
    const before = recordedIn(folder);
    const ended = await oneLife(folder, { kind, jobs, life, workers, batch, kill });
    // One that was to be killed late may have come to its end first.
    if (ended.signal === 'SIGKILL') killed += 1;
    else expect(ended).toMatchObject({ code: 0, stderr: '' });
    const after = recordedIn(folder);
    const ran = ranIn(folder, life);
    const about = `life ${life} of seed ${seed} (${JSON.stringify({ workers, batch, kill })})`;
    expect(
      before.jobs.filter((job) => !after.jobs.includes(job)),
      `lost in ${about}`,
    ).toEqual([]);
    expect(
      ran.filter((job) => before.jobs.includes(job)),
      `run again in ${about}`,
    ).toEqual([]);
    // A worker has at most two batches; one process without workers has them as well.
    const inFlight = 2 * Math.max(1, workers) * batch;
    const unrecorded = ran.filter((job) => !after.jobs.includes(job));
    expect(unrecorded.length, `in flight in ${about}`).toBeLessThanOrEqual(inFlight);
    if (ended.signal === 'SIGKILL') {
      if (after.torn) torn += 1;
      if (after.jobs.length === 0) instants.early += 1;
      else if (after.jobs.length === jobs) instants.complete += 1;
      else instants.midway += 1;
    }
    life += 1;
  }
  const last = await oneLife(folder, { kind, jobs, life, workers: 2, batch: 4, kill: {} });
  expect(last.stderr).toBe('');
  expect(JSON.parse(last.stdout)).toEqual({ total: jobs, settled: jobs, failed: 0, value: true });
  const recorded = recordedIn(folder);
  expect([...recorded.jobs].sort((a, b) => a - b)).toEqual(Array.from({ length: jobs }, (_, job) => job));
  expect([recorded.torn, existsSync(join(folder, 'run.jsonl.lock'))]).toEqual([false, false]);
  const told = linesOf(folder, 'told.log');
  expect(new Set(told).size, 'told more than once').toBe(told.length);
  const executions = linesOf(folder, 'ran.log').length;
  return { lives: life + 1, instants, torn, again: executions - jobs };
}

interface Kill {
  /** Milliseconds after the start. */
  readonly afterMs?: number;
  readonly atCall?: { readonly n: number; readonly share: number };
  readonly atJob?: number;
}

function killOf(random: () => number, workers: number): Kill {
  const which = random();
  if (which < 0.34) return { afterMs: Math.floor(random() * 300) };
  const atCall = { n: 1 + Math.floor(random() * 40), share: [0, random(), 1][Math.floor(random() * 3)] ?? 0 };
  return which < 0.67 || workers === 0 ? { atCall } : { atJob: 1 + Math.floor(random() * 12) };
}

interface Life {
  readonly kind: Kind;
  readonly jobs: number;
  readonly life: number;
  readonly workers: number;
  readonly batch: number;
  readonly kill: Kill;
}

async function oneLife(folder: string, { kind, jobs, life, workers, batch, kill }: Life) {
  const { NODE_OPTIONS: _, ...clean } = process.env;
  const { afterMs, atCall, atJob } = kill;
  const child = spawn(
    process.execPath,
    [...(atCall === undefined ? [] : ['--require', './killer.cjs']), 'main.cjs'],
    {
      cwd: folder,
      env: {
        ...clean,
        ...{
          KIND: JSON.stringify(kind),
          JOBS: `${jobs}`,
          LIFE: `${life}`,
          WORKERS: `${workers}`,
          BATCH: `${batch}`,
        },
        ...{ KILL_AT_JOB: `${atJob}`, KILL_AT_CALL: JSON.stringify(atCall) },
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const timer = afterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), afterMs);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  // When its pipes are closed its workers have gone as well: they have them, too.
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  clearTimeout(timer);
  await allGone([child.pid ?? 0]);
  return { code, signal, ...output };
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function linesOf(folder: string, file: string): string[] {
  const path = join(folder, file);
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
}

function ranIn(folder: string, life: number): number[] {
  return linesOf(folder, 'ran.log')
    .map((line) => line.split(' ').map(Number))
    .filter(([in_]) => in_ === life)
    .map(([, job]) => Number(job));
}

/** The jobs that the journal holds, read by the test's own means, and whether a torn line follows. */
function recordedIn(folder: string): { jobs: number[]; torn: boolean } {
  const path = join(folder, 'run.jsonl');
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const lines = text.split('\n');
  const torn = lines.pop() !== '';
  const jobs = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ type }) => type === 'completed')
    .map(({ key, index }) => Number(key ?? index));
  return { jobs, torn };
}
