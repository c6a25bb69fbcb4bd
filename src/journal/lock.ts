import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { JournalError } from '../errors.js';
import { codeOf, ioError } from './io.js';

/*
 * Who may write a journal. Node has no flock, and a file that everyone creates under one name has a known flaw: of two
 * processes that find it stale at once, the slower deletes what the faster has just created. So here nothing is shared:
 *
 * - Beside the journal is a folder, `<journal>.lock`. Each process that wants the journal creates a claim in it, a file
 *   whose name says who it is (pid, when that process started, boot, pid namespace, host) and is used only once. A
 *   dead process stays dead, so its claim may be deleted by anyone at any time.
 * - Create first, list afterwards: of two processes that claim at once at least one sees the other. One that sees no
 *   other living claim holds the journal, and says so by writing into its claim. One that sees a claim with something
 *   in it is refused. Of those that only want it, the one whose name sorts first waits; the others withdraw and try again.
 *
 * A claim of another host can't be checked, so it counts as living. What is taken for one machine: the same boot and pid
 * namespace, or the same host name (a container that was restarted, a machine after a reboot). So machines that share a
 * folder need different names.
 */

/** The right to write a journal. */
export interface Lock {
  /** Gives it up. A second call does nothing. */
  release(): void;
}

interface Claim {
  readonly name: string;
  readonly pid: number;
  /** When the process started, in the system's own unit; `''` where it can't be told. */
  readonly started: string;
  readonly boot: string;
  readonly namespace: string;
  readonly host: string;
}

/** How often and how long, in ms, to wait for others that want the lock at the same moment. */
const ROUNDS = 40;
const PAUSE_MS = 10;

/**
 * Takes the lock of a journal, or throws a JournalError that names the process which holds it.
 *
 * @param path an existing file; it has one lock by whatever links it is reached
 */
export function acquireLock(path: string): Lock {
  const mine = ownClaim();
  let folder = '';
  let rival: Claim | undefined;
  try {
    folder = `${realpathSync(path)}.lock`;
    rival = claim(folder, mine);
    if (rival === undefined) return heldLock(folder, mine.name);
    removeClaim(folder, mine.name);
  } catch (error) {
    if (folder !== '') abandonClaim(folder, mine.name);
    throw ioError(`lock the journal ${path}`, error);
  }
  throw refusal(path, folder, rival);
}

/** Undefined when the lock is ours, else one that keeps us from it. */
function claim(folder: string, mine: Claim): Claim | undefined {
  let rival: Claim | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    createClaim(folder, mine.name);
    const rivals = livingRivals(folder, mine);
    if (rivals.length === 0) {
      writeFileSync(join(folder, mine.name), `held since ${new Date().toISOString()}\n`);
      return undefined;
    }
    const holder = rivals.find((other) => isHeld(folder, other.name));
    if (holder !== undefined) return holder;
    rival = rivals[0];
    if (rivals.some((other) => other.name < mine.name)) removeClaim(folder, mine.name);
    pause(PAUSE_MS * (1 + Math.random()));
  }
  return rival;
}

function heldLock(folder: string, name: string): Lock {
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      try {
        removeClaim(folder, name);
      } catch (error) {
        throw ioError(`unlock the journal (${folder})`, error);
      }
    },
  };
}

function refusal(path: string, folder: string, holder: Claim): JournalError {
  const here = holder.host === hostName();
  const who = holder.pid === process.pid && here ? 'this process itself' : `process ${holder.pid}`;
  const where = here ? '' : ` on ${holder.host}`;
  return new JournalError(
    `The journal ${path} is in use by ${who}${where}, and two runs can not write one journal. ` +
      `Wait for that run to end, or choose another path. If no such run is left, delete ${folder} and start again.`,
  );
}

/** In a folder that another process may be deleting. */
function createClaim(folder: string, name: string): void {
  for (let tries = 1; ; tries++) {
    try {
      mkdirSync(folder);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    try {
      writeFileSync(join(folder, name), '', { flag: 'a' });
      return;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || tries === ROUNDS) throw error;
    }
  }
}

function removeClaim(folder: string, name: string): void {
  rmSync(join(folder, name), { force: true });
  try {
    rmdirSync(folder);
  } catch {
    // Others have a claim in it, have deleted it before us, or look into it (Windows). An empty one harms nobody.
  }
}

/** After a failure that is going to be reported. */
function abandonClaim(folder: string, name: string): void {
  try {
    removeClaim(folder, name);
  } catch {
    // What has just failed (a full disk, a folder that may not be written) is why this fails as well.
  }
}

/** The claims of others whose process lives, or may; those of the dead are deleted on the way. */
function livingRivals(folder: string, mine: Claim): Claim[] {
  const rivals: Claim[] = [];
  for (const name of readdirSync(folder)) {
    const other = parseClaim(name);
    // A file that is no claim (a desktop's, a network file system's) is left alone.
    if (name === mine.name || other === undefined) continue;
    if (mayLive(other, mine)) rivals.push(other);
    else rmSync(join(folder, name), { force: true });
  }
  return rivals;
}

function isHeld(folder: string, name: string): boolean {
  return (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0) > 0;
}

function mayLive(claim: Claim, mine: Claim): boolean {
  const sameBoot = claim.boot === mine.boot;
  const sameSystem = sameBoot && claim.boot !== '' && claim.namespace === mine.namespace;
  if (!sameSystem && claim.host !== mine.host) return true;
  if (!sameBoot) return false;
  return isRunning(claim.pid, claim.started);
}

/** Whether that very process runs, not one that was given its pid later. */
function isRunning(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Anything but "no such process" (EPERM: another user's) says that it is there.
    if (codeOf(error) === 'ESRCH') return false;
  }
  const stat = processStat(pid);
  if (stat === undefined || started === '') return true;
  return stat.started === started && stat.state !== 'Z' && stat.state !== 'X';
}

function ownClaim(): Claim {
  const { pid } = process;
  const started = processStat(pid)?.started ?? '';
  const boot = systemText(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1'));
  const namespace = systemText(() => readlinkSync('/proc/self/ns/pid'));
  const host = hostName();
  const token = randomBytes(6).toString('hex');
  return {
    name: [token, pid, started, boot, namespace, host].join('.'),
    pid,
    started,
    boot,
    namespace,
    host,
  };
}

function parseClaim(name: string): Claim | undefined {
  const [token, pid, started, boot, namespace, ...host] = name.split('.');
  if (token === undefined || pid === undefined || !/^\d+$/.test(pid) || host.length === 0) return undefined;
  if (started === undefined || boot === undefined || namespace === undefined) return undefined;
  return { name, pid: Number(pid), started, boot, namespace, host: host.join('.') };
}

/** Safe in a file name, and short enough for one. */
function hostName(): string {
  return hostname()
    .replaceAll(/[^\w.-]/g, '_')
    .slice(0, 120);
}

/** Letters, digits and dashes of what only Linux has; `''` elsewhere. */
function systemText(read: () => string): string {
  try {
    return read().replaceAll(/[^\w-]/g, '');
  } catch {
    // No /proc, or not for us: the claim does without.
    return '';
  }
}

/** State and start (clock ticks since boot) of a process; undefined where there is no /proc, or no such process in it. */
function processStat(pid: number): { state: string; started: string } | undefined {
  const text = systemStat(pid);
  // The second field is the program's name in brackets, and may hold blanks and brackets itself. See proc(5).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, started] = [fields[0], fields[19]];
  return state === undefined || started === undefined ? undefined : { state, started };
}

function systemStat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    // Not Linux, or hidden from us: then its pid alone has to do.
    return '';
  }
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
