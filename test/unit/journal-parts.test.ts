import { closeSync, openSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { JournalIo } from '../../src/journal/io.js';
import { ioError, nodeIo } from '../../src/journal/io.js';
import { JobsOut } from '../../src/journal/jobs-out.js';
import { LineBuffer, roomFor } from '../../src/journal/line-buffer.js';
import { LineCache, LineReader, lineNumberAt } from '../../src/journal/lines.js';
import { KeyOffsets, PositionOffsets } from '../../src/journal/offsets.js';
import { useJournals } from '../helpers/journal.js';

const journals = useJournals();

function withFile<Result>(text: string, use: (fd: number) => Result): Result {
  writeFileSync(journals.path(), text);
  const fd = openSync(journals.path(), 'r');
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Lines of very different lengths, some longer than any buffer or block. */
const lines = Array.from(
  { length: 2000 },
  (_, i) => `${i} ${'é'.repeat(i % 500 === 499 ? 700_000 : i % 97)}`,
);
const text = `${lines.join('\n')}\n`;
let length = 0;
const offsets = lines.map((line) => {
  const offset = length;
  length += Buffer.byteLength(line) + 1;
  return offset;
});

/** Reads no more at once than a few bytes, as a network file system may. */
const stingy: JournalIo = {
  ...nodeIo,
  readSync: ((fd: number, buffer: Buffer, offset: number, length: number, position: number) =>
    nodeIo.readSync(fd, buffer, offset, Math.min(length, 60_000), position)) as JournalIo['readSync'],
};

describe('the line reader', () => {
  test.each([
    ['in full', nodeIo],
    ['in pieces', stingy],
  ])('goes through all lines of a file that is read %s', (_, io) => {
    withFile(text, (fd) => {
      const reader = new LineReader(io, fd);
      const seen: string[] = [];
      const places: number[] = [];
      while (reader.next()) {
        seen.push(reader.text());
        places.push(reader.offset);
        expect(reader.isWhole).toBe(true);
        expect(reader.number).toBe(seen.length);
      }
      expect(seen).toEqual(lines);
      expect(places).toEqual(offsets);
      expect(reader.next()).toBe(false);
    });
  });

  test('tells a last line without a newline', () => {
    withFile('one\ntwo', (fd) => {
      const reader = new LineReader(nodeIo, fd);
      expect([reader.next(), reader.isWhole, reader.end]).toEqual([true, true, 4]);
      expect([reader.next(), reader.isWhole, reader.end, reader.text()]).toEqual([true, false, 7, 'two']);
      expect(reader.next()).toBe(false);
    });
  });

  test('finds nothing in an empty file', () => {
    withFile('', (fd) => expect(new LineReader(nodeIo, fd).next()).toBe(false));
  });

  test('numbers the line at an offset', () => {
    withFile(text, (fd) => {
      for (const i of [0, 1, 600, 1999]) expect(lineNumberAt(nodeIo, fd, offsets[i] ?? 0)).toBe(i + 1);
    });
  });
});

describe('the line cache', () => {
  test.each([
    ['in full', nodeIo],
    ['in pieces', stingy],
  ])('reads any line by its offset when blocks are read %s', (_, io) => {
    withFile(text, (fd) => {
      const cache = new LineCache(io, fd);
      for (let step = 0; step < lines.length; step++) {
        const i = (step * 1237) % lines.length;
        expect(cache.read(offsets[i] ?? 0) === lines[i]).toBe(true);
      }
    });
  });

  test('gives what there is where the file ends', () => {
    withFile('one\ntwo', (fd) => expect(new LineCache(nodeIo, fd).read(4)).toBe('two'));
  });
});

describe('the line buffer', () => {
  test('writes numbers as JSON does', () => {
    const numbers = [0, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 53, -1, -0, 0.25, 1e21, 1e-7];
    for (const number of [...numbers, ...Array.from({ length: 10 }, (_, i) => 10 ** i)]) {
      const buffer = new LineBuffer();
      buffer.number(number);
      expect(JSON.parse(buffer.bytes.toString())).toBe(Object.is(number, -0) ? 0 : number);
    }
  });

  test('writes any text as UTF-8, short or long', () => {
    const texts = [
      '',
      'abc',
      'é',
      'a€b',
      '🏭',
      'x'.repeat(64),
      `${'x'.repeat(63)}é`,
      'é'.repeat(100),
      'x'.repeat(70_000),
    ];
    const buffer = new LineBuffer();
    for (const each of texts) {
      buffer.reserve(roomFor(each));
      buffer.text(each);
    }
    expect(buffer.bytes.toString()).toBe(texts.join(''));
  });

  test('grows as far as it must, and gives the room back', () => {
    const buffer = new LineBuffer();
    const large = '€'.repeat(1_000_000);
    for (let i = 0; i < 3; i++) {
      buffer.reserve(roomFor(large));
      buffer.text(large);
    }
    expect(buffer.length).toBe(9_000_000);
    expect(buffer.bytes.toString() === large.repeat(3)).toBe(true);
    buffer.clear();
    buffer.ascii('again');
    expect(buffer.bytes.toString()).toBe('again');
  });
});

describe('the texts of jobs that are out', () => {
  test('are kept for any indices until each job has settled', () => {
    const texts = new JobsOut();
    const indices = [0, 1, 16_384, 32_768, 32_769, 2 ** 40];
    for (const index of indices) texts.set(index, `old ${index}`);
    for (const index of indices) texts.set(index, `job ${index}`);
    for (const index of indices) expect(texts.get(index)).toBe(`job ${index}`);
    expect(texts.get(2)).toBeUndefined();
    for (const [at, index] of indices.entries()) {
      texts.delete(index);
      expect(indices.map((each) => texts.get(each) !== undefined)).toEqual(indices.map((_, i) => i > at));
    }
  });
});

describe('offsets', () => {
  test('by position are kept far out as well as near', () => {
    const positions = new PositionOffsets();
    for (const position of [0, 1, 4095, 4096, 2 ** 40]) positions.set(position, position + 1);
    expect([0, 1, 2, 4095, 4096, 2 ** 40, 2 ** 41].map((position) => positions.get(position))).toEqual([
      1,
      2,
      0,
      4096,
      4097,
      2 ** 40 + 1,
      0,
    ]);
  });

  test('by key are kept for more keys than a Map holds', () => {
    const keys = new KeyOffsets(10);
    for (let i = 0; i < 100; i++) expect(keys.set(`key ${i}`, i)).toBe(true);
    for (let i = 0; i < 100; i += 2) expect(keys.set(`key ${i}`, -i)).toBe(false);
    expect([keys.get('key 7'), keys.get('key 98'), keys.get('key 100')]).toEqual([7, -98, undefined]);
  });
});

describe('an error of a call', () => {
  test('says what to do where that is known', () => {
    const error = (code: string) => ioError('do it', Object.assign(new Error('E'), { code })).message;
    expect(error('ENOENT')).toBe('Can not do it: E. Its folder does not exist: create it first.');
    expect(error('EIO')).toBe('Can not do it: E.');
    expect(ioError('do it', 'text').message).toBe('Can not do it: text.');
  });
});
