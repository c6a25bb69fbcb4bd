import type { Clock } from './clock.js';
import { statusField } from './proc-status.js';

const usage = process.resourceUsage.bind(process);

/** Milliseconds between two samples: one takes as long as a hundred tiny jobs. */
const SAMPLE_MS = 250;

/**
 * The largest resident set of this process so far, in bytes.
 *
 * Linux keeps it in `VmHWM` for the program that runs now; what `getrusage` says there is inherited: a small worker of a
 * large manager would seem as large as the manager was at the fork.
 */
export function peakRss(): number {
  const kilobytes = Number.parseInt(statusField('VmHWM') ?? '', 10) || usage().maxRSS;
  return kilobytes * 1024;
}

/** Samples of it, for who asks often: 0 between two. */
export function peakRssSampler(clock: Clock): () => number {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    const now = clock.now();
    if (now - last < SAMPLE_MS) return 0;
    last = now;
    return peakRss();
  };
}
