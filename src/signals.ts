import { listen } from './listeners.js';
import type { Run } from './run.js';

/**
 * `handleSignals`: the first SIGINT or SIGTERM stops a run in good order, the second ends it and the process.
 * The user's own handlers still run; ours are there only during a run.
 */

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Installs the handlers. @returns what takes them off again */
export function handleSignals(run: Pick<Run, 'stop' | 'destroyWorkers'>): () => void {
  let asked = false;
  const on = (signal: keyof typeof EXIT_CODES) => (): void => {
    process.exitCode = EXIT_CODES[signal];
    if (!asked) {
      asked = true;
      run.stop('interrupt');
      return;
    }
    run.destroyWorkers();
    process.exit(EXIT_CODES[signal]);
  };
  const off = [listen('SIGINT', on('SIGINT')), listen('SIGTERM', on('SIGTERM'))];
  return () => {
    for (const take of off) take();
  };
}
