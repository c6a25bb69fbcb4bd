import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expected } from '../option-checks.js';
import { NAME } from './limits.js';

/** What queues, keys, runs and machines are called. Every name is built here, from our own prefix and a checked name. */

/** The version of what goes through the queue: another one is another queue. */
const FORMAT = 'v1';

/** Keys of one name. */
export interface Names {
  readonly prefix: string;
  /** The BullMQ queue. */
  readonly queue: string;
  /** Who submits: a string with a time limit. */
  readonly lease: string;
  /** Machines that are connected: a hash. */
  readonly machines: string;
  /** The run that was aborted last: a string with a time limit. */
  readonly cancelled: string;
}

/** @param prefix of all keys, for an ACL; @param name what the user calls it */
export function namesOf(prefix: string, name: string): Names {
  const queue = `${name}-${FORMAT}`;
  const ours = `${prefix}:${queue}:tf`;
  return {
    prefix,
    queue,
    lease: `${ours}-manager`,
    machines: `${ours}-machines`,
    cancelled: `${ours}-cancelled`,
  };
}

/** A name of the user's: up to 64 letters, digits, `_`, `.` and `-`. */
export function checkName(value: unknown, option: string): string {
  if (typeof value === 'string' && NAME.test(value)) return value;
  throw expected(option, 'a name of up to 64 letters, digits, `_`, `.` and `-`', value);
}

/** A name nobody has. */
export function randomName(letter: string): string {
  return letter + randomBytes(6).toString('hex');
}

/** The same run again, whoever starts it: what its journal is. */
export function runOf(journal: string | undefined): string {
  if (journal === undefined) return randomName('r');
  return `j${hash(`${hostname()}\n${resolve(journal)}`)}`;
}

/** Hash of the file of a module, by path or `file:` URL: both sides must have the same one. */
export function specHash(module: string): string {
  return hash(readFileSync(module.startsWith('file:') ? fileURLToPath(module) : module));
}

/** What this machine may be called. */
export function machineName(): string {
  const host = hostname()
    .replace(/[^\w.-]/g, '-')
    .slice(0, 40);
  return `${host}-${randomBytes(3).toString('hex')}`;
}

function hash(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
