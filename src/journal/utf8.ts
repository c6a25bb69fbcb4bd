import { isUtf8 } from 'node:buffer';

/**
 * The text of bytes; undefined where they are not UTF-8, since what Node makes of them would be another text.
 *
 * @throws Error if no string can hold it
 */
export function utf8(bytes: Buffer, start = 0, end = bytes.length): string | undefined {
  const text = bytes.toString('utf8', start, end);
  // U+FFFD is what Node puts in place of what it can't read, and may stand there by right.
  return text.includes('\uFFFD') && !isUtf8(bytes.subarray(start, end)) ? undefined : text;
}
