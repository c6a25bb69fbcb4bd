import { constants } from 'node:buffer';
import { utf8 } from '../journal/utf8.js';
import { UsageError } from './parse.js';

/**
 * Jobs from standard input, read as they are wanted: a list that is longer than memory, or that is not finished yet.
 */

/** How the jobs are written. */
export type Format = 'lines' | 'jsonl';

/**
 * A job a line: the line itself, or the value of the JSON on it. Blank lines are left out, and a carriage
 * return at the end of one is no part of it.
 * @throws UsageError naming the line that is not JSON, or no text
 */
export async function* jobsOf(
  input: AsyncIterable<Uint8Array | string>,
  format: Format,
): AsyncGenerator<unknown> {
  let number = 0;
  for await (const bytes of linesOf(input)) {
    number += 1;
    const line = textOf(bytes, number);
    const text = number === 1 ? line.replace(/^\ufeff/, '') : line;
    if (text.trim() === '') continue;
    yield format === 'lines' ? text : parsed(text, number);
  }
}

function parsed(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(
      `Line ${number} of standard input is not JSON: ${shown}\n${why}. ` +
        '--stdin jsonl wants one JSON value a line; for plain text there is --stdin lines.',
    );
  }
}

function textOf(bytes: Buffer | undefined, number: number): string {
  if (bytes === undefined) {
    throw new UsageError(
      `Line ${number} of standard input has more than ${constants.MAX_STRING_LENGTH} bytes, and a string can not hold them. ` +
        'Put it into a file, and give the path of that.',
    );
  }
  const line = bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes;
  const text = utf8(line);
  if (text !== undefined) return text;
  throw new UsageError(
    `Line ${number} of standard input is not UTF-8: ${line.toString('utf8', 0, 80)}\nWhat is not would be another job than what was meant.`,
  );
}

const [NEWLINE, RETURN] = [10, 13];

/** Undefined for a line that no string can hold: it may have no end. */
async function* linesOf(input: AsyncIterable<Uint8Array | string>): AsyncGenerator<Buffer | undefined> {
  // In pieces: a line of many chunks is put together once.
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const chunk of input) {
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk)
        : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let from = 0, end = 0; from < bytes.length; from = end + 1) {
      const newline = bytes.indexOf(NEWLINE, from);
      end = newline === -1 ? bytes.length : newline;
      pieces.push(bytes.subarray(from, end));
      length += end - from;
      if (length > constants.MAX_STRING_LENGTH) yield undefined;
      if (newline === -1) continue;
      yield pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
      pieces = [];
      length = 0;
    }
  }
  if (pieces.length > 0) yield Buffer.concat(pieces);
}
