import { createHash } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { outcomeField } from '../../src/journal/format.js';
import { canonicalText, jobHash } from '../../src/journal/hash.js';
import { MAX_FIELD, valueField } from '../../src/journal/values.js';
import { completed, run, useJournals } from '../helpers/journal.js';

const journals = useJournals();

function recalled(result: unknown): unknown {
  run(journals.open(), 0, 'job', result);
  return journals.reopen().recall(0, 'job')?.result;
}

describe('a result comes back exactly as it was', () => {
  test.each<[name: string, value: unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['false', false],
    ['zero', 0],
    ['minus zero', -0],
    ['NaN', Number.NaN],
    ['infinity', Number.NEGATIVE_INFINITY],
    ['a fraction', 0.1],
    ['a number in exponential form', 1.5e300],
    ['an empty string', ''],
    ['a string', 'näme 🏭 "q" \n \u2028 \\'],
    ['a lone surrogate', '\ud83c'],
    ['a long string', 'ab€'.repeat(10_000)],
    ['a BigInt', 2n ** 80n],
    ['a Date', new Date(1_764_000_000_123)],
    ['a RegExp', /a(b)?/giu],
    ['a Map', new Map<unknown, unknown>([[{ a: 1 }, new Set([1, 'x'])]])],
    ['an object', { a: [1, { b: null }], c: 'd' }],
    ['an object with undefined', { a: undefined }],
    ['an object with minus zero', { a: [1, -0] }],
    ['a sparse array', [1, undefined, 2].filter((_, i) => i !== 1).concat(new Array(2))],
    ['an own __proto__', JSON.parse('{"__proto__":{"a":1}}')],
    ['an Error', new RangeError('far')],
  ])('%s', (_, value) => {
    expect(recalled(value)).toStrictEqual(value);
  });

  test('shared and circular references', () => {
    const shared = { n: 1 };
    const circular: Record<string, unknown> = { left: shared, right: shared };
    circular.self = circular;
    const result = recalled(circular) as typeof circular;
    expect(result.left).toBe(result.right);
    expect(result.self).toBe(result);
  });

  test('bytes, in an ArrayBuffer of just their size', () => {
    const pool = new Uint8Array(64).fill(7);
    const views = [
      Buffer.from('abc'),
      new Float64Array([1.5, 2]),
      pool.subarray(3, 6),
      new DataView(pool.buffer, 8, 8),
    ];
    const result = recalled(views) as typeof views;
    expect(result).toEqual(views);
    expect(result.map((view) => view.constructor)).toEqual(views.map((view) => view.constructor));
    expect(result.map((view) => view.buffer.byteLength)).toEqual([3, 16, 3, 8]);
  });

  test('or is refused where its line would be too long to be read', () => {
    const field = (length: number) => valueField('result', 'é'.repeat(length), 100);
    expect(Buffer.byteLength(field(44))).toBe(100);
    expect(() => field(45)).toThrow(new RangeError('its result takes 102 bytes, more than a line can have'));
  });

  test('with what names the job, where that is long', () => {
    const who = 'é'.repeat(MAX_FIELD / 2 - 30);
    expect(outcomeField(completed(0, 'a', 'x'.repeat(40)), who)).toHaveLength(52);
    expect(() => outcomeField(completed(0, 'a', 'x'.repeat(60)), who)).toThrow(RangeError);
  });

  test('an undefined result takes no room in its line', () => {
    journals.open().record([completed(0, 'a', undefined)]);
    expect(journals.text()).toMatch(/"duration":1\.5\}\n$/);
  });
});

describe('the hash of a job', () => {
  test('is the beginning of the SHA-1 of its JSON, in base64url', () => {
    const job = { file: 'a.csv', lines: [1, 2] };
    const expected = createHash('sha1').update(JSON.stringify(job)).digest('base64url').slice(0, 16);
    expect(jobHash(job)).toBe(expected);
  });

  test('does not depend on how v8 holds a value', () => {
    const [parsed] = JSON.parse('[{"n":3,"s":"a long enough string é","at":null}]');
    const sliced = '🏭a long enough string é'.slice(2);
    const job = (n: number, s: string): unknown => ({ n, s, at: new Date(5) });
    const double = new Float64Array([3])[0] ?? 0;
    expect(jobHash(job(double, sliced))).toBe(jobHash(job(parsed.n, parsed.s)));
  });

  const shared = {};
  test.each<[one: unknown, other: unknown]>([
    [undefined, null],
    [0, -0],
    [1, '1'],
    [1, 1n],
    [Number.NaN, null],
    [new Date(1), new Date(2)],
    [new Date(1), 1],
    [/a/g, /a/i],
    [new Map([[1, 2]]), new Map([[2, 1]])],
    [new Map(), new Set()],
    [new Set([1]), new Set([2])],
    [{ a: undefined }, {}],
    [[undefined], [null]],
    [new Array(1), [undefined]],
    [new Array(2), new Array(3)],
    [Object.assign([1n], { a: 1 }), [1n]],
    [Buffer.from('a'), new Uint8Array([97])],
    [new Uint8Array([97]), new Int8Array([97])],
    [new Uint8Array([97]).buffer, new Uint8Array([98]).buffer],
    [new Error('a'), new Error('b')],
    [Object('a'), 'a'],
    [Object(1n), 1n],
    [
      { a: shared, b: shared },
      { a: {}, b: {} },
    ],
    [() => 1, Symbol('a')],
  ])('tells %s from %s', (one, other) => {
    expect(jobHash(one)).not.toBe(jobHash(other));
  });

  test('is the same for equal values that JSON can not write', () => {
    const job = () => ({ m: new Map([[1n, new Set([Number.NaN])]]), b: Buffer.from('x'), u: undefined });
    expect(jobHash(job())).toBe(jobHash(job()));
    expect(canonicalText(runInNewContext('new Map([[1, -0]])'))).toBe(canonicalText(new Map([[1, -0]])));
  });

  test('is that of the JSON where JSON is exact', () => {
    const job = { a: [1, 'é', { b: null, c: true }], d: 1.5 };
    expect(canonicalText(job)).toBe(JSON.stringify(job));
  });

  test('can be made of a value that can not be sent at all', () => {
    const circular: unknown[] = [];
    circular.push(circular);
    let deep: unknown = [];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    const throwing = {
      get a() {
        throw new Error('no');
      },
    };
    for (const job of [circular, deep, throwing, { f() {} }, Promise.resolve()]) {
      expect(jobHash(job)).toMatch(/^[\w-]{16}$/);
    }
  });
});
