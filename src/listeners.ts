/**
 * One listener on `process` for all runs of this process: each with its own would, from eleven on, have Node warn of a
 * leak.
 */

type ProcessEvent = 'exit' | 'SIGINT' | 'SIGTERM';

interface Shared {
  readonly all: Set<() => void>;
  readonly listener: () => void;
}

const shared = new Map<ProcessEvent, Shared>();

/**
 * Calls `listener` at an event of this process.
 * @param listener a function of its own for each call
 * @returns what takes it off again
 */
export function onProcess(event: ProcessEvent, listener: () => void): () => void {
  const { all } = shared.get(event) ?? begin(event);
  all.add(listener);
  return () => {
    if (!all.delete(listener) || all.size > 0) return;
    const last = shared.get(event);
    if (last !== undefined) process.removeListener(event, last.listener);
    shared.delete(event);
  };
}

function begin(event: ProcessEvent): Shared {
  const all = new Set<() => void>();
  const listener = (): void => {
    for (const one of [...all]) one();
  };
  const begun = { all, listener };
  shared.set(event, begun);
  process.on(event, listener);
  return begun;
}
