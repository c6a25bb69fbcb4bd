import { inspect } from 'node:util';
import { attempt } from './attempt.js';
import { decodeColumn, encodeColumn, encodedSize, joined } from './codec.js';
import * as errors from './errors.js';

/*
 * Written here because no library keeps all of it: serialize-error, the best of them, calls `toJSON`, makes text of
 * Buffers and BigInts, leaves Map and Date to JSON, and forgets DOMException and what a non-Error `cause` was.
 */

/** An error as plain data: v8's serialiser takes it whatever the error was, JSON where its fields allow. */
export interface WireError {
  /** The nearest class that both sides know: a built-in one, or one of this library. */
  readonly class: string;
  readonly name: string;
  readonly message: string;
  /** Absent if it had none. */
  readonly stack?: string;
  /** Own enumerable fields, and `code` wherever it was; those that can't be sent are left out. */
  readonly fields: readonly (readonly [key: string, value: WireValue])[];
  readonly cause?: WireValue;
  /** `AggregateError.errors`, or a list of that name on another error. */
  readonly errors?: readonly WireValue[];
}

/** Anything in an error: an error, another value, or (with neither) undefined. */
export interface WireValue {
  readonly error?: WireError;
  readonly value?: unknown;
}

/** Errors inside errors, one in the other. */
const MAX_DEPTH = 16;

/** Errors inside one, all together. */
const MAX_ERRORS = 1_000;

/** Characters of a message or a stack. */
const MAX_TEXT = 100_000;

/** Bytes of one field. */
const MAX_FIELD = 1_048_576;

const BUILT_INS = byName([
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
  Error,
  // What `await using` throws, from Node 24 on.
  ...[(globalThis as { SuppressedError?: ErrorClass }).SuppressedError ?? []].flat(),
]);

const OURS = byName([
  errors.SpecError,
  errors.OptionError,
  errors.WorkerStartError,
  errors.WorkerCrashError,
  errors.JobTimeoutError,
  errors.SerializationError,
  errors.JournalError,
  errors.EngineError,
  errors.ThreadFactoryError,
]);

/** Not fields: each has a place of its own. */
const PLACED = new Set(['name', 'message', 'stack', 'cause', 'errors']);

/** What a SuppressedError is about. Own fields that are not enumerable. */
const SUPPRESSED = ['error', 'suppressed'];

function isSuppressed(className: string, key: string): boolean {
  return className === 'SuppressedError' && SUPPRESSED.includes(key);
}

/** How far an error has been written. */
interface Progress {
  /** The errors that the one being written is in. */
  readonly path: Set<Error>;
  /** How many more may be written. */
  left: number;
}

/**
 * Whatever was thrown, as plain data. Kept: the built-in class (of any realm) or the class of this library, `name`,
 * `message`, `code`, own enumerable fields, the `cause` chain (16 deep), `AggregateError.errors`, `stack`. A non-Error is
 * first made the `cause` of a ThreadFactoryError with `ERR_THROWN`; one that can't be sent (a symbol, a function, a
 * Promise) is described in words. What can't be sent is left out, the error never. Never throws.
 */
export function errorToWire(thrown: unknown): WireError {
  return toWire(errors.asError(thrown), { path: new Set(), left: MAX_ERRORS });
}

/**
 * The error of such data. User classes arrive as the built-in class they extend, with their `name`.
 *
 * @param wire what `errorToWire` made; of anything else an Error is made that says so
 */
export function errorFromWire(wire: unknown): Error {
  try {
    return errorAt(0, wire);
  } catch {
    // Damaged further inside; what it is is shown instead.
    return unreadable(wire);
  }
}

function errorAt(depth: number, wire: unknown): Error {
  return isWireError(wire) && depth <= MAX_DEPTH ? fromWire(wire, depth) : unreadable(wire);
}

function unreadable(wire: unknown): Error {
  return new Error(`An error arrived that can not be read: ${inWords(wire)}`);
}

function isWireError(wire: unknown): wire is WireError {
  return (
    typeof wire === 'object' &&
    wire !== null &&
    ['class', 'name', 'message'].every((key) => typeof Reflect.get(wire, key) === 'string') &&
    Array.isArray(Reflect.get(wire, 'fields'))
  );
}

function toWire(error: Error, progress: Progress): WireError {
  progress.path.add(error);
  progress.left--;
  const name = read(error, 'name');
  const head = {
    class: attempt(() => classOf(error)) ?? 'Error',
    name: typeof name === 'string' ? cut(name) : 'Error',
    message: messageOf(error),
  };
  const stack = stackOf(error, head);
  const cause = attempt(() =>
    'cause' in error ? valueToWire(read(error, 'cause'), progress, true) : undefined,
  );
  const list = attempt(() => listToWire(read(error, 'errors'), progress));
  const wire: WireError = {
    ...head,
    ...(stack === undefined ? {} : { stack }),
    fields: fieldsOf(error, head.class, progress),
    ...(cause === undefined ? {} : { cause }),
    ...(list === undefined ? {} : { errors: list }),
  };
  progress.path.delete(error);
  return wire;
}

/** The first prototype that both sides know; those of other realms, and of another copy of this library, by name. */
function classOf(error: Error): string {
  if (error instanceof DOMException) return 'DOMException';
  let prototype: unknown = Object.getPrototypeOf(error);
  for (let i = 0; i < 100 && typeof prototype === 'object' && prototype !== null; i++) {
    const name: unknown = Object.getOwnPropertyDescriptor(prototype, 'name')?.value;
    if (typeof name === 'string') {
      // Only the built-in prototypes have an empty message of their own.
      const isBuiltIn = Object.getOwnPropertyDescriptor(prototype, 'message')?.value === '';
      if (BUILT_INS.has(name) && isBuiltIn) return name;
      if (OURS.has(name) && String(read(error, 'code')).startsWith('ERR_')) return name;
    }
    prototype = Object.getPrototypeOf(prototype);
  }
  return 'Error';
}

function messageOf(error: Error): string {
  const message = read(error, 'message');
  if (typeof message === 'string') return cut(message);
  return message === undefined ? '' : inWords(message);
}

function stackOf(
  error: Error,
  head: { readonly name: string; readonly message: string },
): string | undefined {
  const stack = read(error, 'stack');
  if (typeof stack === 'string') return cut(stack);
  if (!Array.isArray(stack)) return undefined;
  // A user's `Error.prepareStackTrace` often hands out the call sites.
  const lines = attempt(() => stack.map((site) => `\n    at ${String(site)}`).join(''));
  return lines && cut(`${head.name}: ${head.message}${lines}`);
}

function fieldsOf(error: Error, className: string, progress: Progress): [string, WireValue][] {
  const keys = new Set(attempt(() => Object.keys(error)) ?? []);
  // Also where a class has it as a getter. A DOMException's follows from its name.
  if (className !== 'DOMException' && ['string', 'number'].includes(typeof read(error, 'code')))
    keys.add('code');
  if (className === 'SuppressedError') for (const key of SUPPRESSED) keys.add(key);
  const fields: [string, WireValue][] = [];
  for (const key of keys) {
    if (PLACED.has(key)) continue;
    const value = attempt(() => [Reflect.get(error, key)]);
    const wire = value && valueToWire(value[0], progress, isSuppressed(className, key));
    if (wire !== undefined) fields.push([key, wire]);
  }
  return fields;
}

/** Undefined for what can't be sent; described in words if it `matters`. */
function valueToWire(value: unknown, progress: Progress, matters: boolean): WireValue | undefined {
  if (value === undefined) return {};
  if (errors.isErrorLike(value)) {
    if (progress.path.has(value)) return undefined;
    if (progress.path.size < MAX_DEPTH && progress.left > 0) return { error: toWire(value, progress) };
    return matters ? { error: leftOut('Further errors inside this one were left out') } : undefined;
  }
  const clone = cloneOf(value) ?? (matters ? attempt(() => cloneOf(withoutRefused(value))) : undefined);
  if (clone !== undefined) return { value: clone[0] };
  return matters ? { value: inWords(value) } : undefined;
}

/** The value as it arrives elsewhere, in a list; undefined where it can't be sent. */
function cloneOf(value: unknown): readonly unknown[] | undefined {
  let isRefused = false;
  const encoded = encodeColumn([value], () => {
    isRefused = true;
  });
  if (isRefused || encodedSize(encoded) > MAX_FIELD) return undefined;
  // Read back at once: what goes into the message is plain, and known to be readable.
  return attempt(() => decodeColumn(joined(encoded)));
}

/** An object's fields that can be sent; the value itself where it has none. */
function withoutRefused(value: unknown): unknown {
  // Not of texts, lists and bytes, whose elements are no fields.
  if (Object.prototype.toString.call(value) !== '[object Object]') return value;
  const fields = Object.entries(value as object).filter(([, field]) => cloneOf(field) !== undefined);
  return fields.length > 0 ? Object.fromEntries(fields) : value;
}

function listToWire(list: unknown, progress: Progress): WireValue[] | undefined {
  if (!Array.isArray(list)) return undefined;
  const wire: WireValue[] = [];
  for (let i = 0; i < list.length; i++) {
    if (progress.left <= 0 || i === MAX_ERRORS) {
      wire.push({ error: leftOut(`${list.length - i} more errors were left out`) });
      break;
    }
    wire.push(valueToWire(read(list, i), progress, true) ?? {});
  }
  return wire;
}

function leftOut(message: string): WireError {
  return { class: 'Error', name: 'Error', message, fields: [] };
}

function fromWire(wire: WireError, depth: number): Error {
  const error = withoutStack(() => create(wire));
  const stack = wire.stack ?? (wire.message === '' ? wire.name : `${wire.name}: ${wire.message}`);
  define(error, 'stack', stack, false);
  if (error.name !== wire.name) define(error, 'name', wire.name, false);
  // Defined, not assigned: a field named `__proto__` is a field.
  const valueFrom = ({ error: inner, value }: WireValue) =>
    inner === undefined ? value : errorAt(depth + 1, inner);
  for (const [key, value] of wire.fields) {
    define(error, key, valueFrom(value), !isSuppressed(wire.class, key));
  }
  if (wire.cause !== undefined) define(error, 'cause', valueFrom(wire.cause), false);
  if (wire.errors !== undefined) {
    const enumerable = wire.class !== 'AggregateError';
    define(error, 'errors', wire.errors.map(valueFrom), enumerable);
  }
  return error;
}

/** Its own stack would be of no use here, and V8 would have a user's `Error.prepareStackTrace` write it. */
function withoutStack<T>(make: () => T): T {
  const { stackTraceLimit } = Error;
  // Not by assignment: Error may be frozen.
  Reflect.set(Error, 'stackTraceLimit', undefined);
  try {
    return make();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  }
}

/** Names only choose from the tables: nothing that arrives can name another class. */
function create(wire: WireError): Error {
  if (wire.class === 'DOMException') return new DOMException(wire.message, wire.name);
  if (wire.class === 'AggregateError') return new AggregateError([], wire.message);
  const ours = OURS.get(wire.class);
  if (wire.class === 'SuppressedError' && BUILT_INS.has(wire.class))
    return Reflect.construct(BUILT_INS.get(wire.class) ?? Error, [
      undefined,
      undefined,
      wire.message,
    ]) as Error;
  const base = BUILT_INS.get(wire.class) ?? Error;
  return Reflect.construct(ours === undefined ? base : Error, [wire.message], ours ?? base) as Error;
}

function define(error: Error, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, key, { value, configurable: true, enumerable, writable: true });
}

/** A property, or undefined where a getter or a proxy throws. */
function read(object: object, key: string | number): unknown {
  return attempt(() => Reflect.get(object, key) as unknown);
}

function inWords(value: unknown): string {
  const words = attempt(() =>
    typeof value === 'object' || typeof value === 'function'
      ? inspect(value, { customInspect: false, depth: 1, maxStringLength: 1_000 })
      : String(value),
  );
  return cut(words ?? 'a value that can not be shown');
}

function cut(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  return `${text.slice(0, MAX_TEXT)}… (${text.length - MAX_TEXT} more characters)`;
}

type ErrorClass = abstract new (...args: never[]) => Error;

function byName(classes: readonly ErrorClass[]): ReadonlyMap<string, ErrorClass> {
  return new Map(classes.map((errorClass) => [errorClass.prototype.name, errorClass]));
}
