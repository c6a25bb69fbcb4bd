import { describe } from './describe.js';
import { SpecError } from './errors.js';
import { nearest } from './nearest.js';
import type { Stats } from './stats.js';

/**
 * The functions a user hands over: their types, and the check that they are functions.
 */

/** What every function of a worker is told. */
export interface WorkerContext<Local = undefined> {
  /** The worker's number, 1…N: no two living workers share one. */
  readonly id: number;
  /** What `workerStartup` resolved to in this worker. */
  readonly local: Local;
  /** The machine's name where an engine runs the jobs on several, else undefined. */
  readonly machine: string | undefined;
}

/** What a job is told besides itself. */
export interface JobContext<Local = undefined> extends WorkerContext<Local> {
  /** The job's position in the list, 0-based. */
  readonly index: number;
  /** The attempt's number, 1 for the first. */
  readonly attempt: number;
  /** Fires when the run is stopped at once, or this attempt is over its `timeout`. */
  readonly signal: AbortSignal;
  /**
   * Emits `progress` on the manager's side, before this job's `completed`.
   * @throws SerializationError when the data can't be sent
   */
  progress(data: unknown): void;
}

/** A list of jobs, in any of the forms `manager` may return. */
export type JobList<Job> = Iterable<Job> | AsyncIterable<Job>;

/** A job that failed for good. */
export interface Failure<Job = unknown> {
  readonly index: number;
  readonly job: Job;
  /** The worker of the last attempt; 0 where there was none. */
  readonly id: number;
  /** How often it was tried. */
  readonly attempts: number;
  readonly error: Error;
}

/** What a run came to. */
export interface Summary<Job = unknown, Result = unknown, Value = unknown> {
  /** Jobs taken from the list. What is in none of the next three was left unsettled by an early end. */
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  /** Jobs whose results an earlier run had recorded in the journal. */
  readonly skipped: number;
  /** Results by job index, undefined where there is none; empty with `keepResults: false`. */
  readonly results: (Result | undefined)[];
  /** With `keepResults: false` the first 1 000. */
  readonly failures: Failure<Job>[];
  /** What `managerFinish` resolved to. */
  readonly value: Value | undefined;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Milliseconds. */
  readonly duration: number;
  /** Why the run ended early, or false. */
  readonly stopped: false | 'stop' | 'bail' | 'interrupt';
  /** What it cost: waiting and running times, workers, retries, memory. */
  readonly stats: Stats;
}

/**
 * The functions of a run. Write them in this order: TypeScript infers `Job` from `manager`, `Local` from
 * `workerStartup`, `Result` from `workerProcess` and `Value` from `managerFinish`, left to right.
 */
export interface ThreadFactorySpec<Job, Result, Local = undefined, Value = undefined> {
  // A method, since those may narrow their parameter: `input` is what the spec's own author hands to `start`.
  /** Returns the list of jobs. Runs in the manager, with what `start` was given. */
  manager(input?: unknown): JobList<Job> | PromiseLike<JobList<Job>>;
  /** Runs once in each worker, before its first job. */
  workerStartup?: ((context: WorkerContext) => Local | PromiseLike<Local>) | undefined;
  /** Does one job. */
  workerProcess: (job: Job, context: JobContext<Local>) => Result | PromiseLike<Result>;
  /** The other name of `workerProcess`: not both. */
  worker?: undefined;
  /** Runs in a worker that has no more work, is recycled or is stopped; not after a crash. What it throws fails the run. */
  workerFinish?: ((context: WorkerContext<Local>) => unknown) | undefined;
  /** Runs once in the manager when every job has settled. */
  managerFinish?: ((summary: Summary<Job, Awaited<Result>>) => Value | PromiseLike<Value>) | undefined;
}

/** The same with `worker`, the other name of `workerProcess`. */
export interface WorkerNamedSpec<Job, Result, Local = undefined, Value = undefined>
  extends Omit<ThreadFactorySpec<Job, Result, Local, Value>, 'workerProcess' | 'worker'> {
  workerProcess?: undefined;
  worker: (job: Job, context: JobContext<Local>) => Result | PromiseLike<Result>;
}

/** A spec after the check: one name for each function, no types. */
export interface CheckedSpec {
  /** The object that has the functions, which are called as its methods. */
  readonly self?: unknown;
  readonly manager: (input: unknown) => unknown;
  readonly workerStartup: ((context: never) => unknown) | undefined;
  readonly workerProcess: (job: never, context: never) => unknown;
  readonly workerFinish: ((context: never) => unknown) | undefined;
  readonly managerFinish: ((summary: unknown) => unknown) | undefined;
}

const NAMES = [
  'manager',
  'workerStartup',
  'workerProcess',
  'worker',
  'workerFinish',
  'managerFinish',
] as const;
const INLINE = 'the spec';
const EXAMPLE = '{ manager: () => [1, 2, 3], workerProcess: (job) => job * 2 }';

/**
 * @param spec what the user gave
 * @param source where it came from, for the text of an error
 * @param needsManager false where jobs come from elsewhere
 * @throws SpecError saying what was expected and what came
 */
export function checkSpec(spec: unknown, source = INLINE, needsManager = true): CheckedSpec {
  const expected = (what: string, got: string): SpecError =>
    new SpecError(`Expected ${what}, got ${got}. An example: ${EXAMPLE}.`);
  if (typeof spec !== 'object' || spec === null)
    throw expected(`${source} to be an object of functions`, describe(spec));
  const given = spec as Partial<Record<(typeof NAMES)[number], unknown>>;
  for (const name of NAMES) {
    if (given[name] !== undefined && typeof given[name] !== 'function')
      throw expected(`\`${name}\` of ${source} to be a function`, describe(given[name]));
  }
  // A module may export functions of its own beside them; who writes an object for us writes these.
  if (source === INLINE) rejectMisspelt(given);
  if (given.worker !== undefined && given.workerProcess !== undefined)
    throw expected(`${source} to have \`workerProcess\` or \`worker\`, two names of one function`, 'both');
  const workerProcess = given.workerProcess ?? given.worker;
  if (workerProcess === undefined)
    throw expected(`${source} to have \`workerProcess\` (or \`worker\`), which does one job`, 'none');
  if (given.manager === undefined && needsManager)
    throw expected(`${source} to have \`manager\`, which returns the list of jobs`, 'none');
  return {
    self: spec,
    manager: (given.manager ?? noJobs) as CheckedSpec['manager'],
    workerStartup: given.workerStartup as CheckedSpec['workerStartup'],
    workerProcess: workerProcess as CheckedSpec['workerProcess'],
    workerFinish: given.workerFinish as CheckedSpec['workerFinish'],
    managerFinish: given.managerFinish as CheckedSpec['managerFinish'],
  };
}

/** A misspelt `workerFinish` would never be called, and nobody would know. */
function rejectMisspelt(given: object): void {
  for (const [name, value] of Object.entries(given)) {
    if (typeof value !== 'function' || (NAMES as readonly string[]).includes(name)) continue;
    const meant = nearest(name, NAMES, 2);
    if (meant === undefined) continue;
    throw new SpecError(
      `The spec has a function \`${name}\`, which is none that is called; did you mean \`${meant}\`? ` +
        'If it is your own, give it a name that is less like it.',
    );
  }
}

/**
 * The spec in a module's namespace: the functions by name, or as its default export.
 * @param namespace what `import()` or `require` gave
 * @param needsManager false where jobs come from elsewhere
 */
export function specOfModule(namespace: unknown, id: string, needsManager = true): CheckedSpec {
  return checkSpec(functionsIn(namespace) ?? namespace, `the module ${id}`, needsManager);
}

/** Whether a module's namespace has the functions of a spec. */
export function exportsFunctions(namespace: unknown): boolean {
  return functionsIn(namespace) !== undefined;
}

function functionsIn(namespace: unknown): Record<string, unknown> | undefined {
  const outer = namespace as { default?: unknown } & Record<string, unknown>;
  const named = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && ('workerProcess' in value || 'worker' in value);
  const inner = outer?.default as { default?: unknown } | undefined;
  // A CommonJS module under `import()` has its exports as `default`; a transpiled one has them one level deeper.
  return [outer, inner, inner?.default].find(named);
}

/** The functions' own texts, by which a worker recognises the factory that it was forked for. */
export function textsOf(spec: CheckedSpec): readonly string[] {
  return Object.values(spec as unknown as Record<string, unknown>)
    .filter((value) => typeof value === 'function')
    .map(String);
}

/**
 * Whether a spec is certainly not the wanted one, though it has its number: the functions that differ stand in the module
 * as they are. Where they don't, the module was transformed (by a test runner in the manager, say, or by `tsx` in the
 * worker), and texts prove nothing.
 * @param wanted the texts of the wanted spec's functions
 * @param found the spec that was constructed in its place
 * @param moduleText reads the module's file
 */
export function isAnotherSpec(
  wanted: readonly string[],
  found: CheckedSpec,
  moduleText: () => string,
): boolean {
  const texts = textsOf(found);
  const missing = wanted.filter((text) => !texts.includes(text));
  if (missing.length === 0) return false;
  const module = moduleText();
  const stands = (text: string): boolean => module.includes(text);
  return missing.some(stands) && texts.some((text) => !wanted.includes(text) && stands(text));
}

function noJobs(): [] {
  return [];
}

/** The spec of a run that fails before it has one. */
export const NO_SPEC: CheckedSpec = {
  manager: noJobs,
  workerStartup: undefined,
  workerProcess: noJobs,
  workerFinish: undefined,
  managerFinish: undefined,
};
