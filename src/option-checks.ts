import { fileURLToPath } from 'node:url';
import { describe, describeSecret } from './describe.js';
import { OptionError } from './errors.js';
import { nearest } from './nearest.js';

/** Turns what the user gave into what the rest of the code uses, or throws an OptionError that says what was expected. */
export type Check<T> = (value: unknown, name: string) => T;

/** Node fires a timer longer than this at once. Also the largest delay and timeout in ms, nearly 25 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Jobs that one process can sensibly have open at once. */
export const MAX_CONCURRENCY = 65_536;

/** An OptionError in the one style: what was expected of which option, and what it got instead. */
export function expected(name: string, what: string, value: unknown, got = describe(value)): OptionError {
  return new OptionError(`Expected \`${name}\` to be ${what}, got ${got}`);
}

/** The same of what may be a secret: of a text or a number only that it is one. */
export function expectedSecret(name: string, what: string, value: unknown): OptionError {
  return expected(name, what, value, describeSecret(value));
}

/** A whole number, `min` or greater, and at most `max`. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): Check<number> {
  const what = max === Number.MAX_SAFE_INTEGER ? `${min} or greater` : `from ${min} to ${max}`;
  return (value, name) => {
    if (Number.isSafeInteger(value) && typeof value === 'number' && value >= min && value <= max)
      return value;
    throw expected(name, `a whole number, ${what}`, value);
  };
}

/** A positive number of ms that a timer can hold. */
export function milliseconds(value: unknown, name: string): number {
  if (typeof value !== 'number' || !(value > 0))
    throw expected(name, 'a positive number of milliseconds', value);
  if (value > MAX_TIMER_MS) throw expected(name, `at most ${MAX_TIMER_MS} milliseconds`, value);
  return value;
}

/** `true` or `false`. */
export function boolean(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value;
  throw expected(name, '`true` or `false`', value);
}

/** One of a few strings. */
export function oneOf<const T extends string>(...choices: readonly T[]): Check<T> {
  return (value, name) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice !== undefined) return choice;
    throw expected(name, choices.map((candidate) => `\`'${candidate}'\``).join(' or '), value);
  };
}

/** Any function; what it takes and returns can't be known before it is called. */
export function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === 'function';
}

/** An object, no array and no function. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A string the system takes as an argument or a path: not empty, without NUL. */
export function isPlainText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !value.includes('\0');
}

/** A path; a `file:` URL (of any realm, so not by `instanceof`) becomes one. */
export function path(value: unknown, name: string): string {
  if (isPlainText(value)) return value;
  if (isFileUrl(value)) {
    try {
      return fileURLToPath(value.href);
    } catch (error) {
      throw expected(name, 'a path or a `file:` URL', value, `${value.href}: ${String(error)}`);
    }
  }
  throw expected(name, 'a path or a `file:` URL', value);
}

/** A URL object whose scheme is `file:`. */
export function isFileUrl(value: unknown): value is { readonly href: string } {
  return isRecord(value) && value.protocol === 'file:' && typeof value.href === 'string';
}

/**
 * Rejects the first of `names` that is not in `known`, with the known name it most looks like, or all of them.
 * `prefix` is put before names in the message, such as `retries.`.
 */
export function rejectUnknown(names: readonly string[], known: readonly string[], prefix = ''): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const meant = nearest(unknown, known);
  const hint =
    meant === undefined
      ? `; there are ${known.map((name) => `\`${prefix}${name}\``).join(', ')}`
      : `; did you mean \`${prefix}${meant}\`?`;
  throw new OptionError(`Unknown option \`${prefix}${unknown}\`${hint}`);
}
