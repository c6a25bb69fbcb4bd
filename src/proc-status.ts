import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** Bytes that are read first, of some 1,500: room for so many is there already. */
const START_BYTES = 4000;

/**
 * A field of what Linux tells of this process (proc_pid_status(5)), without the blanks before it.
 * @param file another one of that form
 * @returns undefined where there is no such field, or no such file: another system, or a chroot without /proc
 */
export function statusField(name: string, file = '/proc/self/status'): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const line = new RegExp(`^${name}:\\s*(.*)\\n`, 'm');
  try {
    // The groups that the process is in are among the first fields, and may be thousands.
    return (line.exec(startOf(file)) ?? line.exec(readFileSync(file, 'latin1')))?.[1];
  } catch {
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
