import { types } from 'node:util';

/**
 * What is known of the values of a column after they were copied.
 *
 * A copy is made because it settles three questions at once: accessors are read once, so what was checked is what is
 * written; objects that two jobs share are apart in their copies; and nothing that is written has a `toJSON` or a
 * prototype of its own.
 */
export interface PlainCopies {
  /** Whether JSON gives back every value copied so far exactly as the structured clone does. */
  exact: boolean;
  /** Whether there was something that v8's serialiser is faster at than JSON: long strings, fractions in arrays. */
  slow: boolean;
  /** About the bytes of their JSON text, of what JSON can write. */
  bytes: number;
  /** The objects of the value being copied: the first `count` of `few`, and all of them in `many` if it is there. */
  readonly few: object[];
  count: number;
  many: Set<object> | undefined;
}

/** The copy of a value that is not plain. */
export const NOT_PLAIN: unique symbol = Symbol('not plain');

/** What `copyRow` returns for a row that is in the columns. */
export const IN_COLUMNS: unique symbol = Symbol('in columns');

/** JSON lost to v8 from about 50 to 150 characters on, depending on what has to be escaped. */
const LONG_STRING = 64;

/** Bytes of JSON around a value, and of a number, about. */
const PUNCTUATION = 3;
const NUMBER_BYTES = 6;

/** Far below what overflows any stack. */
const MAX_DEPTH = 64;

/** So many objects are sooner looked through than hashed. */
const FEW = 16;

const { fromEntries, getPrototypeOf, hasOwn, keys, prototype: objectPrototype } = Object;
const { isArray, prototype: arrayPrototype } = Array;
const { isView } = ArrayBuffer;
const { isAnyArrayBuffer, isDate, isMap, isPromise, isProxy, isSet } = types;
const { stringify } = JSON;
const NativeDate = Date;
const { prototype: datePrototype } = Date;
const getTime: (this: Date) => number = datePrototype.getTime;
const toTag: (this: object) => string = objectPrototype.toString;

/** Whether someone gave all objects a `toJSON`, which then writes in the place of each. */
export function haveToJson(): boolean {
  return 'toJSON' in arrayPrototype;
}

/** Nothing copied yet. Not exact where all objects have a `toJSON`. */
export function plainCopies(): PlainCopies {
  return { exact: !haveToJson(), slow: false, bytes: 0, few: [], count: 0, many: undefined };
}

/**
 * The JSON text of a value, only where `JSON.parse` makes of it what the structured clone of the value is: plain objects and
 * dense arrays of finite numbers but -0, strings, booleans and null; nothing undefined, no `toJSON`, no `__proto__` key, no
 * array with further properties, at most 64 levels deep, and no object in it twice. Else undefined. Every part is looked at,
 * accessors are read once.
 */
export function exactJson(value: unknown): string | undefined {
  if (!arePrototypesClean()) return undefined;
  const copies = plainCopies();
  const copy = copyPlain(value, copies);
  return copies.exact && copy !== NOT_PLAIN ? stringify(copy) : undefined;
}

/** False where someone added enumerable properties to all objects or arrays: then nothing here can be relied on. */
export function arePrototypesClean(): boolean {
  for (const _ in arrayPrototype) return false;
  return true;
}

/**
 * The copy of a plain value, or `NOT_PLAIN`: primitives, plain objects, dense plain arrays and Dates, nested at most 64
 * levels, no object twice. What it saw is added to `copies`. A getter that throws is passed through as NOT_PLAIN.
 * Only where `arePrototypesClean()`.
 */
export function copyPlain(value: unknown, copies: PlainCopies): unknown {
  if (typeof value !== 'object' || value === null) {
    if (!isPlainPrimitive(value, copies)) return NOT_PLAIN;
    if (typeof value === 'number' && (value | 0) !== value) copies.slow = true;
    return value;
  }
  copies.count = 0;
  copies.many = undefined;
  try {
    return copyObject(value, copies, 0);
  } catch {
    // A getter of the user's threw: the serialiser will meet it again, and the error be reported from there.
    return NOT_PLAIN;
  }
}

/** Notes what JSON can't write; false for functions and symbols. */
function isPlainPrimitive(value: unknown, copies: PlainCopies): boolean {
  switch (typeof value) {
    case 'string':
      if (value.length > LONG_STRING) copies.slow = true;
      copies.bytes += value.length + PUNCTUATION;
      return true;
    case 'number':
      copies.bytes += NUMBER_BYTES;
      if (!isJsonNumber(value)) copies.exact = false;
      return true;
    case 'undefined':
    case 'bigint':
      copies.exact = false;
      return true;
    case 'function':
    case 'symbol':
      return false;
    default:
      copies.bytes += PUNCTUATION + 2;
      return true;
  }
}

/** Any but -0, NaN and the infinities. */
function isJsonNumber(value: number): boolean {
  return value === 0 ? 1 / value > 0 : Number.isFinite(value);
}

function copyObject(value: object, copies: PlainCopies, depth: number): unknown {
  if (depth > MAX_DEPTH || isProxy(value) || !isNew(value, copies)) return NOT_PLAIN;
  const prototype: unknown = getPrototypeOf(value);
  if (prototype === objectPrototype || prototype === null) return copyRecord(value, copies, depth);
  if (prototype === arrayPrototype && isArray(value)) return copyArray(value, copies, depth);
  if (prototype === datePrototype && isDate(value)) {
    copies.exact = false;
    return new NativeDate(getTime.call(value));
  }
  return NOT_PLAIN;
}

/** The copy of what an object holds, or `NOT_PLAIN`. */
function copyPart(own: unknown, copies: PlainCopies, depth: number): unknown {
  if (typeof own === 'object' && own !== null) return copyObject(own, copies, depth);
  return isPlainPrimitive(own, copies) ? own : NOT_PLAIN;
}

/** Notes an object; false if the value has it twice: only the serialiser can keep that. */
function isNew(object: object, copies: PlainCopies): boolean {
  const { few, count, many } = copies;
  if (many !== undefined) return many.size < many.add(object).size;
  for (let i = 0; i < count; i++) if (few[i] === object) return false;
  few[count] = object;
  copies.count = count + 1;
  if (copies.count === FEW) copies.many = new Set(few);
  return true;
}

function copyRecord(value: object, copies: PlainCopies, depth: number): unknown {
  // An Error or a Date stays one for v8 under any prototype.
  if (toTag.call(value) !== '[object Object]') return NOT_PLAIN;
  const copy: Record<string, unknown> = { ...value };
  let first: string | undefined;
  for (const key in copy) {
    if (key === '__proto__') return NOT_PLAIN;
    first ??= key;
    copies.bytes += key.length + PUNCTUATION;
    const own = copy[key];
    const part = copyPart(own, copies, depth + 1);
    if (part === NOT_PLAIN) return NOT_PLAIN;
    if (part !== own) copy[key] = part;
  }
  return (first === undefined || first === '0') && isDisguised(value) ? NOT_PLAIN : copy;
}

/**
 * Copies a value, and a plain object that has the properties `keys` in that order to the ends of their columns. No property is
 * read twice. Only where `arePrototypesClean()`.
 * @returns `IN_COLUMNS` for such a row; else what `copyPlain` returns, and there may be a part of it in the columns
 */
export function copyRow(
  value: unknown,
  keys: readonly string[],
  columns: readonly unknown[][],
  copies: PlainCopies,
): unknown {
  let at = 0;
  /** All properties, from the first one on that is not as expected. */
  let others: [string, unknown][] | undefined;
  try {
    if (!isRecord(value)) return copyPlain(value, copies);
    copies.count = 0;
    copies.many = undefined;
    isNew(value, copies);
    for (const key in value) {
      copies.bytes += key.length + PUNCTUATION;
      const part = copyPart(value[key], copies, 1);
      if (part === NOT_PLAIN) return NOT_PLAIN;
      if (others === undefined && key === keys[at]) {
        columns[at]?.push(part);
        at += 1;
      } else {
        if (key === '__proto__') return NOT_PLAIN;
        others ??= lastOf(keys, columns, at);
        others.push([key, part]);
      }
    }
    const [first] = at > 0 ? keys : (others?.[0] ?? []);
    if ((first === undefined || first === '0') && isDisguised(value)) return NOT_PLAIN;
    if (others === undefined && at === keys.length) return IN_COLUMNS;
    return fromEntries(others ?? lastOf(keys, columns, at));
  } catch {
    // As in `copyPlain`.
    return NOT_PLAIN;
  }
}

/** What the first columns had last. */
function lastOf(
  keys: readonly string[],
  columns: readonly (readonly unknown[])[],
  count: number,
): [string, unknown][] {
  return keys.slice(0, count).map((key, at) => [key, columns[at]?.at(-1)]);
}

/** The names of the properties that rows like a value have; undefined if it is no row. */
export function rowKeys(value: unknown): string[] | undefined {
  try {
    const names = isRecord(value) ? keys(value) : [];
    return names.length === 0 || names.includes('__proto__') ? undefined : names;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || isProxy(value)) return false;
  const prototype: unknown = getPrototypeOf(value);
  if (prototype !== objectPrototype && prototype !== null) return false;
  // An Error or a Date stays one for v8 under any prototype.
  return toTag.call(value) === '[object Object]';
}

/** A Map or typed array whose prototype was replaced shows no properties, or elements, and is for v8 what it was. */
function isDisguised(value: object): boolean {
  return isMap(value) || isSet(value) || isPromise(value) || isAnyArrayBuffer(value) || isView(value);
}

function copyArray(value: readonly unknown[], copies: PlainCopies, depth: number): unknown {
  const names = keys(value);
  const { length } = value;
  // Names of elements come first and in order: if the last of so many is the last element's, there is no hole and no
  // property beside the elements (as an array of `String.match` has).
  if (names.length !== length || (length > 0 && names[length - 1] !== `${length - 1}`)) return NOT_PLAIN;
  if (hasOwn(value, Symbol.iterator)) return NOT_PLAIN;
  const copy = [...value];
  copies.bytes += PUNCTUATION + length * 2;
  for (let i = 0; i < length; i++) {
    const own = copy[i];
    if (typeof own === 'number') {
      if ((own | 0) !== own) copies.slow = true;
      if (!isJsonNumber(own)) copies.exact = false;
      copies.bytes += NUMBER_BYTES;
    } else if (typeof own === 'object' && own !== null) {
      const inner = copyObject(own, copies, depth + 1);
      if (inner === NOT_PLAIN) return NOT_PLAIN;
      copy[i] = inner;
    } else if (!isPlainPrimitive(own, copies)) {
      return NOT_PLAIN;
    }
  }
  return copy;
}
