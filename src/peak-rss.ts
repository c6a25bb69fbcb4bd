import { readFileSync } from 'node:fs';
import type { Clock } from './clock.js';

const usage = process.resourceUsage.bind(process);

/** Milliseconds between two samples: one takes as long as a hundred tiny jobs. */
const SAMPLE_MS = 250;

/**
 * The largest resident set of this process so far, in bytes.
 *
 * Linux keeps it in `VmHWM` for the program that runs now (proc_pid_status(5)); what `getrusage` says there is inherited:
 * a small worker of a large manager would seem as large as the manager was at the fork.
 */
export function peakRss(): number {
  return highWater() ?? usage().maxRSS * 1024;
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

function highWater(): number | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const kilobytes = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    // No /proc here: a chroot, say.
    return undefined;
  }
}
