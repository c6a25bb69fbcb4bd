import { types } from 'node:util';
import { SerializationError } from './errors.js';
import { serialize } from './serializer.js';

/** Levels a value may be nested: v8 writes more, but can't read back more than some 1 800. */
const MAX_LEVELS = 1_000;

/** Objects a search looks at. One that ends here costs no more than a less exact message. */
const MAX_OBJECTS = 100_000;

interface WithWebAssembly {
  readonly WebAssembly?: { readonly Module: new (...args: never[]) => object };
}

/** Not there under `--jitless`. */
const WasmModule = (globalThis as WithWebAssembly).WebAssembly?.Module;

/** What in a value can't be sent. */
interface Refusal {
  /** Where, such as `a.b[2].fn`; `''` for the value itself. */
  readonly path: string;
  /** What is wrong with it, such as `is a function`. */
  readonly reason: string;
  /** What a getter threw. */
  readonly cause?: unknown;
}

/** A place in a value, and how the search came there. */
interface Place {
  readonly value: unknown;
  readonly parent: Place | undefined;
  /** From the parent to here: `.key`, `[2]`, `.get("key")`. */
  readonly step: string;
  readonly level: number;
}

/**
 * Why a value was not sent, as an error that names the property:
 * `Cannot send job 3: property "a.b[2].fn" is a function`.
 *
 * @param what what the value is, such as `job 3` or `the result of job 3`
 * @param cause what the serialiser threw, if it was asked; kept unless the search finds a getter that throws
 */
export function describeRefusal(value: unknown, what: string, cause?: unknown): SerializationError {
  const refusal = findRefusal(value, true);
  if (refusal !== undefined) return refusalError(refusal, what, cause);
  const reason = cause instanceof Error ? cause.message : 'it holds something that can not be cloned';
  return new SerializationError(`Cannot send ${what}: ${reason}`, cause === undefined ? {} : { cause });
}

/**
 * The same error if the value is seen to be one that can't be sent, without asking the serialiser; else undefined. To be
 * asked first: v8 writes a value nested 2 000 levels deep, or a WebAssembly.Module, and then can't read what it wrote.
 */
export function refuseAtSight(value: unknown, what: string): SerializationError | undefined {
  const refusal = findRefusal(value, false);
  return refusal === undefined ? undefined : refusalError(refusal, what);
}

function refusalError(refusal: Refusal, what: string, cause?: unknown): SerializationError {
  const { path, reason } = refusal;
  const details = 'cause' in refusal ? { cause: refusal.cause } : cause === undefined ? {} : { cause };
  if (path === '') return new SerializationError(`Cannot send ${what}: it ${reason}`, details);
  const message = `Cannot send ${what}: property ${JSON.stringify(path)} ${reason}`;
  return new SerializationError(message, { ...details, path });
}

/**
 * The first thing in a value that can't be sent. Walks as v8 does (depth first, each object once; own enumerable
 * properties, elements, entries, causes), but without recursion.
 *
 * @param thorough whether to try objects of unknown kinds, one by one, with the serialiser
 */
function findRefusal(root: unknown, thorough: boolean): Refusal | undefined {
  try {
    return walk(root, thorough);
  } catch {
    // A prototype that is a Proxy, or a tag that is a getter, can throw at any look: then the serialiser's word stands.
    return undefined;
  }
}

function walk(root: unknown, thorough: boolean): Refusal | undefined {
  const seen = new Set<unknown>();
  const open: Place[] = [{ value: root, parent: undefined, step: '', level: 0 }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { value, level } = place;
    if (seen.has(value)) continue;
    seen.add(value);
    if (level > MAX_LEVELS) return { path: '', reason: `is nested more than ${MAX_LEVELS} levels deep` };
    const kind = refusedKind(value);
    if (kind !== undefined) return { path: pathOf(place), reason: `is ${kind}` };
    if (seen.size + open.length > MAX_OBJECTS) return undefined;
    if (typeof value !== 'object' || value === null) continue;
    const inner: Place[] = [];
    const refusal = lookInto(value, place, inner);
    if (refusal !== undefined) return refusal;
    if (thorough && inner.length === 0 && tagOf(value) !== 'Object' && isRefusedAlone(value)) {
      return { path: pathOf(place), reason: `is ${withArticle(tagOf(value))}` };
    }
    // v8 goes on with the first of them, so that has to be the last one pushed.
    for (let next = inner.pop(); next !== undefined; next = inner.pop()) open.push(next);
  }
  return undefined;
}

/** The name, with its article, of a kind of value that can never be sent. */
function refusedKind(value: unknown): string | undefined {
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  if (types.isProxy(value)) return 'a Proxy';
  if (types.isPromise(value)) return 'a Promise';
  if (types.isWeakMap(value)) return 'a WeakMap';
  if (types.isWeakSet(value)) return 'a WeakSet';
  if (types.isSharedArrayBuffer(value)) return 'a SharedArrayBuffer';
  if (WasmModule !== undefined && value instanceof WasmModule) return 'a WebAssembly.Module';
  return undefined;
}

/** Collects what an object holds that may have to be looked at; a getter that throws is a refusal. */
function lookInto(value: object, place: Place, inner: Place[]): Refusal | undefined {
  const add = (own: unknown, step: string): void => {
    const isLeaf =
      own === null || (typeof own !== 'object' && typeof own !== 'function' && typeof own !== 'symbol');
    if (!isLeaf) inner.push({ value: own, parent: place, step, level: place.level + 1 });
  };
  if (types.isMap(value)) {
    Map.prototype.forEach.call(value, (entry: unknown, key: unknown) => {
      add(key, '.keys()');
      add(entry, typeof key === 'string' ? `.get(${JSON.stringify(key)})` : '.get()');
    });
    return undefined;
  }
  if (types.isSet(value)) {
    Set.prototype.forEach.call(value, (entry: unknown) => add(entry, '.values()'));
    return undefined;
  }
  if (
    ArrayBuffer.isView(value) ||
    types.isBoxedPrimitive(value) ||
    types.isDate(value) ||
    types.isRegExp(value)
  ) {
    return undefined;
  }
  // Of an Error v8 takes no other property that could hold an object.
  const keys = types.isNativeError(value)
    ? Object.hasOwn(value, 'cause')
      ? ['cause']
      : []
    : Object.keys(value);
  const isList = Array.isArray(value);
  for (const key of keys) {
    const step = isList && /^\d+$/.test(key) ? `[${key}]` : propertyStep(key);
    try {
      add(Reflect.get(value, key), step);
    } catch (cause) {
      const path = pathOf({ value: undefined, parent: place, step, level: 0 });
      return { path, reason: 'has a getter that throws', cause };
    }
  }
  return undefined;
}

function propertyStep(key: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

function pathOf(place: Place): string {
  let path = '';
  for (let at: Place | undefined = place; at !== undefined; at = at.parent) path = at.step + path;
  return path.replace(/^\./, '');
}

function isRefusedAlone(value: object): boolean {
  try {
    serialize(value);
    return false;
  } catch {
    // This is the answer: whatever it says is said again, and reported, where the whole value is sent.
    return true;
  }
}

/** The kind of an object as JavaScript names it, such as `Generator` or `Intl.NumberFormat`. */
function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

function withArticle(noun: string): string {
  return /^[AEIOU]/i.test(noun) ? `an ${noun}` : `a ${noun}`;
}
