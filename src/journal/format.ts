import { win32 } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorToWire } from '../error-wire.js';
import { JournalError } from '../errors.js';
import type { LineBuffer } from './line-buffer.js';
import { roomFor } from './line-buffer.js';
import type { JournalCrash, JournalRecord, JournalRetry } from './types.js';
import { MAX_FIELD, valueField } from './values.js';

/** What every journal begins with. */
export const MAGIC = '{"type":"threadfactory-journal"';

/** Of the format: it changes when a reader of the old one would misunderstand the new one. */
export const VERSION = 1;

/** The fields of a line. */
export type Fields = Readonly<Record<string, unknown>>;

/** The first line. */
export interface Header {
  readonly version: number;
  /** The file name of the module that holds the functions, without its folder. */
  readonly module: string;
  /** Whether jobs are named by a key, not by position and hash. */
  readonly keyed: boolean;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

/** The header's line. Of the module only the file name is kept: a folder may move, and paths are nobody's business. */
export function headerLine(module: string, keyed: boolean, createdAt: number): string {
  const fields = { version: VERSION, module: fileNameOf(module), keyed, createdAt };
  return `${MAGIC},${JSON.stringify(fields).slice(1)}\n`;
}

/** The last part of a path, of this system or another, or of a `file:` URL. */
export function fileNameOf(module: string): string {
  const path = module.startsWith('file:') ? fileURLToPath(module) : module;
  return win32.basename(path);
}

/**
 * The header in the fields of a first line.
 *
 * @throws JournalError for a newer version, or for one that is damaged
 */
export function readHeader(fields: Fields, path: string): Header {
  const { version, module, keyed, createdAt } = fields;
  if (typeof version === 'number' && version > VERSION) {
    throw new JournalError(
      `The journal ${path} was written by a newer version of threadfactory (format ${version}; this one reads ` +
        `format ${VERSION}). Update threadfactory, or choose another path.`,
      { line: 1 },
    );
  }
  const isNumbered = typeof version === 'number' && typeof createdAt === 'number';
  if (!isNumbered || typeof module !== 'string' || typeof keyed !== 'boolean') {
    throw damagedHeader(path, 'fields are missing');
  }
  return { version, module, keyed, createdAt };
}

/** For a first line that is a header, but one that can't be read. */
export function damagedHeader(path: string, reason: string): JournalError {
  return new JournalError(
    `Line 1 of the journal ${path}, its header, can not be read: ${reason}. ` +
      'Restore the file from a copy, or choose another path.',
    { line: 1 },
  );
}

/** For any other line that can't be read, unless it is the last one. */
export function damagedLine(path: string, line: number, cause: unknown): JournalError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  // The line is whole, and what is in it is of another version of Node: so others are likely to be as well.
  const origin =
    cause instanceof JournalError
      ? 'Start again with the version that wrote it, or delete that line'
      : 'A crash damages the last line alone, so this happened later. Delete that line and start again';
  return new JournalError(
    `Line ${line} of the journal ${path} can not be read: ${reason}. ${origin}: its job runs once more, all others stay recorded.`,
    { line, cause },
  );
}

/** The field for what came of a job, beside what names it. Throws as `valueField` does. */
export function outcomeField(record: JournalRecord, who: string): string {
  const [name, value] =
    'error' in record
      ? (['error', errorToWire(record.error)] as const)
      : (['result', record.result] as const);
  // Of a job whose text is its key there may be much of both.
  return valueField(name, value, MAX_FIELD - roomFor(who));
}

/** How lines name the job they are about: by the JSON text that is written between these. */
export interface Naming {
  readonly before: string;
  readonly after: string;
}

/** All of a settled line but its identity, its outcome and a machine's name takes fewer bytes than this. */
const FIXED_BYTES = 250;

/**
 * One settled job: which it is, how it was run, and what came of it last, since that may be long.
 *
 * @param who from `JobIndex.identify`
 * @param what from `outcomeField`
 */
export function writeSettledLine(
  lines: LineBuffer,
  record: JournalRecord,
  naming: Naming,
  { who, what }: { readonly who: string; readonly what: string },
): void {
  const { machine } = record;
  const hasFailed = 'error' in record;
  const where = machine === undefined ? '' : `,"machine":${JSON.stringify(machine)}`;
  lines.reserve(FIXED_BYTES + roomFor(who) + roomFor(what) + roomFor(where));
  lines.ascii(hasFailed ? '{"type":"failed","index":' : '{"type":"completed","index":');
  lines.number(record.index);
  lines.ascii(naming.before);
  lines.text(who);
  lines.ascii(naming.after);
  lines.ascii(',"attempt":');
  lines.number(hasFailed ? record.attempts : record.attempt);
  lines.ascii(',"id":');
  lines.number(record.id);
  lines.text(where);
  lines.ascii(',"startedAt":');
  lines.ascii(epochText(record.startedAt));
  lines.ascii(',"duration":');
  writeDuration(lines, record.duration);
  lines.text(what);
  lines.ascii('}\n');
}

let lastEpoch = -1;
let lastEpochText = '';

/** Small jobs begin by the hundred in one millisecond, and writing such a number takes as long as half a hash. */
function epochText(epoch: number): string {
  if (epoch !== lastEpoch) {
    lastEpoch = epoch;
    lastEpochText = Number.isFinite(epoch) ? String(Math.round(epoch)) : '0';
  }
  return lastEpochText;
}

/** `''`, `'.001'` … `'.999'`. */
const THOUSANDTHS = Array.from({ length: 1000 }, (_, i) => String(i / 1000).slice(1));

/** Milliseconds to three decimals; v8 takes long to write a fraction. */
function writeDuration(lines: LineBuffer, milliseconds: number): void {
  const microseconds = Math.round(milliseconds * 1000);
  if (!(microseconds >= 0 && microseconds < 2 ** 31)) {
    lines.number(microseconds / 1000);
    return;
  }
  const thousandths = microseconds % 1000;
  lines.number((microseconds - thousandths) / 1000);
  lines.ascii(THOUSANDTHS[thousandths] ?? '');
}

/** A failed attempt that is going to be followed by another one. @param at epoch milliseconds */
export function retryLine(retry: JournalRetry, at: number, { before, after }: Naming, who: string): string {
  const { index, attempt, id, delay } = retry;
  const fields = JSON.stringify({ attempt, id, at, delay }).slice(1, -1);
  return `{"type":"retry","index":${index}${before}${who}${after},${fields}${valueField('error', errorToWire(retry.error))}}\n`;
}

/** The end of a worker that was not asked to end. @param at epoch milliseconds */
export function crashLine(crash: JournalCrash, at: number): string {
  const { id, pid, code, signal, jobs } = crash;
  return `${JSON.stringify({ type: 'crash', id, pid, at, code, signal, jobs })}\n`;
}
