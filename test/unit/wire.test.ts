import { afterEach, describe, expect, it } from 'vitest';
import { decodeColumn, encodeColumn } from '../../src/codec.js';
import { errorFromWire, errorToWire } from '../../src/error-wire.js';
import type { ChildMessage, ManagerMessage, ResultsMessage } from '../../src/protocol.js';
import { BRAND } from '../../src/protocol.js';
import { closeSharedFile, openSharedFile, SharedReader, SharedWriter } from '../../src/shared-file.js';
import { Wire } from '../../src/wire.js';

const opened: number[] = [];

/** A side that sends and one that receives, with a file between them or not. */
function sides(withFile: boolean): { sender: Wire; receiver: Wire } {
  const file = withFile ? openSharedFile() : undefined;
  if (file !== undefined) opened.push(file);
  const writer = file === undefined ? undefined : new SharedWriter(file);
  const reader = file === undefined ? undefined : new SharedReader(file);
  return { sender: new Wire(writer, undefined), receiver: new Wire(undefined, reader) };
}

/** What arrives of a message, as Node's channel carries it. */
function carry<Message extends ManagerMessage | ChildMessage>(message: Message, withFile = true): Message {
  const { sender, receiver } = sides(withFile);
  return receiver.unpack(JSON.parse(JSON.stringify(sender.pack(message)))) as Message;
}

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

afterEach(() => {
  for (const file of opened.splice(0)) closeSharedFile(file);
});

const COLUMNS: readonly [string, readonly unknown[]][] = [
  ['nothing', [undefined, undefined]],
  ['plain data', [{ a: [1, 'two', null] }, 'text with "quotes" and \u2028 and \ud800']],
  ['what JSON does not hold', [-0, Number.NaN, 10n, new Map([[1, new Set([2])]]), new Date(5), undefined]],
  ['small Buffers', Array.from({ length: 20 }, (_, i) => Buffer.alloc(100, i))],
  ['large Buffers', [Buffer.alloc(40_000, 1), new Uint8Array(20_000).fill(2), Buffer.alloc(0), 'x']],
];

describe.each([
  ['with a shared file', true],
  ['without', false],
])('messages %s', (_, withFile) => {
  it.each(COLUMNS)('bring jobs and results of %s as they were', (_name, values) => {
    expect(decodeColumn(carry(jobsOf(values), withFile).jobs)).toEqual(values);
    expect(decodeColumn(carry(resultsOf(values), withFile).values)).toEqual(values);
  });

  it('bring progress', () => {
    const data = encodeColumn([{ at: new Date(9) }], refuse);
    const carried = carry({ brand: BRAND, type: 'progress', index: 4, data }, withFile);
    expect(decodeColumn(carried.data)).toEqual([{ at: new Date(9) }]);
    expect(carried.index).toBe(4);
  });

  it('bring errors with fields of any kind', () => {
    const cause = Object.assign(new RangeError('inner'), { when: new Date(3), bytes: Buffer.from('b') });
    const error = errorToWire(Object.assign(new Error('outer', { cause }), { big: 5n }));
    const failed = [{ position: 1, kind: 'threw' as const, error }];
    const told = [
      carry(resultsOf([1, undefined], { failed }), withFile).failed?.[0]?.error,
      carry({ brand: BRAND, type: 'fatal', phase: 'load', error }, withFile).error,
      carry({ brand: BRAND, type: 'uncaught', error, running: [1] }, withFile).error,
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
    const ready = { brand: BRAND, type: 'ready', room: 2 } as const;
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

  it('hold what they were given when they were packed, though the sender writes over it', () => {
    const { sender, receiver } = sides(true);
    const bytes = Buffer.alloc(50_000, 1);
    const packed = sender.pack(jobsOf([bytes]));
    bytes.fill(2);
    const { jobs } = receiver.unpack(packed) as Extract<ManagerMessage, { type: 'jobs' }>;
    expect(decodeColumn(jobs)).toEqual([Buffer.alloc(50_000, 1)]);
  });

  it('take bytes along where the file is full, and leave the file to what comes then', () => {
    const { sender, receiver } = sides(true);
    const sent = Array.from({ length: 12 }, (_, i) => [Buffer.alloc(1024 * 1024, i)]);
    const packed = sent.map((values) => JSON.stringify(sender.pack(jobsOf(values))));
    expect(packed.map((text) => text.includes('base64'))).toEqual([
      ...Array(7).fill(false),
      ...Array(5).fill(true),
    ]);
    const came = packed.map((text) => {
      const { jobs } = receiver.unpack(JSON.parse(text)) as Extract<ManagerMessage, { type: 'jobs' }>;
      return decodeColumn(jobs)[0] as Buffer;
    });
    expect(came.every((bytes, i) => bytes.equals(sent[i]?.[0] as Buffer))).toBe(true);
    expect(JSON.stringify(sender.pack(jobsOf(sent[0] ?? [])))).not.toContain('base64');
  });

  it('whose bytes can not be read have a column that says so', () => {
    const { sender } = sides(true);
    const packed = sender.pack(jobsOf([Buffer.alloc(50_000)]));
    const { jobs } = new Wire(undefined, undefined).unpack(packed) as Extract<
      ManagerMessage,
      { type: 'jobs' }
    >;
    expect(() => decodeColumn(jobs)).toThrow('Cannot read a column of values');
  });
});
