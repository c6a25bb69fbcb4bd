/**
 * A run as an async iterator, with back-pressure both ways: a slow consumer holds the hand-out, leaving the loop stops
 * the run. In order, later results wait for earlier ones; a failed job is a gap.
 */

/** What an iteration needs of its run. */
export interface Iteration<Item> {
  readonly ordered: boolean;
  /** Starts the run; `sink` gets each settled job. Settles as `start()` would. */
  run(sink: (job: Item & { readonly index: number }, failed: boolean) => void): Promise<unknown>;
  hold(on: boolean): void;
  stop(): Promise<void>;
}

/** Completed jobs that wait for a consumer before the hand-out is held, and until it goes on. */
const HIGH_WATER = 1024;
const LOW_WATER = 256;

/** @returns an iterator over the jobs of a run that begins at the first `next()` */
export async function* iterate<Item>(iteration: Iteration<Item>): AsyncGenerator<Item, void, undefined> {
  let ready: Item[] = [];
  let waiting = new Map<number, Item | undefined>();
  let next = 0;
  /** How many of `ready` the consumer has had. */
  let at = 0;
  let wake: (() => void) | undefined;
  let over = false;
  let held = false;
  const sink = (job: Item & { readonly index: number }, failed: boolean): void => {
    if (!iteration.ordered) {
      if (!failed) ready.push(job);
    } else {
      waiting.set(job.index, failed ? undefined : job);
      for (; waiting.has(next); next += 1) {
        const item = waiting.get(next);
        waiting.delete(next);
        if (item !== undefined) ready.push(item);
      }
    }
    if (!held && ready.length - at >= HIGH_WATER) {
      held = true;
      iteration.hold(true);
    }
    wake?.();
  };
  const ended = iteration.run(sink).finally(() => {
    over = true;
    // What an early end left out of order has no earlier ones to wait for any more.
    for (const index of [...waiting.keys()].sort((a, b) => a - b)) {
      const item = waiting.get(index);
      if (item !== undefined) ready.push(item);
    }
    waiting = new Map();
    wake?.();
  });
  ended.catch(() => {});
  try {
    for (;;) {
      if (at < ready.length) {
        const item = ready[at++] as Item;
        // A consumer that never catches up must not keep all that it had.
        if (at >= HIGH_WATER) {
          ready = ready.slice(at);
          at = 0;
        }
        yield item;
        if (held && ready.length - at <= LOW_WATER) {
          held = false;
          iteration.hold(false);
        }
        continue;
      }
      ready = [];
      at = 0;
      if (over) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    await ended;
  } finally {
    if (!over) {
      iteration.hold(false);
      await iteration.stop();
    }
  }
}
