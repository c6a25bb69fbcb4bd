import { defaultWorkers } from './cpu-quota.js';
import { OptionError } from './errors.js';
import type { Check } from './option-checks.js';
import {
  boolean,
  expected,
  expectedSecret,
  isFileUrl,
  isFunction,
  isPlainText,
  isRecord,
  MAX_CONCURRENCY,
  MAX_TIMER_MS,
  milliseconds,
  oneOf,
  path,
  rejectUnknown,
  wholeNumber,
} from './option-checks.js';

/** How a job that threw or timed out is run again; `retries: 3` is short for `{ limit: 3 }`. */
export interface RetryOptions {
  /** How often a job is run again: a whole number, 0 or greater. */
  limit: number;
  /**
   * Time before the next attempt, ms, from 0 to 2 147 483 647; or a function of the attempt that failed (from 1) and
   * its error that returns it.
   * @default 0
   */
  delay?: number | ((attempt: number, error: unknown) => number) | undefined;
  /**
   * Whether to try again after this error.
   * @default () => true
   */
  when?: ((error: unknown) => boolean) | undefined;
}

/** Where jobs run: what `bullmq({ … })` of `threadfactory/bullmq` makes. */
export interface Engine {
  readonly name: string;
}

/**
 * Every option of a factory; all may be left out, and `undefined` is the same as left out. Times are in ms, at most
 * 2 147 483 647 (a longer timer would fire at once).
 *
 * With `workers: 0` there is no process to isolate, kill or recycle: `crashRetries`, `maxJobsPerWorker`,
 * `maxMemoryPerWorker`, `startupTimeout`, `shutdownTimeout`, `output`, `env`, `execArgv`, `execPath`, `cwd` and
 * `module` are accepted and have no effect, so that one set of options serves both ways of running.
 */
export interface ThreadFactoryOptions<Job = unknown, _Result = unknown> {
  /**
   * Worker processes: a whole number, never more than there are jobs. `0`: all in the manager's own process.
   * @default `os.availableParallelism()`, or the cgroup's CPU quota where that is lower
   */
  workers?: number | undefined;
  /**
   * Jobs a worker runs at once (for jobs that wait on I/O): a whole number from 1 to 65 536. So many are also read
   * ahead from a lazy list.
   * @default 1
   */
  concurrency?: number | undefined;
  /**
   * Jobs per message: `'auto'` adapts to their measured duration; a whole number, 1 or greater, fixes it.
   * @default 'auto'
   */
  batchSize?: number | 'auto' | undefined;
  /**
   * How often a job that threw or timed out is run again: a whole number, 0 or greater, or `{ limit, delay, when }`.
   * @default 0
   */
  retries?: number | RetryOptions | undefined;
  /**
   * How often a job that killed its worker is run again, alone, before it fails: a whole number, 0 or greater.
   * @default 2
   */
  crashRetries?: number | undefined;
  /**
   * Time an attempt may take, from its own start, ms, greater than 0.
   * @default undefined (no limit)
   */
  timeout?: number | undefined;
  /**
   * Stop after this many failed jobs: a whole number, 1 or greater, or a share of those settled, such as `'3%'`
   * (greater than 0 %, at most 100 %; looked at from 100 settled jobs on).
   * @default undefined (never)
   */
  bail?: number | `${number}%` | undefined;
  /**
   * Replace a worker after so many jobs: a whole number, 1 or greater.
   * @default undefined (never)
   */
  maxJobsPerWorker?: number | undefined;
  /**
   * Replace a worker whose resident memory is over this between jobs: bytes, a whole number, 1 or greater.
   * @default undefined (never)
   */
  maxMemoryPerWorker?: number | undefined;
  /**
   * Time a worker has for loading the module and `workerStartup`, ms, greater than 0.
   * @default 30000
   */
  startupTimeout?: number | undefined;
  /**
   * Time a worker has for `workerFinish` before it is killed, ms, greater than 0.
   * @default 5000
   */
  shutdownTimeout?: number | undefined;
  /**
   * Whether iterating the factory yields completed jobs in job order.
   * @default false
   */
  ordered?: boolean | undefined;
  /**
   * Whether the summary holds every result.
   * @default true (false when the factory is iterated)
   */
  keepResults?: boolean | undefined;
  /**
   * File that records every settled job, so that a run that was cut short goes on where it was: a path (relative to
   * the working directory) or a `file:` URL.
   * @default undefined (none)
   */
  journal?: string | URL | undefined;
  /**
   * Names a job in the journal by what it is. Called only where there is a `journal`; without one it may stay.
   * @default undefined (a job is its position and a hash of its value)
   */
  key?: ((job: Job) => string) | undefined;
  /**
   * When the journal is forced onto the disk: `true` after every batch of settled jobs, `false` never (the system
   * decides), a number at most so many ms after a job settled (from 1). What was written survives the death of the
   * process in every case; this is about power cuts. No effect without a `journal`.
   * @default 1000
   */
  fsync?: boolean | number | undefined;
  /**
   * Ends the run at once when it is aborted.
   * @default undefined (none)
   */
  signal?: AbortSignal | undefined;
  /**
   * Whether the first SIGINT or SIGTERM during a run stops it in good order and a second one at once.
   * @default false
   */
  handleSignals?: boolean | undefined;
  /**
   * Where to show the progress of a run: a stream, or `true` for standard error.
   * @default false
   */
  progress?: boolean | NodeJS.WritableStream | undefined;
  /**
   * Standard output and error of the workers: passed through, passed through by whole lines that are marked with the
   * worker, or dropped.
   * @default 'inherit'
   */
  output?: 'inherit' | 'prefix' | 'ignore' | undefined;
  /**
   * Environment of the workers, in place of the manager's.
   * @default undefined (the manager's)
   */
  env?: NodeJS.ProcessEnv | undefined;
  /**
   * Node's own command-line flags for the workers, in place of the manager's.
   * @default undefined (the manager's, without those that would break a child)
   */
  execArgv?: readonly string[] | undefined;
  /**
   * The Node program the workers run.
   * @default undefined (the manager's)
   */
  execPath?: string | undefined;
  /**
   * Working directory of the workers: a path or a `file:` URL.
   * @default undefined (the manager's)
   */
  cwd?: string | URL | undefined;
  /**
   * The module the workers load: a path or a `file:` URL.
   * @default undefined (the file that called `new ThreadFactory`)
   */
  module?: string | URL | undefined;
  /**
   * Where jobs run: `bullmq({ … })` of `threadfactory/bullmq`.
   * @default undefined (processes of this machine)
   */
  engine?: Engine | undefined;
}

/** The options of a factory after validation, every default filled in. */
export interface ResolvedOptions {
  readonly workers: number;
  readonly concurrency: number;
  readonly batchSize: number | 'auto';
  /** `delay` and `when` may be the user's own functions: what they throw or return is for the caller to judge. */
  readonly retries: {
    readonly limit: number;
    readonly delay: (attempt: number, error: unknown) => number;
    readonly when: (error: unknown) => boolean;
  };
  readonly crashRetries: number;
  readonly timeout: number | undefined;
  /** `share` is above 0 and at most 1. */
  readonly bail: { readonly count: number } | { readonly share: number } | undefined;
  readonly maxJobsPerWorker: number | undefined;
  readonly maxMemoryPerWorker: number | undefined;
  readonly startupTimeout: number;
  readonly shutdownTimeout: number;
  readonly ordered: boolean;
  /** Undefined: not given, so it depends on how the run is started. */
  readonly keepResults: boolean | undefined;
  readonly journal: string | undefined;
  readonly key: ((job: unknown) => string) | undefined;
  readonly fsync: number | boolean;
  readonly signal: AbortSignal | undefined;
  readonly handleSignals: boolean;
  readonly progress: NodeJS.WritableStream | undefined;
  readonly output: 'inherit' | 'prefix' | 'ignore';
  readonly env: NodeJS.ProcessEnv | undefined;
  readonly execArgv: readonly string[] | undefined;
  readonly execPath: string | undefined;
  readonly cwd: string | undefined;
  /** A path as given, or the href of a `file:` URL. */
  readonly module: string | undefined;
  readonly engine: Engine | undefined;
}

// An object, so that the compiler sees to it that no option is forgotten.
const KNOWN: Readonly<Record<keyof ThreadFactoryOptions, true>> = {
  workers: true,
  concurrency: true,
  batchSize: true,
  retries: true,
  crashRetries: true,
  timeout: true,
  bail: true,
  maxJobsPerWorker: true,
  maxMemoryPerWorker: true,
  startupTimeout: true,
  shutdownTimeout: true,
  ordered: true,
  keepResults: true,
  journal: true,
  key: true,
  fsync: true,
  signal: true,
  handleSignals: true,
  progress: true,
  output: true,
  env: true,
  execArgv: true,
  execPath: true,
  cwd: true,
  module: true,
  engine: true,
};

/** The names of all options. */
export const OPTION_NAMES: readonly string[] = Object.keys(KNOWN);

/**
 * Checks the options of a factory and fills in the defaults. Every option is read once; nothing the user gave is
 * changed or kept but functions, streams, the signal and the engine.
 *
 * @param workers the default of that option
 * @throws OptionError for options that are no object, an unknown name, or a value an option can't have.
 */
export function resolveOptions(options: unknown, workers = defaultWorkers): ResolvedOptions {
  const given = options === undefined ? {} : options;
  if (!isRecord(given)) throw expected('options', 'an object', given);
  rejectSpecFunctions(given);
  rejectUnknown(Object.keys(given), OPTION_NAMES);
  const take = <T>(name: keyof ThreadFactoryOptions, check: Check<T>): T | undefined => {
    const value = given[name];
    return value === undefined ? undefined : check(value, name);
  };
  return {
    workers: take('workers', wholeNumber(0)) ?? workers(),
    concurrency: take('concurrency', wholeNumber(1, MAX_CONCURRENCY)) ?? 1,
    batchSize: take('batchSize', batchSize) ?? 'auto',
    retries: take('retries', retries) ?? retries(0, 'retries'),
    crashRetries: take('crashRetries', wholeNumber(0)) ?? 2,
    timeout: take('timeout', milliseconds),
    bail: take('bail', bail),
    maxJobsPerWorker: take('maxJobsPerWorker', wholeNumber(1)),
    maxMemoryPerWorker: take('maxMemoryPerWorker', wholeNumber(1)),
    startupTimeout: take('startupTimeout', milliseconds) ?? 30_000,
    shutdownTimeout: take('shutdownTimeout', milliseconds) ?? 5_000,
    ordered: take('ordered', boolean) ?? false,
    keepResults: take('keepResults', boolean),
    journal: take('journal', path),
    key: take('key', key),
    fsync: take('fsync', fsync) ?? 1_000,
    signal: take('signal', signal),
    handleSignals: take('handleSignals', boolean) ?? false,
    progress: take('progress', progress),
    output: take('output', oneOf('inherit', 'prefix', 'ignore')) ?? 'inherit',
    env: take('env', env),
    execArgv: take('execArgv', execArgv),
    execPath: take('execPath', execPath),
    cwd: take('cwd', path),
    module: take('module', modulePath),
    engine: take('engine', engine),
  };
}

/** The five functions belong to the spec; among the options they would be overlooked. */
function rejectSpecFunctions(given: Readonly<Record<string, unknown>>): void {
  const spec = ['manager', 'workerStartup', 'workerProcess', 'worker', 'workerFinish', 'managerFinish'];
  const misplaced = spec.find((name) => Object.hasOwn(given, name) && isFunction(given[name]));
  if (misplaced !== undefined) {
    throw new OptionError(`Unknown option \`${misplaced}\`: it belongs in the spec, the first argument`);
  }
}

/**
 * An option in the spec would have no effect, and nobody would know.
 * @throws OptionError
 */
export function rejectOptionsIn(spec: unknown): void {
  if (!isRecord(spec) || Object.getPrototypeOf(spec) !== Object.prototype) return;
  const misplaced = OPTION_NAMES.find((name) => Object.hasOwn(spec, name));
  if (misplaced !== undefined) {
    throw new OptionError(`\`${misplaced}\` of the spec is an option: it belongs in the second argument`);
  }
}

function batchSize(value: unknown, name: string): number | 'auto' {
  if (value === 'auto') return value;
  if (Number.isSafeInteger(value) && typeof value === 'number' && value >= 1) return value;
  throw expected(name, "`'auto'` or a whole number, 1 or greater", value);
}

function retries(value: unknown, name: string): ResolvedOptions['retries'] {
  if (typeof value === 'number')
    return { limit: wholeNumber(0)(value, name), delay: () => 0, when: () => true };
  if (!isRecord(value))
    throw expected(name, 'a whole number, 0 or greater, or `{ limit, delay, when }`', value);
  rejectUnknown(Object.keys(value), ['limit', 'delay', 'when'], `${name}.`);
  return {
    limit: wholeNumber(0)(value.limit, `${name}.limit`),
    delay: retryDelay(value.delay, `${name}.delay`),
    when: retryWhen(value.when, `${name}.when`),
  };
}

function retryDelay(value: unknown, name: string): ResolvedOptions['retries']['delay'] {
  if (value === undefined) return () => 0;
  if (isFunction(value)) return value as ResolvedOptions['retries']['delay'];
  if (typeof value === 'number' && value >= 0 && value <= MAX_TIMER_MS) return () => value;
  throw expected(
    name,
    `a number of milliseconds from 0 to ${MAX_TIMER_MS}, or a function that returns one`,
    value,
  );
}

function retryWhen(value: unknown, name: string): ResolvedOptions['retries']['when'] {
  if (value === undefined) return () => true;
  if (isFunction(value)) return value as ResolvedOptions['retries']['when'];
  throw expected(name, 'a function of the error that returns `true` or `false`', value);
}

function bail(value: unknown, name: string): ResolvedOptions['bail'] {
  if (Number.isSafeInteger(value) && typeof value === 'number' && value >= 1) return { count: value };
  if (typeof value === 'string') {
    const percent = Number(/^(\d+(?:\.\d+)?) ?%$/.exec(value)?.[1]);
    if (percent > 0 && percent <= 100) return { share: percent / 100 };
  }
  throw expected(name, "a whole number, 1 or greater, or a share such as `'3%'`", value);
}

function key(value: unknown, name: string): (job: unknown) => string {
  if (isFunction(value)) return value as (job: unknown) => string;
  throw expected(name, 'a function of the job that returns a string', value);
}

function fsync(value: unknown, name: string): number | boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'number' && value >= 1 && value <= MAX_TIMER_MS) return value;
  throw expected(name, `\`true\`, \`false\` or a number of milliseconds from 1 to ${MAX_TIMER_MS}`, value);
}

/** By shape: the AbortSignal of another realm (jest's, a polyfill's) serves as well. */
function signal(value: unknown, name: string): AbortSignal {
  if (isRecord(value) && typeof value.aborted === 'boolean' && isFunction(value.addEventListener)) {
    return value as unknown as AbortSignal;
  }
  throw expected(name, 'an AbortSignal', value);
}

function progress(value: unknown, name: string): NodeJS.WritableStream | undefined {
  if (typeof value === 'boolean') return value ? process.stderr : undefined;
  if (isRecord(value) && isFunction(value.write) && isFunction(value.on)) {
    return value as unknown as NodeJS.WritableStream;
  }
  throw expected(name, '`true`, `false` or a writable stream', value);
}

/** A copy. Numbers and booleans become text, as child_process would make them; values stay out of messages. */
function env(value: unknown, name: string): NodeJS.ProcessEnv {
  if (!isRecord(value)) throw expectedSecret(name, 'an object of strings', value);
  const copy: NodeJS.ProcessEnv = {};
  for (const [variable, content] of Object.entries(value)) {
    if (content === undefined) continue;
    const text = typeof content === 'number' || typeof content === 'boolean' ? String(content) : content;
    if (typeof text !== 'string' || text.includes('\0')) {
      const [variableName, what] = [`${name}.${variable}`, 'a string without NUL'];
      throw typeof text === 'string'
        ? expected(variableName, what, text, 'one that has')
        : expectedSecret(variableName, what, text);
    }
    copy[variable] = text;
  }
  return copy;
}

function execArgv(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value)) throw expected(name, 'an array of strings', value);
  return Array.from(value, (argument: unknown, index) => {
    if (isPlainText(argument)) return argument;
    throw expected(`${name}[${index}]`, 'a string, not empty and without NUL', argument);
  });
}

function execPath(value: unknown, name: string): string {
  if (isPlainText(value)) return value;
  throw expected(name, 'the path of a program', value);
}

/** As it was given: what a path is relative to is known only where the factory was constructed. */
function modulePath(value: unknown, name: string): string {
  if (isPlainText(value)) return value;
  if (isFileUrl(value)) return value.href;
  throw expected(name, 'a path or a `file:` URL', value);
}

/** Not looked into, and never shown: it may hold a connection. */
function engine(value: unknown, name: string): Engine {
  if (isRecord(value) && isFunction(value.open)) return value as unknown as Engine;
  throw expectedSecret(name, 'an engine such as `bullmq({ … })`', value);
}
