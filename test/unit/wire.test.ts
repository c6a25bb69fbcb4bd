import { isDeepStrictEqual } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeColumn, encodeColumn } from '../../src/codec.js';
import { errorFromWire, errorToWire } from '../../src/error-wire.js';
import { openSharedFile } from '../../src/manager/shared-files.js';
import type { ManagerMessage, ResultsMessage } from '../../src/protocol.js';
import { BRAND } from '../../src/protocol.js';
import { SharedReader, SharedWriter } from '../../src/shared-file.js';
import { JsonWire } from '../../src/wire.js';
import { carry, closeFiles, opened, sides } from '../helpers/wires.js';

function refuse(_: number, error: unknown): never {
  throw error;
}

function jobsOf(values: readonly unknown[]): Extract<ManagerMessage, { type: 'jobs' }> {
  const jobs = encodeColumn(values, refuse);
  return { brand: BRAND, type: 'jobs', batch: 3, first: 7, jobs, count: values.length, budget: 50 };
}

function resultsOf(values: readonly unknown[], more: Partial<ResultsMessage> = {}): ResultsMessage {
  const message = { brand: BRAND, type: 'results', batch: 3, from: 0, count: values.length } as const;
  return { ...message, values: encodeColumn(values, refuse), startedAt: 1.5, nanoseconds: [250], ...more };
}

afterEach(closeFiles);

const COLUMNS: readonly [string, readonly unknown[]][] = [
  ['nothing', [undefined, undefined]],
  ['plain data', [{ a: [1, 'two', null] }, 'text with "quotes" and \u2028 and \ud800']],
  ['what JSON does not hold', [-0, Number.NaN, 10n, new Map([[1, new Set([2])]]), new Date(5), undefined]],
  ['small Buffers', Array.from({ length: 20 }, (_, i) => Buffer.alloc(100, i))],
  ['large Buffers', [Buffer.alloc(40_000, 1), new Uint8Array(20_000).fill(2), Buffer.alloc(0), 'x']],
];

describe.each([
  ['with a shared file', 'file'],
  ['with one that did not get there', 'text'],
  ['over a channel that carries bytes', 'channel'],
] as const)('messages %s', (_, by) => {
  it.each(COLUMNS)('bring jobs and results of %s as they were', (_name, values) => {
    // `toEqual` would compare Buffers number by number.
    expect(isDeepStrictEqual(decodeColumn(carry(jobsOf(values), by).jobs), values)).toBe(true);
    expect(isDeepStrictEqual(decodeColumn(carry(resultsOf(values), by).values), values)).toBe(true);
  });

  it('bring progress', () => {
    const data = encodeColumn([{ at: new Date(9) }], refuse);
    const carried = carry({ brand: BRAND, type: 'progress', index: 4, data }, by);
    expect(decodeColumn(carried.data)).toEqual([{ at: new Date(9) }]);
    expect(carried.index).toBe(4);
  });

  it('bring errors with fields of any kind', () => {
    const cause = Object.assign(new RangeError('inner'), { when: new Date(3), bytes: Buffer.from('b') });
    const error = errorToWire(Object.assign(new Error('outer', { cause }), { big: 5n }));
    const failed = [{ position: 1, kind: 'threw' as const, error }];
    const told = [
      carry(resultsOf([1, undefined], { failed }), by).failed?.[0]?.error,
      carry({ brand: BRAND, type: 'fatal', phase: 'load', error }, by).error,
      carry({ brand: BRAND, type: 'uncaught', error, running: [1] }, by).error,
    ];
    for (const one of told) {
      const back = errorFromWire(one);
      expect(back).toMatchObject({
        message: 'outer',
        big: 5n,
        cause: { when: new Date(3), bytes: Buffer.from('b') },
      });
      expect(back.cause).toBeInstanceOf(RangeError);
    }
  });
});

describe('messages', () => {
  it('of other kinds come as they are', () => {
    const ready = { brand: BRAND, type: 'ready', finishes: true } as const;
    expect(carry(ready)).toEqual(ready);
    const results = resultsOf([1], { peakRss: 5, positions: [3], starts: [1.25], returned: 2, full: true });
    expect(carry(results)).toEqual(results);
  });

  it('are not what a `toJSON` of all objects says', () => {
    const prototypes = [Object.prototype, Array.prototype] as { toJSON?: () => unknown }[];
    const values = [{ a: [1] }, Buffer.from('b')];
    for (const prototype of prototypes) {
      Object.defineProperty(prototype, 'toJSON', { value: () => 'spoilt', configurable: true });
      try {
        expect(decodeColumn(carry(resultsOf(values)).values)).toEqual(values);
        expect(carry(resultsOf([1], { nanoseconds: [1, 2] })).nanoseconds).toEqual([1, 2]);
      } finally {
        delete prototype.toJSON;
      }
    }
  });

  it.each(['plain', 'base64', 'tooLarge', 'cause', 'error', 'failed', 'errors', 'at', 'lengths'])(
    'are what they are though all objects have `%s`',
    (name) => {
      const columns = [[{ a: 1 }], [Buffer.from('b')], [new Map([[1, 2]])]];
      const failed = [{ position: 0, kind: 'threw', error: errorToWire(new Error('no')) }] as const;
      const came: unknown[] = [];
      let error: unknown;
      Object.defineProperty(Object.prototype, name, {
        value: 'all have it',
        writable: true,
        configurable: true,
      });
      try {
        for (const values of columns)
          for (const by of ['file', 'text'] as const)
            came.push(decodeColumn(carry(resultsOf(values), by).values));
        error = carry(resultsOf([1], { failed })).failed?.[0]?.error;
      } finally {
        Reflect.deleteProperty(Object.prototype, name);
      }
      expect(came).toEqual(columns.flatMap((values) => [values, values]));
      expect(errorFromWire(error).message).toBe('no');
    },
  );

  it('hold what they were given when they were packed, though the sender writes over it', () => {
    const { sender, receiver } = sides('file');
    const bytes = Buffer.alloc(50_000, 1);
    const packed = sender.pack(jobsOf([bytes]));
    bytes.fill(2);
    const { jobs } = receiver.unpack(packed) as Extract<ManagerMessage, { type: 'jobs' }>;
    expect(decodeColumn(jobs)).toEqual([Buffer.alloc(50_000, 1)]);
  });

  it('take bytes along where the file is full, and leave the file to what comes then', () => {
    const file = openSharedFile() ?? -1;
    opened.push(file);
    const sender = new JsonWire(new SharedWriter(file, { ring: 8192, tail: 64_000 }), undefined);
    const receiver = new JsonWire(undefined, new SharedReader(file));
    const sizes = [30_000, 30_000, 30_000, 10_000, 70_000];
    const sent = sizes.map((bytes, i) => [Buffer.alloc(bytes, i)]);
    const packed = sent.map((values) => JSON.stringify(sender.pack(jobsOf(values))));
    expect(packed.map((text) => text.includes('base64'))).toEqual([false, false, true, true, false]);
    const came = packed.map((text) => {
      const { jobs } = receiver.unpack(JSON.parse(text)) as Extract<ManagerMessage, { type: 'jobs' }>;
      return decodeColumn(jobs)[0] as Buffer;
    });
    expect(came.every((bytes, i) => bytes.equals(sent[i]?.[0] as Buffer))).toBe(true);
    expect(JSON.stringify(sender.pack(jobsOf(sent[0] ?? [])))).not.toContain('base64');
  });

  it('whose bytes can not be read have a column that says so', () => {
    const { sender } = sides('file');
    const packed = sender.pack(jobsOf([Buffer.alloc(50_000)]));
    const { jobs } = new JsonWire(undefined, undefined).unpack(packed) as Extract<
      ManagerMessage,
      { type: 'jobs' }
    >;
    expect(() => decodeColumn(jobs)).toThrow('Cannot read a column of values');
  });

  it('have as many large errors as come, and say so of those that there is no room for', () => {
    const bytes = Buffer.alloc(10_000, 7);
    const failed = Array.from({ length: 100 }, (_, position) => {
      const error = errorToWire(Object.assign(new Error(`no ${position}`), { bytes }));
      return { position, kind: 'threw' as const, error };
    });
    const message = resultsOf(new Array(100).fill(undefined), { failed });
    const came = carry(message).failed ?? [];
    expect(came.map(({ error }) => errorFromWire(error).message)).toEqual(failed.map((_, i) => `no ${i}`));
    expect(errorFromWire(came.at(-1)?.error)).toMatchObject({ bytes });
    const without = carry(message, 'text', 1_000_000).failed ?? [];
    expect(without).toHaveLength(100);
    for (const { error } of without) {
      expect(String(error)).toMatch(/its 10\d{5} bytes are too many for the channel, and there is no room/);
    }
  });

  it('have no more bytes as text than fit in one, and say how many those were that do not', () => {
    const { jobs } = carry(jobsOf([Buffer.alloc(300_000)]), 'text', 200_000);
    expect(() => decodeColumn(jobs)).toThrow(/: its 3000\d\d bytes are too many for the channel/);
  });
});
