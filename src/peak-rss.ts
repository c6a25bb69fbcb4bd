import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import type { Clock } from './clock.js';

const usage = process.resourceUsage.bind(process);

const STATUS = '/proc/self/status';
const FIELD = /^VmHWM:\s*(\d+) kB$/m;
/** Of some 1,500; room for so many is there already. */
const START_BYTES = 4000;
/** Milliseconds between two samples: one takes as long as a hundred tiny jobs. */
const SAMPLE_MS = 250;

/**
 * The largest resident set of this process so far, in bytes.
 *
 * Linux keeps it in `VmHWM` for the program that runs now (proc_pid_status(5)); what `getrusage` says there is inherited:
 * a small worker of a large manager would seem as large as the manager was at the fork.
 */
export function peakRss(): number {
  return (process.platform === 'linux' ? highWater(STATUS) : undefined) ?? usage().maxRSS * 1024;
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

/**
 * Bytes in `VmHWM`; undefined where there is no such file or field.
 * @param status as `/proc/self/status`
 */
export function highWater(status: string): number | undefined {
  try {
    // The groups that the process is in come before it, and may be thousands.
    const [, kilobytes] = FIELD.exec(startOf(status)) ?? FIELD.exec(readFileSync(status, 'latin1')) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    // No /proc here: a chroot, say.
    return undefined;
  }
}

/** Files of /proc have no size: `readFileSync` makes room for 64 KB, which takes twice as long as all else. */
function startOf(path: string): string {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.allocUnsafe(START_BYTES);
    return bytes.toString('latin1', 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}
