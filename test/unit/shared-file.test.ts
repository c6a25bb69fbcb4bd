import { closeSync, fstatSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openSharedFile } from '../../src/manager/shared-files.js';
import type { SharedLimits } from '../../src/shared-file.js';
import { identityOf, SharedReader, SharedWriter } from '../../src/shared-file.js';

const MB = 1024 * 1024;
const opened: number[] = [];

/**
 * The two ends of a file, in one process, each with a descriptor of its own: of a number that the other end has closed
 * another test's file may have become in the meantime.
 */
function ends(limits?: SharedLimits): { file: number; writer: SharedWriter; reader: SharedReader } {
  const file = openSharedFile();
  if (file === undefined) throw new Error('no shared file here');
  const other = openSync(`/dev/fd/${file}`, 'r+');
  opened.push(file, other);
  return { file, writer: new SharedWriter(file, limits), reader: new SharedReader(other) };
}

function closeAll(): void {
  for (const file of opened.splice(0)) closeSync(file);
}

afterEach(closeAll);

describe('a shared file', () => {
  it('has no name, and is there for its owner alone', () => {
    const { file } = ends();
    const { nlink, mode } = fstatSync(file);
    expect({ nlink, mode: mode & 0o777 }).toEqual({ nlink: 0, mode: 0o600 });
  });

  it('is told from other descriptors, and from closed ones', () => {
    const { file } = ends();
    const folder = openSync(tmpdir(), 'r');
    const known = [identityOf(file), identityOf(ends().file), identityOf(folder)];
    const again = openSync(`/dev/fd/${file}`, 'r');
    expect(identityOf(again)).toBe(known[0]);
    closeSync(again);
    closeSync(folder);
    expect(known).toEqual([
      expect.stringMatching(/^\d+:\d+$/),
      expect.stringMatching(/^\d+:\d+$/),
      undefined,
    ]);
    expect(known[0]).not.toBe(known[1]);
    expect(identityOf(999_999)).toBeUndefined();
  });

  it('gives back what was written, each piece in memory of its own', () => {
    const { writer, reader } = ends();
    const pieces = [Buffer.from('abc'), Buffer.alloc(0), new Uint8Array([1, 2, 3])];
    const at = writer.write(pieces) ?? -1;
    const read = reader.read(at, [3, 0, 3]);
    expect(read.map((piece) => [...piece])).toEqual([[97, 98, 99], [], [1, 2, 3]]);
    expect(read.map(({ buffer }) => buffer.byteLength)).toEqual([3, 0, 3]);
  });

  it('takes more pieces than one call of the system does', () => {
    const { writer, reader } = ends();
    const pieces = Array.from({ length: 5000 }, (_, i) => Buffer.from([i % 256, i >> 8]));
    const at = writer.write(pieces) ?? -1;
    expect(Buffer.concat(reader.read(at, [10_000]))).toEqual(Buffer.concat(pieces));
    const again = writer.write(pieces) ?? -1;
    const lengths = pieces.map(({ byteLength }) => byteLength);
    expect(Buffer.concat(reader.read(again, lengths))).toEqual(Buffer.concat(pieces));
  });

  it('takes pieces of all sizes, the small ones of which it may copy first', () => {
    const { writer, reader } = ends();
    const KB = 1024;
    const lists = [
      Array.from({ length: 300 }, () => KB),
      Array.from({ length: 600 }, () => KB),
      [0, 1, 40 * KB, 0, 5],
      [...Array.from({ length: 100 }, () => 10), 200 * KB],
      [512 * KB],
    ];
    for (const lengths of [...lists, ...lists]) {
      const pieces = lengths.map((length, i) => Buffer.alloc(length, i % 251));
      const whole = Buffer.concat(pieces);
      const places = [writer.write(pieces) ?? -1, writer.write(pieces) ?? -1];
      for (const piece of pieces) piece.fill(255);
      for (const at of places) {
        const [read] = reader.read(at, [whole.byteLength]);
        expect(read && whole.equals(read)).toBe(true);
      }
    }
  });

  it('writes nothing over what has not been read, in any order of writing and reading', () => {
    const KB = 1024;
    const limits = { ring: 64 * KB, tail: 512 * KB };
    const sizes = fc.oneof(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 8 * KB, max: 24 * KB }),
      fc.integer({ min: 40 * KB, max: 160 * KB }),
      fc.constant(512 * KB),
    );
    const steps = fc.array(fc.oneof(sizes, fc.constant('read' as const)), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (given) => {
        const { file, writer, reader } = ends(limits);
        const unread: { at: number; length: number; fill: number }[] = [];
        const readOne = (): void => {
          const next = unread.shift();
          if (next === undefined) return;
          const [piece] = reader.read(next.at, [next.length]);
          expect(piece && Buffer.alloc(next.length, next.fill).equals(piece)).toBe(true);
        };
        given.forEach((step, fill) => {
          if (step === 'read') readOne();
          const at = step === 'read' ? undefined : writer.write([Buffer.alloc(step as number, fill)]);
          if (at !== undefined) unread.push({ at, length: step as number, fill });
          else expect(step).not.toBe(512 * KB);
        });
        while (unread.length > 0) readOne();
        writer.write([Buffer.alloc(1)]);
        expect(fstatSync(file).size).toBeLessThanOrEqual(64 * KB);
        closeAll();
      }),
      { numRuns: 120 },
    );
  });

  it('uses the same few pages again where each stretch is read before the next', () => {
    const { file, writer, reader } = ends();
    for (let i = 0; i < 100; i++) reader.read(writer.write([Buffer.alloc(64 * 1024, i)]) ?? -1, [64 * 1024]);
    expect(fstatSync(file).size).toBeLessThan(100 * 1024);
  });

  it('has no room for more than ring and tail that nobody has read, and room again when somebody has', () => {
    const { writer, reader } = ends({ ring: 8 * MB, tail: 4 * MB });
    const places: number[] = [];
    for (let at = writer.write([Buffer.alloc(MB)]); at !== undefined; at = writer.write([Buffer.alloc(MB)]))
      places.push(at);
    expect(places).toHaveLength(7 + 4);
    reader.read(places[0] ?? -1, [MB]);
    expect(writer.write([Buffer.alloc(MB)])).toBe(places[0]);
  });

  it('is never longer than ring and twice the tail, though something in it is always unread', () => {
    const { file, writer, reader } = ends({ ring: MB, tail: 4 * MB });
    const places: number[] = [];
    let refused = 0;
    for (let turn = 0; turn < 100; turn += 1) {
      const at = writer.write([Buffer.alloc(MB)]);
      if (at === undefined) refused += 1;
      else places.push(at);
      if (places.length > 2) reader.read(places.shift() ?? -1, [MB]);
    }
    expect(fstatSync(file).size).toBeLessThanOrEqual(9 * MB);
    expect(refused).toBeGreaterThan(0);
  });

  it('gives back what was written of something that there was no room for', () => {
    const { file, writer, reader } = ends();
    const at = writer.write([Buffer.from('abc')]) ?? -1;
    // The second piece is none, which is found when the first is written.
    expect(writer.write([Buffer.alloc(20 * MB), {} as Uint8Array])).toBeUndefined();
    expect(fstatSync(file).size).toBeLessThan(MB);
    expect(String(reader.read(at, [3]))).toBe('abc');
    expect(String(reader.read(writer.write([Buffer.from('def')]) ?? -1, [3]))).toBe('def');
  });

  it('has a place for something huge, and gives back its memory after it was read', () => {
    const { file, writer, reader } = ends({ ring: MB, tail: 4 * MB });
    writer.write([Buffer.alloc(10)]);
    const at = writer.write([Buffer.alloc(7 * MB, 7)]) ?? -1;
    reader.read(4096, [10]);
    expect(reader.read(at, [7 * MB])[0]?.at(-1)).toBe(7);
    writer.write([Buffer.alloc(10)]);
    expect(fstatSync(file).size).toBeLessThan(MB);
  });

  it('has no room once it is closed, and nothing to read', () => {
    const { writer, reader } = ends();
    writer.close();
    reader.close();
    opened.length = 0;
    expect(writer.write([Buffer.alloc(1)])).toBeUndefined();
    expect(() => reader.read(4096, [1])).toThrow();
  });

  it('says so where it is too short for what is to be read', () => {
    const { writer, reader } = ends();
    const at = writer.write([Buffer.from('abc')]) ?? -1;
    expect(() => reader.read(at, [4])).toThrow(new RangeError('A shared file is too short'));
    // It does not lie there for ever.
    expect(writer.write([Buffer.from('def')])).toBe(at);
  });
});
