import type { Clock } from './clock.js';
import { statusField } from './proc-status.js';

const usage = process.resourceUsage.bind(process);

/** Milliseconds between two samples: one takes as long as a hundred tiny jobs. */
const SAMPLE_MS = 250;

/** What `getrusage` said first. */
const first = usage().maxRSS;

/**
 * The largest resident set of this process so far, in bytes.
 *
 * What `getrusage` says on Linux may be inherited: a small worker of a large manager would seem as large as the manager was
 * at the fork. What it has risen to since this module was loaded is this program's own; else `VmHWM` is asked, which is
 * always that, but takes a process a millisecond the first time.
 */
export function peakRss(): number {
  const { maxRSS } = usage();
  const kilobytes = maxRSS > first ? maxRSS : Number.parseInt(statusField('VmHWM') ?? '', 10) || maxRSS;
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
