import { defaultWorkers } from '../cpu-quota.js';
import {
  boolean,
  expected,
  expectedSecret,
  isFunction,
  isPlainText,
  isRecord,
  MAX_CONCURRENCY,
  milliseconds,
  oneOf,
  path,
  rejectUnknown,
  wholeNumber,
} from '../option-checks.js';
import { checkSecret } from './bullmq.js';
import type { Connection } from './connection.js';
import { checkConnection, connectionFromEnv, readSecret } from './connection.js';
import type { BullMqModule } from './library.js';
import { checkModule } from './library.js';
import { checkName, machineName } from './names.js';

/** How a machine works. Times are milliseconds. */
export interface WorkOptions {
  /** As the submitting side has it: up to 64 letters, digits, `_`, `.` and `-`. */
  name: string;
  /**
   * The server, as for `bullmq`.
   * @default the variables REDIS_URL, REDIS_USERNAME and REDIS_PASSWORD_FILE (or REDIS_PASSWORD)
   */
  connection?: Connection | undefined;
  /**
   * Begins every key on the server, as for `bullmq`.
   * @default 'tf'
   */
  prefix?: string | undefined;
  /**
   * As for `bullmq`: chunks without its signature are refused.
   * @default the variable THREADFACTORY_SECRET_FILE or THREADFACTORY_SECRET, if there is one
   */
  secret?: string | undefined;
  /**
   * What this machine is called: `context.machine`.
   * @default the host's name and a random end
   */
  machine?: string | undefined;
  /**
   * Worker processes, and chunks at once.
   * @default `os.availableParallelism()`, or the cgroup's CPU quota where that is lower
   */
  workers?: number | undefined;
  /**
   * Jobs a worker runs at once.
   * @default 1
   */
  concurrency?: number | undefined;
  /**
   * Time a worker has for loading the module and `workerStartup`.
   * @default 30000
   */
  startupTimeout?: number | undefined;
  /**
   * Time a worker has for `workerFinish` before it is killed.
   * @default 5000
   */
  shutdownTimeout?: number | undefined;
  /**
   * Time running jobs have when the machine is told to stop, before their workers are killed.
   * @default 10000
   */
  grace?: number | undefined;
  /**
   * Replace a worker after so many jobs.
   * @default undefined (never)
   */
  maxJobsPerWorker?: number | undefined;
  /**
   * Replace a worker whose resident memory is over this between jobs, in bytes.
   * @default undefined (never)
   */
  maxMemoryPerWorker?: number | undefined;
  /**
   * Names of the environment variables that workers get.
   * @default undefined (all but those of the server, `REDIS_*`, and those that hold its password)
   */
  env?: readonly string[] | undefined;
  /**
   * Node's own flags for the workers.
   * @default undefined (this process's)
   */
  execArgv?: readonly string[] | undefined;
  /**
   * The Node program the workers run.
   * @default undefined (this process's)
   */
  execPath?: string | undefined;
  /**
   * Working directory of the workers.
   * @default undefined (this process's)
   */
  cwd?: string | URL | undefined;
  /**
   * Workers' standard output and error.
   * @default 'inherit'
   */
  output?: 'inherit' | 'prefix' | 'ignore' | undefined;
  /**
   * Time to reach the server at the start.
   * @default 10000
   */
  connectTimeout?: number | undefined;
  /**
   * Time after which the server takes a machine that is silent for dead.
   * @default 15000
   */
  lockDuration?: number | undefined;
  /**
   * Time between two looks for chunks of dead machines.
   * @default 5000
   */
  stalledInterval?: number | undefined;
  /**
   * How many machines may die with a chunk before it is split, and a job before it fails, one more than this.
   * @default 2
   */
  maxStalledCount?: number | undefined;
  /**
   * Whether SIGINT and SIGTERM stop the machine.
   * @default false
   */
  handleSignals?: boolean | undefined;
  /**
   * Hears a line of news now and then: never a payload, never a secret.
   * @default undefined
   */
  log?: ((line: string) => void) | undefined;
  /**
   * The bullmq module to use.
   * @default undefined (the installed one)
   */
  bullmq?: BullMqModule | undefined;
}

// An object, so that the compiler sees to it that no option is forgotten.
const KNOWN: Readonly<Record<keyof WorkOptions, true>> = {
  name: true,
  connection: true,
  prefix: true,
  secret: true,
  machine: true,
  workers: true,
  concurrency: true,
  startupTimeout: true,
  shutdownTimeout: true,
  grace: true,
  maxJobsPerWorker: true,
  maxMemoryPerWorker: true,
  env: true,
  execArgv: true,
  execPath: true,
  cwd: true,
  output: true,
  connectTimeout: true,
  lockDuration: true,
  stalledInterval: true,
  maxStalledCount: true,
  handleSignals: true,
  log: true,
  bullmq: true,
};

/** The options of a machine after validation. */
export type CheckedWork = ReturnType<typeof checkWorkOptions>;

/** @throws OptionError */
export function checkWorkOptions(given: unknown, env: NodeJS.ProcessEnv) {
  if (!isRecord(given)) throw expectedSecret('options', 'an object such as `{ name, connection }`', given);
  rejectUnknown(Object.keys(given), Object.keys(KNOWN));
  const take = <T>(name: keyof WorkOptions, check: (value: unknown, name: string) => T): T | undefined =>
    given[name] === undefined ? undefined : check(given[name], name);
  return {
    name: checkName(given.name, 'name'),
    connection: take('connection', checkConnection) ?? connectionFromEnv(env),
    prefix: take('prefix', checkName) ?? 'tf',
    secret: take('secret', checkSecret) ?? secretFromEnv(env),
    machine: take('machine', checkName) ?? machineName(),
    workers: take('workers', wholeNumber(1)) ?? defaultWorkers(),
    concurrency: take('concurrency', wholeNumber(1, MAX_CONCURRENCY)) ?? 1,
    startupTimeout: take('startupTimeout', milliseconds) ?? 30_000,
    shutdownTimeout: take('shutdownTimeout', milliseconds) ?? 5_000,
    grace: take('grace', milliseconds) ?? 10_000,
    maxJobsPerWorker: take('maxJobsPerWorker', wholeNumber(1)),
    maxMemoryPerWorker: take('maxMemoryPerWorker', wholeNumber(1)),
    env: take('env', texts),
    execArgv: take('execArgv', texts),
    execPath: take('execPath', path),
    cwd: take('cwd', path),
    output: take('output', oneOf('inherit', 'prefix', 'ignore')) ?? 'inherit',
    connectTimeout: take('connectTimeout', milliseconds) ?? 10_000,
    lockDuration: take('lockDuration', milliseconds) ?? 15_000,
    stalledInterval: take('stalledInterval', milliseconds) ?? 5_000,
    maxStalledCount: take('maxStalledCount', wholeNumber(0)) ?? 2,
    handleSignals: take('handleSignals', boolean) ?? false,
    log: take('log', hears),
    bullmq: checkModule(given.bullmq),
  };
}

function secretFromEnv(env: NodeJS.ProcessEnv): string | undefined {
  const { THREADFACTORY_SECRET_FILE: file, THREADFACTORY_SECRET: secret } = env;
  const found = file === undefined ? secret : readSecret(file);
  return found === undefined || found === '' ? undefined : found;
}

function texts(value: unknown, name: string): readonly string[] {
  if (Array.isArray(value) && value.every(isPlainText)) return [...value];
  throw expected(name, 'an array of strings', value);
}

function hears(value: unknown, name: string): (line: string) => void {
  if (isFunction(value)) return value;
  throw expected(name, 'a function that takes a line', value);
}
