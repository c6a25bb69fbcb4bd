import fs from 'node:fs';
import { JournalError } from '../errors.js';

/** The calls on files that a journal makes; `node:fs`, or a double of it that fails on demand. */
export type JournalIo = Pick<
  typeof fs,
  | 'openSync'
  | 'statSync'
  | 'fstatSync'
  | 'readSync'
  | 'writeSync'
  | 'ftruncateSync'
  | 'fdatasync'
  | 'fdatasyncSync'
  | 'closeSync'
>;

/** The real one. */
export const nodeIo: JournalIo = fs;

/** What to do about an error of the system, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full. Nothing recorded is lost: make room and start the run again.',
  EDQUOT: 'The disk quota is used up. Nothing recorded is lost: make room and start the run again.',
  EFBIG:
    'It may not grow further (`ulimit -f`, or its file system). Nothing recorded is lost: raise that limit and start the run again.',
  EACCES: 'This user must be allowed to read and write it, and to create files in its folder.',
  EPERM: 'This user must be allowed to read and write it, and to create files in its folder.',
  EROFS: 'It is on a read-only file system: choose a path that can be written.',
  EISDIR: 'It is a folder: give the path of a file.',
  ENOENT: 'Its folder does not exist: create it first.',
  ESPIPE: 'It must be a regular file, not a device, a pipe or a socket.',
  ENOTDIR: 'A part of its path is no folder, so it can not exist there.',
};

/**
 * The error to throw for a failed call: what could not be done with which file, why, and what to do.
 *
 * @param what such as `write to the journal november.jsonl`
 */
export function ioError(what: string, cause: unknown): JournalError {
  const advice = ADVICE[codeOf(cause)];
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new JournalError(`Can not ${what}: ${reason}.${advice === undefined ? '' : ` ${advice}`}`, {
    cause,
  });
}

/** The code of an error of the system, such as `ENOENT`; `''` for anything else. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
