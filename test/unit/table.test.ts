import { deepStrictEqual } from 'node:assert';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeColumn, encodeColumn, encodedSize, joined } from '../../src/codec.js';
import type { Table } from '../../src/table.js';
import { rowsOf } from '../../src/table.js';

/** The table that a column of values is sent as, if it is one. */
function tableOf(values: readonly unknown[]): Table | undefined {
  const column = encodeColumn(values, (_, error) => {
    throw error;
  });
  if (typeof column !== 'object' || !('plain' in column) || !('columns' in column.plain)) return undefined;
  return column.plain;
}

/** As a message carries it. */
function carried(table: Table | undefined): Table {
  if (table === undefined) throw new Error('these rows are no table');
  return JSON.parse(JSON.stringify(table)) as Table;
}

function rows(make: (i: number) => unknown, count = 20): unknown[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

const json = fc.jsonValue({ maxDepth: 2 });

describe('a table', () => {
  it('gives back its rows, whatever their properties are called and hold', () => {
    const keys = fc.uniqueArray(
      fc.oneof(fc.string(), fc.constantFrom('constructor', 'toString', 'keys', 'plain', '0', '1', '10', 'a')),
      { minLength: 1, maxLength: 6 },
    );
    const given = keys
      .map((names) => names.filter((name) => name !== '__proto__'))
      .filter((names) => names.length > 0)
      .chain((names) =>
        fc.array(fc.tuple(...names.map(() => json)), { minLength: 16, maxLength: 30 }).map((lists) =>
          lists.map((values) => {
            const row: Record<string, unknown> = {};
            for (const [at, name] of names.entries()) row[name] = values[at];
            return row;
          }),
        ),
      );
    fc.assert(
      fc.property(given, (list) => {
        const columns = Object.keys(list[0] ?? {}).map((key) => list.map((row) => row[key]));
        const came = rowsOf({ keys: Object.keys(list[0] ?? {}), columns });
        deepStrictEqual(came, list);
        deepStrictEqual(decodeColumn(joined(encodeColumn(list, () => {}))), list);
        const keysOfEach = (some: readonly unknown[]): string[][] =>
          some.map((one) => Object.keys(one as object));
        expect(keysOfEach(came)).toEqual(keysOfEach(list));
      }),
    );
  });

  it('has each name once, and its values in the order of the rows', () => {
    expect(tableOf(rows((i) => ({ i, even: i % 2 === 0 }), 16))).toEqual({
      keys: ['i', 'even'],
      columns: [Array.from({ length: 16 }, (_, i) => i), Array.from({ length: 16 }, (_, i) => i % 2 === 0)],
    });
  });

  it.each([
    ['few', rows((i) => ({ i }), 15)],
    ['without properties', rows(() => ({}))],
    ['arrays', rows((i) => [i, i])],
    ['no objects', rows((i) => i)],
    ['with null among them', rows((i) => (i === 19 ? null : { i }))],
    ['with an array among them', rows((i) => (i === 19 ? [i] : { 0: i }))],
    ['with a text among them', rows((i) => (i === 19 ? 'a' : { 0: i }))],
    ['in another order', rows((i) => (i === 19 ? { b: 1, a: 2 } : { a: 1, b: 2 }))],
    ['with a further property', rows((i) => (i === 19 ? { a: 1, b: 2 } : { a: 1 }))],
    ['with one less', rows((i) => (i === 19 ? { a: 1 } : { a: 1, b: 2 }))],
    ['with another one', rows((i) => ({ [`a${i}`]: i }))],
    ['with what JSON does not hold', rows((i) => ({ a: i === 19 ? -0 : i }))],
    ['with undefined', rows((i) => ({ a: i === 19 ? undefined : i, b: 1 }))],
    ['with a Date', rows((i) => ({ a: i, b: i === 19 ? new Date(5) : null }))],
    ['with bytes beside them', rows((i) => (i === 19 ? Buffer.from('b') : { i }))],
    ['with a Map beside them', rows((i) => (i === 19 ? new Map([[1, 2]]) : { i }))],
    ['with a Map in the last', rows((i) => ({ a: i, b: i === 19 ? new Map() : i }))],
    ['with long texts', rows((i) => ({ a: i, text: 'x'.repeat(100) }))],
  ])('is not made of rows that are %s', (_, list) => {
    expect(tableOf(list)).toBeUndefined();
    deepStrictEqual(decodeColumn(joined(encodeColumn(list, () => {}))), list);
  });

  it('is not made of rows with a getter that throws, of which each is refused, and reads others once', () => {
    const refused: number[] = [];
    const bad = rows((i) => ({
      i,
      get bad() {
        if (i > 17) throw new Error('no');
        return i;
      },
    }));
    const tagged = rows((i) => ({
      i,
      get [Symbol.toStringTag]() {
        if (i > 17) throw new Error('no tag');
        return 'Object';
      },
    }));
    for (const list of [bad, tagged]) {
      const column = encodeColumn(list, (position) => refused.push(position));
      expect(decodeColumn(joined(column)).slice(0, 18)).toEqual(
        list.slice(0, 18).map((row) => Object.fromEntries(Object.entries(row as object))),
      );
    }
    expect(refused).toEqual([18, 19]);
    let reads = 0;
    const counting = rows((i) => ({
      get i() {
        reads += 1;
        return i;
      },
    }));
    expect(tableOf(counting)?.columns).toEqual([Array.from({ length: 20 }, (_, i) => i)]);
    expect(reads).toBe(20);
  });

  it.each<[string, (i: number) => object]>([
    ['is no JSON', (i) => ({ id: i === 10 ? Number.NaN : i })],
    ['is long', (i) => ({ id: i === 10 ? 'x'.repeat(100) : i })],
    ['has another name', (i) => (i === 10 ? { other: i } : { id: i })],
    ['has one property more', (i) => (i === 10 ? { id: i, more: i } : { id: i })],
    ['has one less', (i) => (i === 10 ? {} : { id: i })],
  ])('reads each property once where a row %s', (_, more) => {
    const read: number[] = [];
    const list = rows((i) => ({
      get v() {
        read.push(i);
        return i;
      },
      ...more(i),
    }));
    const came = decodeColumn(joined(encodeColumn(list, () => {})));
    expect(read).toEqual(Array.from({ length: 20 }, (_, i) => i));
    deepStrictEqual(
      came,
      rows((i) => ({ v: i, ...more(i) })),
    );
  });

  it('is about as large as it says when a row ends it', () => {
    const name = 'a name of forty characters, or about that';
    const list = rows((i) => (i === 99 ? { [name]: i, more: 1 } : { [name]: i }), 100);
    expect(encodedSize(encodeColumn(list, () => {})) / JSON.stringify(list).length).toBeGreaterThan(0.8);
  });

  it('is not made of rows with more properties than it is worth', () => {
    const wide = (count: number): unknown[] =>
      rows((i) => Object.fromEntries(Array.from({ length: count }, (_, key) => [`k${key}`, i])));
    expect(tableOf(wide(20))?.keys).toHaveLength(20);
    expect(tableOf(wide(21))).toBeUndefined();
  });

  it('calls no setter that all objects inherit, and needs no leave to write', () => {
    const list = rows((i) => ({ guarded: i, fixed: i }));
    const table = carried(tableOf(list));
    const set: unknown[] = [];
    Object.defineProperty(Object.prototype, 'guarded', {
      set: (value) => set.push(value),
      configurable: true,
    });
    Object.defineProperty(Object.prototype, 'fixed', { value: 1, writable: false, configurable: true });
    try {
      deepStrictEqual(rowsOf(table), list);
      deepStrictEqual(Object.getOwnPropertyDescriptor(rowsOf(table)[3], 'fixed'), {
        value: 3,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    } finally {
      for (const key of ['guarded', 'fixed']) Reflect.deleteProperty(Object.prototype, key);
    }
    expect(set).toEqual([]);
  });

  it('is what rows of a column become, and not where all objects inherit something enumerable', () => {
    const list = rows((i) => ({ i, deep: { of: [i] } }));
    expect(tableOf(list)?.keys).toEqual(['i', 'deep']);
    deepStrictEqual(decodeColumn(joined(encodeColumn(list, () => {}))), list);
    const everywhere = { value: 1, enumerable: true, writable: true, configurable: true };
    let column: unknown[];
    Object.defineProperty(Object.prototype, 'everywhere', everywhere);
    try {
      column = decodeColumn(joined(encodeColumn(list, () => {})));
    } finally {
      Reflect.deleteProperty(Object.prototype, 'everywhere');
    }
    deepStrictEqual(column, list);
  });
});
