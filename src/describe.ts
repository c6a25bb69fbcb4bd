import { inspect, types } from 'node:util';

/** Characters of a string that are shown. */
const MAX_TEXT = 100;

/**
 * A value as an error message names it, after "got": a simple one as it is with its type, such as `` `'4'` (string) ``;
 * of all others only what they are (`an array`, `an instance of Date`), never what is in them, which may be a secret.
 * Never throws, and calls no code of the value's.
 */
export function describe(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return '`undefined`';
    case 'function':
    case 'symbol':
      return `a ${typeof value}`;
    case 'object':
      return value === null ? '`null`' : describeObject(value);
    default:
      return `\`${inspect(shortened(value))}\` (${typeof value})`;
  }
}

/** The same of a value that may be a secret itself: of a simple one only the type. */
export function describeSecret(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint'
    ? `a ${typeof value}`
    : describe(value);
}

function shortened(value: unknown): unknown {
  return typeof value === 'string' && value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value;
}

function describeObject(value: object): string {
  if (types.isProxy(value)) return 'a Proxy';
  if (types.isPromise(value)) return 'a Promise';
  if (Array.isArray(value)) return 'an array';
  const name = className(value);
  return name === undefined || name === 'Object' ? 'an object' : `an instance of ${name}`;
}

/** By descriptors, since a getter is code of the value's. */
function className(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (typeof prototype !== 'object' || prototype === null || types.isProxy(prototype)) return undefined;
  const made: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  if (typeof made !== 'function' || types.isProxy(made)) return undefined;
  const name: unknown = Object.getOwnPropertyDescriptor(made, 'name')?.value;
  return typeof name === 'string' && name !== '' ? name : undefined;
}
