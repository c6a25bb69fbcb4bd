import type { Clock, Timer } from '../clock.js';

/**
 * Waits for something that may never come, or fail: both are as good as done for whoever is leaving.
 * @param limit milliseconds
 * @returns whether it came in time
 */
export async function within(
  limit: number,
  clock: Clock,
  work: Promise<unknown> | undefined,
): Promise<boolean> {
  if (work === undefined) return true;
  let timer: Timer | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = clock.after(limit, () => resolve(false));
  });
  const done = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([done, late]);
  } finally {
    clock.clear(timer);
  }
}
