import { types } from 'node:util';
import { exactJson } from '../codec.js';
import { SerializationError } from '../errors.js';

/**
 * Values between machines: JSON, and only what JSON gives back exactly as it was. Anything else is refused by name, never
 * altered: a Map would arrive as `{}`, NaN as null, a Date as text.
 */

/** Levels a search for the culprit goes down; deeper is refused as such. */
const MAX_LEVELS = 64;

const ADVICE =
  'between machines values travel as JSON: send plain objects, arrays, strings, finite numbers, booleans and null';

/**
 * @param what names the value in an error, such as `job 3`
 * @returns its JSON text, or why there is none
 */
export function toJson(value: unknown, what: string): string | SerializationError {
  const text = exactJson(value);
  if (text !== undefined) return text;
  const found = culprit(value, '', new Set(), 0) ?? { path: '', reason: 'can not be written as JSON' };
  const { path, reason } = found;
  const subject = path === '' ? 'it' : `property ${JSON.stringify(path)}`;
  return new SerializationError(`Cannot send ${what}: ${subject} ${reason} (${ADVICE})`, {
    path: path === '' ? undefined : path,
  });
}

/**
 * Reads JSON from the queue. `__proto__` never becomes a key: whoever copies the object later would give the copy another
 * prototype.
 * @throws SyntaxError where it is no JSON
 */
export function fromJson(text: string): unknown {
  // The key can also be written with escapes, so only a text with neither is safe to read as it is.
  if (!text.includes('__proto__') && !/\\u00(5f|[67])/i.test(text)) return JSON.parse(text);
  return JSON.parse(text, function (this: unknown, key, value: unknown) {
    return key === '__proto__' ? undefined : value;
  });
}

interface Culprit {
  readonly path: string;
  readonly reason: string;
}

/** The first thing in a value that JSON would change. */
function culprit(value: unknown, path: string, seen: Set<object>, level: number): Culprit | undefined {
  const reason = wrongPrimitive(value);
  if (reason !== undefined) return { path, reason };
  if (typeof value !== 'object' || value === null) return undefined;
  if (seen.has(value)) return { path, reason: 'is there more than once' };
  if (level > MAX_LEVELS) return { path, reason: `is nested more than ${MAX_LEVELS} levels deep` };
  seen.add(value);
  const kind = notPlain(value);
  if (kind !== undefined) return { path, reason: kind };
  const isList = Array.isArray(value);
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return { path, reason: 'has a key named __proto__' };
    const step = isList ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    const inner = culprit(read(value, key), step, seen, level + 1);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function wrongPrimitive(value: unknown): string | undefined {
  switch (typeof value) {
    case 'number':
      if (Object.is(value, -0)) return 'is -0';
      return Number.isFinite(value) ? undefined : `is ${value}`;
    case 'undefined':
      return 'is undefined';
    case 'bigint':
    case 'function':
    case 'symbol':
      return `is a ${typeof value}`;
    default:
      return undefined;
  }
}

function notPlain(value: object): string | undefined {
  if (types.isProxy(value)) return 'is a Proxy';
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value) && prototype === Array.prototype) {
    return Object.keys(value).length === value.length
      ? undefined
      : 'has holes or properties beside its elements';
  }
  if (prototype !== Object.prototype && prototype !== null) {
    const name: unknown = (prototype as { constructor?: { name?: unknown } }).constructor?.name;
    return `is an instance of ${typeof name === 'string' && name !== '' ? name : 'a class'}`;
  }
  return typeof read(value, 'toJSON') === 'function' ? 'has a toJSON function' : undefined;
}

/** A getter that throws is for the caller as good as a function. */
function read(value: object, key: string): unknown {
  try {
    return Reflect.get(value, key);
  } catch {
    return Symbol('a getter that throws');
  }
}
