import { spawn } from 'node:child_process';

/**
 * Whether the kernel can end a child with its parent, even one that is busy in a synchronous loop.
 *
 * util-linux's `setpriv --pdeathsig KILL program` sets PR_SET_PDEATHSIG and then becomes the program: same pid, same
 * channel, about a millisecond. Other systems have no such call, and busybox's setpriv may not know the flag, so it is
 * tried once, with `true` as the program.
 */

/** The command to put in front of a child's own, or none. */
export type ParentDeathPrefix = readonly string[] | undefined;

const PREFIX = ['setpriv', '--pdeathsig', 'KILL'] as const;

let probe: Promise<ParentDeathPrefix> | undefined;

/** Asks once a process; later calls share the answer. */
export function probeParentDeathSignal(): Promise<ParentDeathPrefix> {
  probe ??= new Promise((resolve) => {
    if (process.platform !== 'linux') {
      resolve(undefined);
      return;
    }
    const child = spawn(PREFIX[0], [...PREFIX.slice(1), 'true'], { stdio: 'ignore' });
    child.once('error', () => resolve(undefined));
    child.once('exit', (code) => resolve(code === 0 ? PREFIX : undefined));
  });
  return probe;
}
