import { deepStrictEqual } from 'node:assert/strict';
import { DefaultSerializer } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Encoded } from '../../src/codec.js';
import {
  decodeColumn,
  describeRefusal,
  encodeColumn,
  encodedSize,
  joined,
  lengthsOf,
} from '../../src/codec.js';
import { SerializationError } from '../../src/errors.js';
import { exactJson } from '../../src/plain-copy.js';
import { deserialize, serialize } from '../../src/serializer.js';

afterEach(() => {
  vi.restoreAllMocks();
});

function encode(values: readonly unknown[]): Encoded {
  return encodeColumn(values, (_position, error) => {
    throw error;
  });
}

/** A message too large to be kept for the values in it. */
const message = Buffer.alloc(1_000_000);

/** There and back, through a message that is overwritten afterwards: a view on it would show. */
function roundTrip(values: readonly unknown[]): unknown[] {
  const encoded = joined(encode(values));
  if (!(encoded instanceof Uint8Array)) return decodeColumn(encoded);
  message.set(encoded, 3);
  const arrived = message.subarray(3, 3 + encoded.byteLength);
  const decoded = decodeColumn(arrived);
  arrived.fill(0xee);
  return decoded;
}

/** What became of a value that can't be sent, between two that can. */
function refusalOf(value: unknown): SerializationError {
  const refused: [number, SerializationError][] = [];
  const encoded = encodeColumn(['before', value, { after: 1 }], (...args) => refused.push(args));
  expect(decodeColumn(encoded)).toEqual(['before', undefined, { after: 1 }]);
  expect(refused).toHaveLength(1);
  const [position, error] = refused[0] ?? [];
  expect(position).toBe(1);
  expect(error).toBeInstanceOf(SerializationError);
  return error as SerializationError;
}

/** A value nested so deep that v8 writes it, and fails to read it: how deep that is depends on the stack. */
function writtenButNotRead(): unknown {
  let value: unknown = [];
  for (let levels = 1; levels < 100_000; levels++) {
    value = { value };
    if (levels % 250 !== 0) continue;
    const bytes = serialize(value);
    try {
      deserialize(bytes);
    } catch {
      return value;
    }
  }
  throw new Error('v8 reads what it writes');
}

/** Everything a value holds, in order; objects as their number, so that equal texts share alike. */
function sharing(root: unknown): string {
  const seen = new Map<unknown, number>();
  const lines: string[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const known = seen.get(value);
    lines.push(`${known ?? 'new'}`);
    if (known !== undefined) return;
    seen.set(value, seen.size);
    if (value instanceof Map) for (const entry of value) entry.forEach(visit);
    else if (value instanceof Set) for (const entry of value) visit(entry);
    else if (!ArrayBuffer.isView(value)) Object.values(value).forEach(visit);
  };
  visit(root);
  return lines.join();
}

function objectsIn(root: unknown, found = new Set<unknown>()): Set<unknown> {
  if (typeof root !== 'object' || root === null || found.has(root)) return found;
  found.add(root);
  if (root instanceof Map) for (const entry of root) for (const one of entry) objectsIn(one, found);
  else if (root instanceof Set) for (const one of root) objectsIn(one, found);
  else if (!ArrayBuffer.isView(root)) for (const one of Object.values(root)) objectsIn(one, found);
  return found;
}

function expectClones(values: readonly unknown[]): void {
  const decoded = roundTrip(values);
  const owners = new Map<unknown, number>();
  expect(decoded).toHaveLength(values.length);
  values.forEach((value, i) => {
    const clone: unknown = structuredClone(value);
    deepStrictEqual(decoded[i], clone);
    expect(sharing(decoded[i])).toBe(sharing(clone));
    for (const object of objectsIn(decoded[i])) {
      expect(owners.get(object) ?? i).toBe(i);
      owners.set(object, i);
    }
  });
}

const anything = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.anything({
      // As by default, and dates but invalid ones: those are equal to nothing, and tried by themselves.
      values: [
        fc.boolean(),
        fc.maxSafeInteger(),
        fc.double(),
        fc.string(),
        fc.constantFrom(null, undefined),
        fc.date({ noInvalidDate: true }),
      ],
      withBigInt: true,
      withMap: true,
      withSet: true,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.anything({
      withBoxedValues: true,
      withNullPrototype: true,
      withObjectString: true,
      withSparseArray: true,
      withTypedArray: true,
    }),
  },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
  fc.constantFrom(
    undefined,
    -0,
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    '\ud800',
    '\udc00\ud800',
    'x'.repeat(2_000),
  ),
  fc.constantFrom<unknown>(
    /a+/giu,
    new Error('as a value'),
    new RangeError('x', { cause: [1] }),
    'abc'.match(/b/),
  ),
  graphs(),
);

/** Objects, arrays, Maps and Sets that refer to each other at random: shared, and in circles. */
function graphs(): fc.Arbitrary<unknown> {
  const node = fc.record({ kind: fc.nat(3), links: fc.array(fc.nat(5), { maxLength: 3 }) });
  return fc.array(node, { minLength: 1, maxLength: 6 }).map((nodes) => {
    const made = nodes.map(({ kind }) => [{}, [], new Map(), new Set()][kind]);
    nodes.forEach(({ links }, i) => {
      const from = made[i];
      links.forEach((link, at) => {
        const to = made[link % made.length];
        if (from instanceof Map) from.set(at, to);
        else if (from instanceof Set) from.add(to);
        else if (Array.isArray(from)) from.push(to);
        else Object.assign(from ?? {}, { [`to${at}`]: to });
      });
    });
    return made[0];
  });
}

describe('a column', () => {
  test('gives every value as its structured clone, sent alone', () => {
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 8 }), (values) => expectClones(values)),
      { numRuns: 120 },
    );
  });

  test('gives equal values that are one object apart, and keeps what one value has twice', () => {
    const config = { retries: 3, hosts: ['a'] };
    const twice = { first: config, second: config };
    expectClones([config, config, twice, twice, [config, config]]);
    const date = new Date(5);
    expectClones([date, date, { date }, { date, same: date }]);
    const bytes = Buffer.from('bytes');
    const [a, b] = roundTrip([bytes, bytes]) as [Buffer, Buffer];
    a.fill(0);
    expect(b).toEqual(bytes);
    const many = Array.from({ length: 40 }, (_, i) => ({ i }));
    expectClones([many, [...many, many[30]]]);
  });

  test('of undefined alone is a number', () => {
    expect(encode([])).toBe(0);
    expect(encode([undefined, undefined])).toBe(2);
    expect(decodeColumn(2)).toEqual([undefined, undefined]);
  });

  test('is JSON where JSON is exact and not slower', () => {
    expect(encode([{ i: 1 }, [true, null], 'x'])).toMatchObject({ plain: [{ i: 1 }, [true, null], 'x'] });
    expect(encode([1, 2])).toMatchObject({ plain: [1, 2] });
    for (const slow of [['x'.repeat(65)], [0.5], [[1.5, 2]], [{ text: 'x'.repeat(65) }]]) {
      expect(encode(slow)).toBeInstanceOf(Uint8Array);
      expectClones(slow);
    }
  });

  describe('of bytes', () => {
    const large = Buffer.alloc(40_000, 1);
    const view = Uint8Array.from(large);

    test('is sent as pieces, which are the memory of the values, and copied where it has to wait', () => {
      const pieces = encode([large, { a: 1 }, view]) as readonly Uint8Array[];
      expect(pieces[1]).toBe(large);
      expect(pieces[2]).toBe(view);
      const own = joined(pieces) as Uint8Array;
      expect(own).toBeInstanceOf(Uint8Array);
      expect(encodedSize(pieces)).toBe(own.byteLength);
      deepStrictEqual(decodeColumn(pieces), [large, { a: 1 }, view]);
      deepStrictEqual(decodeColumn(own), [large, { a: 1 }, view]);
      expect(joined(3)).toBe(3);
    });

    test('is read in one stretch while a frame is small on average', () => {
      const small = Array.from({ length: 9 }, () => Buffer.alloc(10));
      const pieces = encode([large, ...small]) as readonly Uint8Array[];
      expect(lengthsOf(pieces)).toEqual([encodedSize(pieces)]);
      const [head = 0, ...rest] = lengthsOf(encode([large, view]) as readonly Uint8Array[]);
      expect(head).toBe(32);
      expect(rest.slice(0, 2)).toEqual([40_000, 40_000]);
    });

    test('is read whole, however many pieces it has', () => {
      const many = Array.from({ length: 5000 }, (_, i) => Buffer.alloc(3, i));
      expect(roundTrip(many)).toEqual(many);
    });

    test('gives small Buffers of a small message without copies', () => {
      const small = Array.from({ length: 3 }, (_, i) => Buffer.alloc(100, i));
      const encoded = joined(encode(small)) as Uint8Array;
      const decoded = decodeColumn(encoded) as Buffer[];
      expect(decoded).toEqual(small);
      expect(decoded.map(({ buffer }) => buffer === encoded.buffer)).toEqual([true, true, true]);
    });

    test('gives a Buffer that is most of its message without a copy, and any other in memory of its own', () => {
      /** What a channel makes of pieces: views on one message. */
      const arrived = (values: readonly unknown[]) => {
        const pieces = encode(values) as readonly Uint8Array[];
        const message = Buffer.concat(pieces);
        let to = 0;
        const views = pieces.map(({ byteLength }) => {
          to += byteLength;
          return message.subarray(to - byteLength, to);
        });
        return { memory: message.buffer, values: decodeColumn(views) as Uint8Array[] };
      };
      const alone = arrived([large]);
      deepStrictEqual(alone.values, [large]);
      expect(alone.values[0]?.buffer).toBe(alone.memory);
      const six = [large, view, large, large, large, large];
      const among = arrived(six);
      deepStrictEqual(among.values, six);
      for (const { buffer, byteLength } of [...among.values, ...arrived([view]).values]) {
        expect(buffer.byteLength).toBe(byteLength);
      }
    });
  });

  test('of plain data has about the size of its JSON text', () => {
    for (const values of [
      [1, 2, 300],
      Array.from({ length: 100 }, (_, i) => ({ i })),
      Array.from({ length: 100 }, (_, i) => ({ id: i, name: `row ${i}`, tags: ['a', 'b'], at: { x: true } })),
      Array.from({ length: 100 }, (_, i) => `logs/2026/11/24/file-${i}.gz`),
    ]) {
      const length = JSON.stringify(values).length;
      expect(encodedSize(encode(values)) / length).toBeGreaterThan(0.5);
      expect(encodedSize(encode(values)) / length).toBeLessThan(2.5);
    }
  });

  test('of so much plain data that its text might be too long for one string is bytes', () => {
    const many = new Array<string>(600_000).fill('x'.repeat(60));
    expect(encode([many])).toBeInstanceOf(Uint8Array);
  });

  test('has a size', () => {
    expect(encodedSize(5)).toBe(8);
    expect(encodedSize(Buffer.alloc(10))).toBe(10);
  });

  test('of other bytes than its own is a SerializationError', () => {
    for (const damaged of [
      Buffer.from([1, 0xff]),
      Buffer.alloc(0),
      Buffer.from([2, 0, 0, 0]),
      Buffer.alloc(64, 9),
    ]) {
      expect(() => decodeColumn(damaged)).toThrow(SerializationError);
    }
  });
});

describe('values', () => {
  test.each([
    ['0 bytes', Buffer.alloc(0)],
    ['a pooled Buffer', Buffer.from('pooled')],
    ['a slice', Buffer.from('a longer text').subarray(2, 8)],
    ['64 KB', Buffer.alloc(65_536, 7)],
  ])('a Buffer of %s arrives as a Buffer', (_what, buffer) => {
    for (const decoded of [
      ...roundTrip([buffer, 'x', buffer]),
      ...roundTrip([{ inside: buffer }]).map((o) => Reflect.get(o as object, 'inside')),
    ]) {
      if (decoded === 'x') continue;
      expect(Buffer.isBuffer(decoded)).toBe(true);
      expect(buffer.equals(decoded as Buffer)).toBe(true);
    }
  });

  test('small Buffers of a message share memory, each with bytes of its own; from 4 KB on, or in a large message, none is shared', () => {
    const small = [Buffer.alloc(100, 1), Buffer.alloc(4095, 2)];
    const large = Buffer.alloc(4096, 3);
    const [a, b, c] = roundTrip([...small, large]) as [Buffer, Buffer, Buffer];
    expect(a.buffer).toBe(b.buffer);
    expect(a.buffer.byteLength).toBe(100 + 4095 + 4096);
    expect(c.buffer.byteLength).toBe(4096);
    a.fill(9);
    expect(b).toEqual(small[1]);
    const [alone] = roundTrip([small[0], Buffer.alloc(256 * 1024)]) as [Buffer];
    expect(alone.buffer.byteLength).toBe(100);
  });

  test('typed arrays and DataViews arrive as their own class, with an ArrayBuffer of their size', () => {
    const source = Uint8Array.from({ length: 64 }, (_, i) => i).buffer;
    const views = [
      new Int8Array(source, 1, 3),
      new Uint8Array(source, 3, 5),
      new Uint8ClampedArray(source, 5, 2),
      new Int16Array(source, 2, 3),
      new Uint16Array(source, 6, 3),
      new Int32Array(source, 4, 3),
      new Uint32Array(source, 8, 3),
      new Float32Array(source, 12, 3),
      new Float64Array(source, 16, 2),
      new BigInt64Array(source, 8, 2),
      new BigUint64Array(source, 24, 2),
      new DataView(source, 7, 9),
    ];
    for (const decoded of [
      roundTrip(views),
      roundTrip([{ views }]).flatMap((o) => Reflect.get(o as object, 'views')),
    ]) {
      views.forEach((view, i) => {
        const arrived = decoded[i] as DataView;
        deepStrictEqual(arrived, view);
        expect(arrived.constructor).toBe(view.constructor);
        expect(arrived.byteOffset).toBe(0);
        expect(arrived.buffer.byteLength).toBe(view.byteLength);
      });
    }
    deepStrictEqual(roundTrip([source]), [source]);
  });

  test('bytes of subclasses, of shared memory and of other realms arrive as plain bytes', () => {
    class Bytes extends Uint8Array {}
    const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(4);
    const foreign: unknown = runInNewContext('new Uint16Array([1, 2])');
    const decoded = roundTrip([Bytes.of(1, 2), shared, foreign]) as Uint8Array[];
    expect(decoded).toEqual([Uint8Array.of(1, 2), Uint8Array.of(4, 4), Uint16Array.of(1, 2)]);
    expect(decoded.map(({ constructor }) => constructor)).toEqual([Uint8Array, Uint8Array, Uint16Array]);
  });

  test('class instances and objects of the host arrive as plain objects', () => {
    class Point {
      x = 1;
      #hidden = 2;
      get sum() {
        return this.x + this.#hidden;
      }
    }
    const foreign: unknown = runInNewContext('({ a: [1] })');
    const decoded = roundTrip([
      new Point(),
      new URL('https://example.org'),
      process.env,
      foreign,
      new Blob(['x']),
    ]);
    deepStrictEqual(decoded, [{ x: 1 }, {}, { ...process.env }, { a: [1] }, {}]);
  });

  test('an invalid Date arrives as one', () => {
    const [{ at }, alone] = roundTrip([{ at: new Date(Number.NaN) }, new Date(Number.NaN)]) as [
      { at: Date },
      Date,
    ];
    expect([at, alone].map((date) => [date instanceof Date, date.getTime()])).toEqual([
      [true, Number.NaN],
      [true, Number.NaN],
    ]);
  });

  test('an Error as a value keeps what the structured clone keeps', () => {
    const error = new TypeError('as a value', { cause: 'why' });
    const [decoded] = roundTrip([error]) as [Error];
    expect(decoded).toBeInstanceOf(TypeError);
    expect(decoded).toMatchObject({ message: 'as a value', cause: 'why', stack: error.stack });
  });

  test('a `__proto__` key is a key', () => {
    const value: unknown = JSON.parse('{ "__proto__": { "polluted": true }, "a": 1 }');
    const [decoded] = roundTrip([value]) as [object];
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
    expect(Object.keys(decoded)).toEqual(['__proto__', 'a']);
    expect(Reflect.get(decoded, 'polluted')).toBeUndefined();
  });

  test('an array keeps its holes and its further properties', () => {
    const holes = new Array<unknown>(5);
    holes[3] = undefined;
    const balanced = Object.assign(new Array<unknown>(1), { extra: 1 });
    expectClones([holes, balanced, 'abc'.match(/(?<letter>b)/), [undefined]]);
    expect(Object.keys(roundTrip([holes])[0] as object)).toEqual(['3']);
  });

  test('what is a Map, a Date or an Error without looking like one arrives as v8 sees it', () => {
    const disguises = [
      new Map([[1, 2]]),
      new Set([1]),
      new Date(5),
      new Error('x'),
      Object('boxed'),
      new ArrayBuffer(2),
    ];
    for (const object of disguises) {
      expectClones([
        structuredClone(Object.setPrototypeOf(object, null)),
        Object.setPrototypeOf(object, Object.prototype),
      ]);
    }
    const bytes: unknown = Object.setPrototypeOf(Uint8Array.of(1, 2), Object.prototype);
    expect(roundTrip([bytes])).toEqual([Uint8Array.of(1, 2)]);
  });

  test('an array that iterates in a way of its own arrives with its elements', () => {
    const odd = Object.defineProperty([1, 2], Symbol.iterator, { value: () => [9][Symbol.iterator]() });
    expectClones([odd, { inner: [odd] }]);
    expect(roundTrip([odd])[0]).toHaveLength(2);
  });

  test('an accessor of a plain object is read once: what was looked at is what arrives', () => {
    const get = vi.fn().mockReturnValueOnce(1).mockReturnValue(undefined);
    const value = Object.defineProperty({}, 'turns', { get, enumerable: true });
    expect(roundTrip([value])).toEqual([{ turns: 1 }]);
    expect(get).toHaveBeenCalledTimes(1);
  });

  test('symbol keys and hidden properties stay behind', () => {
    const value = Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'hidden', { value: 3 });
    deepStrictEqual(roundTrip([value]), [{ a: 1 }]);
  });

  test('arrive whole although someone gave all objects a toJSON, or more properties', () => {
    const define = (on: object, key: string, value: unknown, enumerable: boolean) =>
      Object.defineProperty(on, key, { value, enumerable, configurable: true, writable: true });
    for (const prototype of [Object.prototype, Array.prototype]) {
      define(prototype, 'toJSON', () => 'patched', false);
      try {
        expect(exactJson([{ a: 1 }])).toBeUndefined();
        deepStrictEqual(roundTrip([[{ a: 1 }], { b: [2] }]), [[{ a: 1 }], { b: [2] }]);
      } finally {
        Reflect.deleteProperty(prototype, 'toJSON');
      }
    }
    define(Object.prototype, 'inherited', { x: 1 }, true);
    try {
      expect(exactJson({ a: 1 })).toBeUndefined();
      expect(roundTrip([{ a: 1 }, 5]).map((value) => Object.keys(value as object))).toEqual([['a'], []]);
    } finally {
      Reflect.deleteProperty(Object.prototype, 'inherited');
    }
  });

  test('900 levels of nesting arrive, 1 500 and 100 000 are refused', () => {
    const nested = (levels: number, wrap: (inner: unknown) => unknown) => {
      let value: unknown = 'core';
      for (let i = 0; i < levels; i++) value = wrap(value);
      return value;
    };
    for (const wrap of [
      (inner: unknown) => ({ inner }),
      (inner: unknown) => [inner],
      (inner: unknown) => new Map([[1, inner]]),
    ]) {
      expect(JSON.stringify(roundTrip([nested(900, wrap)]))).toBe(JSON.stringify([nested(900, wrap)]));
      for (const levels of [1_500, 100_000]) {
        expect(refusalOf(nested(levels, wrap)).message).toBe(
          'Cannot send value 1: it is nested more than 1000 levels deep',
        );
      }
    }
  });
});

describe('what can not be sent', () => {
  const { proxy: revoked, revoke } = Proxy.revocable({}, {});
  revoke();
  const module = new (
    globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } }
  ).WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  const circular: Record<string, unknown> = { list: [] };
  circular.self = circular;
  circular.list = [circular, { back: circular, fn() {} }];

  test.each<[what: string, value: unknown, said: string]>([
    ['a function', () => 1, 'it is a function'],
    ['a symbol', Symbol('s'), 'it is a symbol'],
    ['a class', class {}, 'it is a function'],
    ['a method', { a: { b: [1, 2, { fn() {} }] } }, 'property "a.b[2].fn" is a function'],
    ['a symbol inside', [[Symbol('s')]], 'property "[0][0]" is a symbol'],
    ['a Promise', { a: Promise.resolve(1) }, 'property "a" is a Promise'],
    ['a toJSON', { toJSON() {} }, 'property "toJSON" is a function'],
    ['a WeakMap', { 'odd key': new WeakMap() }, String.raw`property "[\"odd key\"]" is a WeakMap`],
    ['a WeakSet', [new WeakSet()], 'property "[0]" is a WeakSet'],
    ['a WeakRef', { ref: new WeakRef({}) }, 'property "ref" is a WeakRef'],
    ['a Proxy', { p: new Proxy({}, {}) }, 'property "p" is a Proxy'],
    ['a Proxy as such', new Proxy([], {}), 'it is a Proxy'],
    ['a revoked Proxy', revoked, 'it is a Proxy'],
    ['a SharedArrayBuffer', { memory: new SharedArrayBuffer(8) }, 'property "memory" is a SharedArrayBuffer'],
    ['a WebAssembly.Module', { module, after: 1 }, 'property "module" is a WebAssembly.Module'],
    ['a generator', { run: (function* () {})() }, 'property "run" is a Generator'],
    ['an iterator', [new Map().keys()], 'property "[0]" is a Map Iterator'],
    ['an Intl object', { format: new Intl.NumberFormat() }, 'property "format" is an Intl.NumberFormat'],
    [
      'arguments',
      [runInNewContext('(function () { return arguments; })(1)')],
      'property "[0]" is an Arguments',
    ],
    ['a Map value', new Map([['k', { f() {} }]]), String.raw`property "get(\"k\").f" is a function`],
    ['a Map key', { m: new Map([[Symbol('k'), 1]]) }, 'property "m.keys()" is a symbol'],
    ['a Map value under an object', new Map([[{}, () => 1]]), 'property "get()" is a function'],
    ['a Set entry', { s: new Set([1, Symbol('e')]) }, 'property "s.values()" is a symbol'],
    ['a cause', new Error('x', { cause: { f() {} } }), 'property "cause.f" is a function'],
    [
      'a property beside an array',
      Object.assign([1], { 'f-n': () => 1 }),
      String.raw`property "[\"f-n\"]" is a function`,
    ],
    ['a circle', circular, 'property "list[1].fn" is a function'],
    [
      'a property of an instance',
      new (class Job {
        run = () => 1;
      })(),
      'property "run" is a function',
    ],
  ])('%s is refused by its name, and it alone', (_what, value, said) => {
    const error = refusalOf(value);
    expect(error.message).toBe(`Cannot send value 1: ${said}`);
  });

  test('the path is a field of the error as well', () => {
    expect(refusalOf({ a: [() => 1] }).path).toBe('a[0]');
    expect(refusalOf(() => 1).path).toBeUndefined();
  });

  test('the caller says what the values are', () => {
    const errors: string[] = [];
    encodeColumn(
      [1, Symbol('x')],
      (_, { message }) => errors.push(message),
      (position) => `the result of job ${position + 7}`,
    );
    expect(errors).toEqual(['Cannot send the result of job 8: it is a symbol']);
    expect(describeRefusal({ f() {} }, 'job 3').message).toBe(
      'Cannot send job 3: property "f" is a function',
    );
    expect(describeRefusal({ fine: true }, 'job 3').message).toBe(
      'Cannot send job 3: it holds something that can not be cloned',
    );
  });

  test('a getter that throws is named, and what it threw is the cause', () => {
    const thrown = new Error('no such thing');
    const value = {
      deep: {
        get trap() {
          throw thrown;
        },
      },
    };
    const error = refusalOf(value);
    expect(error.message).toBe('Cannot send value 1: property "deep.trap" has a getter that throws');
    expect(error.cause).toBe(thrown);
  });

  test.each([255, 256, 257, 513])('each of %i is told of once, and those between them arrive', (count) => {
    const refused: number[] = [];
    const values = Array.from({ length: count }, (_, at) => (at % 2 === 0 ? () => at : new Map([[at, at]])));
    const encoded = encodeColumn(values, (position) => refused.push(position));
    expect(refused).toEqual(values.flatMap((_, at) => (at % 2 === 0 ? [at] : [])));
    expect(decodeColumn(encoded)).toEqual(values.map((value) => (value instanceof Map ? value : undefined)));
  });

  test('a getter that throws every other time, or something that is no Error, is refused in some words', () => {
    let calls = 0;
    class Moody {
      declare moody: unknown;
      constructor() {
        const get = () => {
          calls++;
          if (calls % 2 === 0) throw null;
          return 1;
        };
        Object.defineProperty(this, 'moody', { get, enumerable: true });
      }
    }
    expect(refusalOf(new Moody()).message).toBe(
      'Cannot send value 1: it holds something that can not be cloned',
    );
  });

  test('objects that resist every look are refused in the words of the serialiser', () => {
    const hostile = new Proxy(
      {},
      {
        getPrototypeOf() {
          throw new Error('do not look');
        },
      },
    );
    const child: unknown = Object.create(hostile, { f: { value: () => 1, enumerable: true } });
    expect(refusalOf(child).message).toMatch(/^Cannot send value 1: /);
  });

  test('a value that v8 writes and can not read fails alone on the other side', () => {
    /** Harmless when it is looked at, and not when it is written. */
    const fickle = (inner: unknown) => {
      const get = vi.fn().mockReturnValueOnce(1).mockReturnValue(inner);
      return new Set([Object.defineProperty({}, 'inner', { get, enumerable: true })]);
    };
    const encoded = encode([{ fine: 1 }, fickle(module), fickle(writtenButNotRead()), Buffer.from('fine')]);
    const refused: [number, string][] = [];
    const onRefused = (position: number, { message }: Error) => refused.push([position, message]);
    expect(decodeColumn(encoded, onRefused, (position) => `job ${position}`)).toEqual([
      { fine: 1 },
      undefined,
      undefined,
      Buffer.from('fine'),
    ]);
    expect(refused).toEqual([
      [1, 'Cannot read job 1: it holds something that can not be cloned'],
      [2, 'Cannot read job 2: it is nested too deeply'],
    ]);
    expect(() => decodeColumn(encoded)).toThrow(
      'Cannot read value 1: it holds something that can not be cloned',
    );
  });

  test('a search in a huge value ends without the path', () => {
    const wide: unknown[] = Array.from({ length: 100_001 }, () => ({}));
    wide.push(Symbol('last'));
    expect(refusalOf(wide).message).toBe('Cannot send value 1: Symbol(last) could not be cloned.');
  });

  test('a column too large for a message refuses all its values and no other', () => {
    const refused: [number, string][] = [];
    const rest = [() => 1, undefined, { plain: 1 }];
    const outOfMemory = (): never => {
      throw new RangeError('Array buffer allocation failed');
    };
    for (const [first, release] of [
      // No page of it is ever touched.
      [Buffer.alloc(2 ** 31 - 1)],
      [Buffer.alloc(1), outOfMemory],
    ] as const) {
      refused.length = 0;
      const values = [first, ...rest];
      if (release !== undefined)
        vi.spyOn(DefaultSerializer.prototype, 'releaseBuffer').mockImplementation(release);
      expect(encodeColumn(values, (position, { message }) => refused.push([position, message]))).toBe(4);
      expect(refused).toEqual([
        [1, 'Cannot send value 1: it is a function'],
        [0, 'Cannot send value 0: the values of its batch are too large for one message'],
        [3, 'Cannot send value 3: the values of its batch are too large for one message'],
      ]);
    }
  });
});

describe('exactJson', () => {
  test('is there only where JSON gives what the structured clone gives', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const text = exactJson(value);
        if (text === undefined) return;
        const parsed: unknown = JSON.parse(text);
        const clone: unknown = structuredClone(value);
        deepStrictEqual(parsed, clone);
        expect(sharing(parsed)).toBe(sharing(clone));
      }),
      { numRuns: 150 },
    );
  });

  test('is the text of whatever came from JSON', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!text.includes('__proto__'));
        const value: unknown = JSON.parse(text.replaceAll('-0', '0'));
        expect(exactJson(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  const shared = {};
  const circle: unknown[] = [];
  circle.push(circle);
  test.each<[what: string, value: unknown]>([
    ['undefined', undefined],
    ['undefined inside', { a: undefined }],
    ['-0', -0],
    ['-0 inside', { a: [-0] }],
    ['NaN', Number.NaN],
    ['an infinity', [Number.POSITIVE_INFINITY]],
    ['a BigInt', 1n],
    ['a symbol', Symbol('s')],
    ['a function', { f() {} }],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['a boxed string', Object('x')],
    ['a class instance', new (class A {})()],
    ['an array subclass', new (class B extends Array {})()],
    ['an object twice', [shared, shared]],
    ['a circle', circle],
    ['a hole', new Array(1)],
    ['a property beside the elements', 'b'.match(/b/)],
    ['a `__proto__` key', JSON.parse('{ "__proto__": 1 }')],
    ['a Proxy', new Proxy({}, {})],
    ['a Buffer', Buffer.from('x')],
    ['70 levels', JSON.parse(`${'['.repeat(70)}${']'.repeat(70)}`)],
  ])('is not there for %s', (_what, value) => {
    expect(exactJson(value)).toBeUndefined();
  });

  test.each<[what: string, value: unknown]>([
    ['long strings', 'x'.repeat(5_000)],
    ['lone surrogates', ['\ud800', '\udfff\ud800']],
    ['fractions', [0.1, 1e300]],
    ['a null prototype', Object.assign(Object.create(null), { a: 1 })],
    ['empty ones', [{}, [], '', null]],
    ['60 levels', JSON.parse(`${'['.repeat(60)}${']'.repeat(60)}`)],
  ])('is there for %s', (_what, value) => {
    expect(JSON.parse(exactJson(value) ?? '')).toEqual(structuredClone(value));
  });
});
