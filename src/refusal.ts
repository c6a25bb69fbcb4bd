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
  const refusal = findRefusal(value);
  if (refusal !== undefined) return refusalError(refusal, what, cause);
  const reason = cause instanceof Error ? cause.message : 'it holds something that can not be cloned';
  return new SerializationError(`Cannot send ${what}: ${reason}`, cause === undefined ? {} : { cause });
}

/**
 * Whether v8 could read back what it would write. It writes a value nested 2 000 levels deep and can't read it, and of a
 * WebAssembly.Module it writes nothing at all. True, too, for what v8 refuses by itself.
 */
export function isReadable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  try {
    return isObjectReadable(value, 0, new Set());
  } catch {
    // A getter, or a look at an object's prototype, threw: the serialiser will say what.
    return true;
  }
}

function isObjectReadable(object: object, level: number, seen: Set<object>): boolean {
  if (level > MAX_LEVELS) return false;
  seen.add(object);
  // The common ones first: asking for each other kind takes as long as writing a small object.
  if (Object.getPrototypeOf(object) !== Object.prototype && !Array.isArray(object)) {
    if (types.isMap(object)) {
      for (const [key, entry] of mapEntries(object)) {
        if (!isInnerReadable(key, level, seen) || !isInnerReadable(entry, level, seen)) return false;
      }
      return true;
    }
    if (types.isSet(object)) {
      for (const entry of setValues(object)) if (!isInnerReadable(entry, level, seen)) return false;
      return true;
    }
    if (WasmModule !== undefined && object instanceof WasmModule) return false;
    if (types.isProxy(object) || ArrayBuffer.isView(object)) return true;
  }
  const keys = types.isNativeError(object) ? ['cause'] : Object.keys(object);
  for (const key of keys) {
    if (!isInnerReadable((object as Readonly<Record<string, unknown>>)[key], level, seen)) return false;
  }
  return true;
}

function isInnerReadable(own: unknown, level: number, seen: Set<object>): boolean {
  return typeof own !== 'object' || own === null || seen.has(own) || isObjectReadable(own, level + 1, seen);
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
 * properties, elements, entries, causes), but without recursion, and tries objects of unknown kinds one by one.
 */
function findRefusal(root: unknown): Refusal | undefined {
  try {
    return walk(root);
  } catch {
    // A prototype that is a Proxy, or a tag that is a getter, can throw at any look: then the serialiser's word stands.
    return undefined;
  }
}

function walk(root: unknown): Refusal | undefined {
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
    if (inner.length === 0 && tagOf(value) !== 'Object' && isRefusedAlone(value)) {
      const hadMemory = ArrayBuffer.isView(value) || types.isArrayBuffer(value);
      const reason = hadMemory
        ? 'has no memory any more: that was transferred'
        : `is ${withArticle(tagOf(value))}`;
      return { path: pathOf(place), reason };
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
    for (const [key, entry] of mapEntries(value)) {
      add(key, '.keys()');
      add(entry, typeof key === 'string' ? `.get(${JSON.stringify(key)})` : '.get()');
    }
    return undefined;
  }
  if (types.isSet(value)) {
    for (const entry of setValues(value)) add(entry, '.values()');
    return undefined;
  }
  const isList = Array.isArray(value);
  for (const key of keysOf(value)) {
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

/** The entries, whatever class or prototype the Map has: v8 does not look at that either. */
function mapEntries(map: ReadonlyMap<unknown, unknown>): Iterable<[unknown, unknown]> {
  return Map.prototype.entries.call(map);
}

function setValues(set: ReadonlySet<unknown>): Iterable<unknown> {
  return Set.prototype.values.call(set);
}

/** The properties that v8 writes: of an Error only the cause can hold an object, of some others none is written. */
function keysOf(object: object): string[] {
  if (types.isNativeError(object)) return Object.hasOwn(object, 'cause') ? ['cause'] : [];
  const hasNone =
    ArrayBuffer.isView(object) ||
    types.isDate(object) ||
    types.isRegExp(object) ||
    types.isBoxedPrimitive(object);
  return hasNone ? [] : Object.keys(object);
}

/** As text: V8 looks into an expression that it comes by, needed or not, and takes a millisecond for these two classes. */
const IDENTIFIER = '^[\\p{ID_Start}$_][\\p{ID_Continue}$]*$';

function propertyStep(key: string): string {
  return new RegExp(IDENTIFIER, 'u').test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
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
