import { StringDecoder } from 'node:string_decoder';
import { UsageError } from './parse.js';

/**
 * Jobs from standard input, read as they are wanted: a list that is longer than memory, or that is not finished yet.
 */

/** How the jobs are written. */
export type Format = 'lines' | 'jsonl';

/**
 * A job a line: the line itself, or the value of the JSON on it. Lines without anything are left out, and a carriage
 * return at the end of one is no part of it.
 * @throws UsageError naming the line that is not JSON
 */
export async function* jobsOf(
  input: AsyncIterable<Uint8Array | string>,
  format: Format,
): AsyncGenerator<unknown> {
  let number = 0;
  for await (const line of linesOf(input)) {
    number += 1;
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

async function* linesOf(input: AsyncIterable<Uint8Array | string>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  // In pieces: a line of many chunks is put together once.
  let pieces: string[] = [];
  for await (const chunk of input) {
    const text = typeof chunk === 'string' ? chunk : decoder.write(Buffer.from(chunk));
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      pieces.push(text.slice(from, end));
      yield withoutReturn(pieces.join(''));
      pieces = [];
      from = end + 1;
    }
    pieces.push(text.slice(from));
  }
  const last = pieces.join('') + decoder.end();
  if (last !== '') yield withoutReturn(last);
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
