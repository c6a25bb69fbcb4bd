import { deepStrictEqual } from 'node:assert';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Encoded } from '../../src/codec.js';
import { decodeColumn, encodeColumn, joined } from '../../src/codec.js';
import { HeldColumn, HeldMemory } from '../../src/held-column.js';
import type { ResultsMessage } from '../../src/protocol.js';
import { BRAND } from '../../src/protocol.js';
import { carry, closeFiles } from '../helpers/wires.js';

afterEach(closeFiles);

/** A column as each way carries it. */
const WAYS: Readonly<Record<string, (column: Encoded) => Encoded>> = {
  'by a shared file': (column) => carry(resultsOf(column), 'file').values,
  'in the message': (column) => carry(resultsOf(column), 'text').values,
  'by a channel for bytes': (column) => carry(resultsOf(column), 'channel').values,
  'within the process': joined,
};

function resultsOf(values: Encoded): ResultsMessage {
  return { brand: BRAND, type: 'results', batch: 0, from: 0, count: 1, values, startedAt: 0, nanoseconds: 0 };
}

const nameOf = (at: number): string => `value ${at}`;

function refuse(_: number, error: Error): void {
  throw error;
}

/** Adds values of which each is changed as soon as it was added. */
function hold(column: HeldColumn, values: readonly unknown[]): void {
  for (const [at, value] of values.entries()) {
    const mine = Buffer.isBuffer(value) ? Buffer.from(value) : structuredClone(value);
    expect(column.add(mine, at, nameOf, false)).toBeTypeOf('boolean');
    // What there was no room to copy is sent before anything else runs.
    if (column.isFull) continue;
    if (mine instanceof Uint8Array) mine.fill(255);
    if (mine instanceof Map) mine.set('changed', true);
  }
}

const bytes = fc
  .tuple(fc.constantFrom(0, 1, 7, 100, 5000, 40_000, 400_000), fc.integer({ min: 0, max: 254 }))
  .map(([length, fill]) => new Uint8Array(length).fill(fill));
const values = fc.array(
  fc.oneof(
    { arbitrary: bytes.map((one) => Buffer.from(one)), weight: 4 },
    { arbitrary: bytes, weight: 2 },
    fc.constantFrom(undefined, 1, 'text', -0, 10n),
    fc.record({ a: fc.integer(), b: fc.array(fc.string()) }, { noNullPrototype: true }),
    fc.string().map((key) => new Map([[key, 1]])),
    fc.constant(new Map([['long', 'x'.repeat(6000)]])),
  ),
  { minLength: 1, maxLength: 12 },
);

describe('a held column', () => {
  it.each(Object.entries(WAYS))('brings what each value was when it was added, %s', (_, carried) => {
    fc.assert(
      fc.property(values, (given) => {
        const column = new HeldColumn(given.length, new HeldMemory());
        hold(column, given);
        const came = decodeColumn(carried(column.encode(0, given.length, refuse, nameOf)));
        closeFiles();
        deepStrictEqual(came, given);
      }),
      { numRuns: 100 },
    );
  });

  it('brings the values of its parts, and of what is added when they were sent', () => {
    fc.assert(
      fc.property(values, values, fc.nat(), (first, second, cut) => {
        const column = new HeldColumn(Math.max(first.length, second.length), new HeldMemory());
        for (const given of [first, second]) {
          hold(column, given);
          const middle = cut % (given.length + 1);
          const parts = [
            column.encode(0, middle, refuse, nameOf),
            column.encode(middle, given.length, refuse, nameOf),
          ];
          deepStrictEqual(
            parts.flatMap((part) => decodeColumn(joined(part))),
            given,
          );
          column.clear();
        }
      }),
    );
  });

  it('brings the values of its parts also where they can not be copied again', () => {
    const row = (i: number): unknown => JSON.parse(`{"i":${i},"__proto__":{"x":1}}`);
    const given = [...Array.from({ length: 20 }, (_, i) => row(i)), 1, 'text'];
    const column = new HeldColumn(given.length, new HeldMemory());
    hold(column, given);
    Object.defineProperty(Object.prototype, 'extra', { value: 1, enumerable: true, configurable: true });
    let parts: Encoded[];
    try {
      parts = [column.encode(0, 5, refuse, nameOf), column.encode(5, given.length, refuse, nameOf)];
    } finally {
      Reflect.deleteProperty(Object.prototype, 'extra');
    }
    deepStrictEqual(
      parts.flatMap((part) => decodeColumn(joined(part))),
      given,
    );
  });

  it.each([
    ['a Buffer', (): Uint8Array => Buffer.alloc(5000, 1)],
    ['a Uint8Array', (): Uint8Array => new Uint8Array(10)],
  ])('refuses %s whose memory was transferred, and nothing else', (_, make) => {
    const given = Array.from({ length: 20 }, () => make());
    const lost = make();
    structuredClone(lost.buffer, { transfer: [lost.buffer as ArrayBuffer] });
    const message = 'Cannot send value 20: it has no memory any more: that was transferred';
    const column = new HeldColumn(21, new HeldMemory());
    for (const [at, value] of given.entries()) column.add(value, at, nameOf, false);
    expect(column.add(lost, 20, nameOf, false)).toMatchObject({ code: 'ERR_SERIALIZATION', message });
    deepStrictEqual(decodeColumn(joined(column.encode(0, 21, refuse, nameOf))), [...given, undefined]);
    const refused: [number, string][] = [];
    const sent = encodeColumn([...given, lost], (at, error) => refused.push([at, error.message]));
    deepStrictEqual(decodeColumn(joined(sent)), [...given, undefined]);
    expect(refused).toEqual([[20, message]]);
  });

  it('shares its memory with others, each of which has its own bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 2 }), bytes), { maxLength: 20 }), (given) => {
        const memory = new HeldMemory();
        const columns = [0, 1, 2].map(() => new HeldColumn(20, memory));
        for (const [whose, one] of given) {
          const mine = Uint8Array.from(one);
          const column = columns[whose] as HeldColumn;
          column.add(mine, 0, nameOf, false);
          if (!column.isFull) mine.fill(255);
        }
        const came = columns.map((column) => decodeColumn(column.encode(0, column.count, refuse, nameOf)));
        const wanted = columns.map((_, at) => given.filter(([whose]) => whose === at).map(([, one]) => one));
        deepStrictEqual(came, wanted);
      }),
    );
  });

  it('has one piece for all the bytes that were copied one after the other', () => {
    const column = new HeldColumn(1000, new HeldMemory());
    for (let at = 0; at < 1000; at += 1)
      column.add(at % 2 ? Buffer.alloc(100) : new Map(), at, nameOf, false);
    // The head, the bytes, and the plain values.
    expect(column.encode(0, 1000, refuse, nameOf)).toHaveLength(3);
  });
});
