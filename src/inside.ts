import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * Which of the user's functions the running code belongs to, followed through its callbacks and promises: a stack
 * trace ends at the first timer.
 */

/** A job (or `workerStartup`, `workerFinish`), or the `managerFinish` of a run, which stands for itself. */
export type Inside = 'job' | object;

const KEY = Symbol.for('threadfactory.inside');
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Inside> };

/** One for all copies of the library: a job may load another one. */
const whereabouts = shared[KEY] ?? new AsyncLocalStorage<Inside>();
Object.defineProperty(shared, KEY, { value: whereabouts, configurable: true });

/** Calls `body` as a part of `where`. */
export function runInside<T>(where: Inside, body: () => T): T {
  return whereabouts.run(where, body);
}

/** Calls `body` as nobody's part: it only happens to be called from there. */
export function runOutside<T>(body: () => T): T {
  return whereabouts.exit(body);
}

/** Whether the caller is a part of `where`. */
export function isInside(where: Inside): boolean {
  return whereabouts.getStore() === where;
}
