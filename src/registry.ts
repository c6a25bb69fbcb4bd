import { isSameModule, moduleKey } from './module-ref.js';
import type { FactoryRef } from './protocol.js';
import { WORKER_ARGUMENT } from './protocol.js';
import type { CheckedSpec, Failure } from './spec.js';

/**
 * How factories find the bootstrap of a child, or the command line, that runs their module in this process: a global, so that two installed copies
 * of one version are one library. Copies of different versions keep apart: the child's spec must come from the copy
 * that forked it.
 */

/** The library's version, for the registry: replaced at build time. */
export const VERSION: string = process.env['THREADFACTORY_VERSION'] ?? '0.0.0';

/** What the bootstrap listens for while the user's module loads. */
export interface WorkerSide {
  /** A factory was constructed. */
  constructed(module: string, ordinal: FactoryRef, spec: CheckedSpec): void;
  /** A factory was started: its module may never finish evaluating. */
  started(module: string, ordinal: FactoryRef): void;
}

/** How the command line wants a factory that it runs. */
export interface Commanded {
  /** The options, in place of those that were given. */
  readonly options: unknown;
  /** In place of the spec's own. */
  readonly manager: ((input: unknown) => unknown) | undefined;
  /** Whether what workers print has to go through the manager's process. */
  readonly relayed: boolean;
  /** A run began; it settles as `start()` would. */
  started(running: Promise<unknown>): void;
  /** A job failed for good. In place of a listener, with which `start()` would resolve though jobs failed. */
  failed(error: Error, about: Omit<Failure, 'error'>): void;
  /** A job whose result an earlier run recorded. */
  skipped(index: number, job: unknown, result: unknown): void;
}

/** What the command line listens for while the module it was given loads, in the manager's process. */
export interface CommandSide {
  /** A factory was constructed. @returns undefined where it is none of the command's */
  constructed(
    factory: object,
    about: { readonly module: string; readonly caller: string | undefined; readonly options: unknown },
  ): Commanded | undefined;
}

interface VersionState {
  /** How many factories were constructed, by module. */
  readonly ordinals: Map<string, number>;
  worker?: WorkerSide;
  command?: CommandSide;
}

interface Registry {
  isWorker: boolean;
  readonly versions: Map<string, VersionState>;
}

const KEY = Symbol.for('threadfactory');

function registry(): Registry {
  const holder = globalThis as { [KEY]?: Registry };
  if (holder[KEY] === undefined) {
    // A module that `--require` or `--import` names is loaded before the bootstrap.
    const isWorker = process.argv[2] === WORKER_ARGUMENT && process.send !== undefined;
    const value: Registry = { isWorker, versions: new Map() };
    Object.defineProperty(globalThis, KEY, { value, configurable: true });
  }
  return holder[KEY] as Registry;
}

function state(): VersionState {
  const { versions } = registry();
  const known = versions.get(VERSION) ?? { ordinals: new Map<string, number>() };
  versions.set(VERSION, known);
  return known;
}

/** Says so to the threads of a worker, which have globals of their own. */
const MARK = 'threadfactory';

/** Loading it takes half a millisecond, which a manager has no need to. */
const threads = () => require('node:worker_threads') as typeof import('node:worker_threads');

/** Whether this is a thread that the code of a worker started, whatever `env` it gave it. */
export function isWorkersThread(): boolean {
  // Of all threads only the main one may abort.
  return 'disabled' in process.abort && threads().getEnvironmentData(MARK) === true;
}

/** Whether this process is a worker of some factory. */
export function isWorker(): boolean {
  return registry().isWorker || isWorkersThread();
}

/** Makes this process a worker. */
export function becomeWorker(side: WorkerSide): void {
  registry().isWorker = true;
  threads().setEnvironmentData(MARK, true);
  state().worker = side;
}

/** The bootstrap's side, in a worker that a factory of this version forked. */
export function workerSide(): WorkerSide | undefined {
  return state().worker;
}

/** Makes this process the command line's. */
export function becomeCommand(side: CommandSide): void {
  state().command = side;
}

/** The command line's side, where it runs this process. */
export function commandSide(): CommandSide | undefined {
  return state().command;
}

/** The number of the next factory constructed for a module: 0, 1, … */
export function nextOrdinal(module: string): number {
  const { ordinals } = state();
  const key = moduleKey(module);
  const ordinal = ordinals.get(key) ?? 0;
  ordinals.set(key, ordinal + 1);
  return ordinal;
}

/** How many factories of a module were constructed in this process: for the text of an error. */
export function constructions(module: string): number {
  let made = 0;
  for (const [key, count] of state().ordinals) if (isSameModule(key, module)) made += count;
  return made;
}

/** Versions of the library that were loaded in this process. */
export function loadedVersions(): readonly string[] {
  return [...registry().versions.keys()];
}
