import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, delimiter, isAbsolute, join } from 'node:path';
import { statusField } from '../proc-status.js';

/**
 * Whether the kernel can end a child with its parent, even one that is busy in a synchronous loop.
 *
 * util-linux's `setpriv --pdeathsig KILL program` sets PR_SET_PDEATHSIG and then becomes the program: same pid, same
 * channel, about a millisecond. Other systems have no such call, and older versions and busybox's may not know the
 * flag. A program of its own that holds the flag's name knows it, which takes a tenth of a millisecond to see; one that
 * is a part of another, such as busybox, is tried once, with `true` as the program, which takes as long as a fork.
 *
 * The kernel forgets the signal of a program that gains rights when it starts, such as a Node with `setcap`.
 */

/** The command to put in front of a child's own, or none. */
export type ParentDeathPrefix = readonly string[] | undefined;

const NAME = 'setpriv';
const FLAG = 'pdeathsig';

let found: Promise<ParentDeathPrefix> | undefined;

/** Asks once a process; later calls share the answer. */
export function probeParentDeathSignal(): Promise<ParentDeathPrefix> {
  // Where it can't be looked at (no descriptor is left, say) the workers watch for themselves.
  found ??= findParentDeathSignal(process.env['PATH'] ?? '').catch(() => undefined);
  return found;
}

/** @param path folders to look for the program in, as in the variable PATH */
export async function findParentDeathSignal(path: string): Promise<ParentDeathPrefix> {
  if (process.platform !== 'linux' || gainsRights(process.getuid?.() ?? 0, permitted)) return undefined;
  for (const folder of path.split(delimiter).filter(isAbsolute)) {
    const program = join(folder, NAME);
    if (!isProgram(program, constants.X_OK | constants.R_OK)) continue;
    const prefix = [program, `--${FLAG}`, 'KILL'];
    const real = realpathSync(program);
    const knows = basename(real) === NAME ? readFileSync(real).includes(FLAG) : await works(prefix);
    return knows ? prefix : undefined;
  }
  return undefined;
}

/**
 * Whether this process has rights that a user has not, so that its program brings them along, and will again.
 * @param permitted its capabilities, in hexadecimal digits; undefined where nobody knows: programs that gain rights are rare
 */
export function gainsRights(uid: number, permitted: () => string | undefined): boolean {
  return uid !== 0 && Number.parseInt(permitted() ?? '0', 16) > 0;
}

function permitted(): string | undefined {
  return statusField('CapPrm');
}

/** Whether there is a file with these rights for us. */
export function isProgram(path: string, rights: number = constants.X_OK): boolean {
  try {
    // An error for each folder without it would cost more than all else here.
    if (!existsSync(path) || !statSync(path).isFile()) return false;
    accessSync(path, rights);
    return true;
  } catch {
    // Not for us, or no folder.
    return false;
  }
}

function works([program = '', ...flags]: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(program, [...flags, 'true'], { stdio: 'ignore' });
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}
