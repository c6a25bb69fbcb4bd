import type { FactoryRef } from './protocol.js';
import type { CheckedSpec } from './spec.js';

/**
 * How factories and the bootstrap of a child find each other, in one process: a global, so that two installed copies
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

interface VersionState {
  /** How many factories were constructed, by module. */
  readonly ordinals: Map<string, number>;
  worker?: WorkerSide;
}

interface Registry {
  isWorker: boolean;
  readonly versions: Map<string, VersionState>;
}

const KEY = Symbol.for('threadfactory');

function registry(): Registry {
  const holder = globalThis as { [KEY]?: Registry };
  if (holder[KEY] === undefined) {
    const value: Registry = { isWorker: false, versions: new Map() };
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

/** Whether this process is a worker of some factory. */
export function isWorker(): boolean {
  return registry().isWorker;
}

/** Makes this process a worker. */
export function becomeWorker(side: WorkerSide): void {
  registry().isWorker = true;
  state().worker = side;
}

/** The bootstrap's side, in a worker that a factory of this version forked. */
export function workerSide(): WorkerSide | undefined {
  return state().worker;
}

/** The number of the next factory constructed for a module: 0, 1, … */
export function nextOrdinal(module: string): number {
  const { ordinals } = state();
  const ordinal = ordinals.get(module) ?? 0;
  ordinals.set(module, ordinal + 1);
  return ordinal;
}

/** What was constructed in this process: for the text of an error. */
export function constructions(): ReadonlyMap<string, number> {
  return state().ordinals;
}

/** Versions of the library that were loaded in this process. */
export function loadedVersions(): readonly string[] {
  return [...registry().versions.keys()];
}
