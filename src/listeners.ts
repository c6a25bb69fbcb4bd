/**
 * One listener for all runs of this process, on it and on each AbortSignal that they share: each with its own would, from
 * eleven on, have Node warn of a leak.
 */

/** An event of the process, or a signal that may be aborted. */
type Heard = 'exit' | 'SIGINT' | 'SIGTERM' | AbortSignal;

interface Shared {
  readonly all: Set<() => void>;
  /** Takes the one listener off. */
  readonly end: () => void;
}

const shared = new Map<Heard, Shared>();

/**
 * Calls `listener` when it happens.
 * @param listener a function of its own for each call
 * @returns what takes it off again
 */
export function listen(heard: Heard, listener: () => void): () => void {
  const { all, end } = shared.get(heard) ?? begin(heard);
  all.add(listener);
  return () => {
    if (!all.delete(listener) || all.size > 0) return;
    end();
    shared.delete(heard);
  };
}

function begin(heard: Heard): Shared {
  const all = new Set<() => void>();
  const listener = (): void => {
    for (const one of [...all]) one();
  };
  const begun = { all, end: attach(heard, listener) };
  shared.set(heard, begun);
  return begun;
}

function attach(heard: Heard, listener: () => void): () => void {
  if (typeof heard === 'string') {
    process.on(heard, listener);
    return () => process.removeListener(heard, listener);
  }
  heard.addEventListener('abort', listener);
  return () => heard.removeEventListener('abort', listener);
}
