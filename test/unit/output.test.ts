import { describe, expect, test } from 'vitest';
import { LineSplitter, Tail, wholeLine } from '../../src/manager/output.js';

/** Characters of a line that is kept whole. */
const MAX_LINE = 2 ** 20;

/** The lines of some text that arrives in chunks of so many bytes. */
function split(text: string, size: number): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) splitter.write(bytes.subarray(at, at + size));
  splitter.end();
  return lines;
}

describe('lines of output', () => {
  test.each([1, 2, 3, 5, 1000])('are whole however they arrive: %i bytes at a time', (size) => {
    expect(split('grün\n日本語 👍🏽\r\n\nlast', size)).toEqual(['grün', '日本語 👍🏽', '', 'last']);
    expect(split('10 %\r20 %\rdone\r\n', size)).toEqual(['10 %', '20 %', 'done']);
    expect(split('half\r', size)).toEqual(['half']);
  });

  test('come as soon as they are whole', () => {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    splitter.write(Buffer.from('one\ntw'));
    expect(lines).toEqual(['one']);
    splitter.write(Buffer.from('o\n'));
    expect(lines).toEqual(['one', 'two']);
    splitter.end();
    expect(lines).toEqual(['one', 'two']);
  });

  test('that are very long come in pieces, and nothing is lost', () => {
    const long = 'x'.repeat(2_500_000);
    const lines = split(`${long}\nshort\n`, 50_000);
    expect(lines.at(-1)).toBe('short');
    expect(lines.slice(0, -1).join('')).toBe(long);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(MAX_LINE);
  });

  test.each([
    ['a character', '👍'],
    ['a colour', '\u001b[38;5;208m'],
  ])('that are very long are not cut in the middle of %s', (_, whole) => {
    for (let before = MAX_LINE - whole.length; before <= MAX_LINE; before += 1) {
      const long = `${'x'.repeat(before)}${whole}${'y'.repeat(100)}`;
      const lines = split(long, 1_000_000);
      expect(lines.join('')).toBe(long);
      expect(lines.filter((line) => line.includes(whole))).toHaveLength(1);
    }
  });

  test('do not keep the characters of a view beyond it', () => {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    splitter.write(new Uint8Array(Buffer.from('before\nmine\nafter\n')).subarray(7, 12));
    splitter.end();
    expect(lines).toEqual(['mine']);
  });
});

describe('the last lines', () => {
  test('are the last twenty, each cut to a thousand characters', () => {
    const tail = new Tail();
    for (let i = 1; i <= 25; i += 1) tail.push(`line ${i}`);
    tail.push('y'.repeat(2000));
    const lines = String(tail).split('\n');
    expect(lines).toHaveLength(20);
    expect(lines[0]).toBe('line 7');
    expect(lines.at(-1)).toBe(`${'y'.repeat(1000)}…`);
  });

  test('are at most 8 KiB together', () => {
    const tail = new Tail();
    for (let i = 0; i < 20; i += 1) tail.push('z'.repeat(1000));
    expect(String(tail)).toHaveLength(8 * 1024);
  });

  test('of one that said nothing are empty', () => {
    expect(String(new Tail())).toBe('');
  });
});

describe('a whole line', () => {
  test('is marked with its worker, or not', () => {
    expect(wholeLine('hello', '3')).toBe('[3] hello\n');
    expect(wholeLine('hello')).toBe('hello\n');
  });

  test('ends a colour it left on', () => {
    expect(wholeLine('\u001b[31mred', '3')).toBe('[3] \u001b[31mred\u001b[0m\n');
    expect(wholeLine('\u001b[31mred\u001b[0m')).toBe('\u001b[31mred\u001b[0m\n');
  });
});
