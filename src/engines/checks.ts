import type { EngineError } from '../errors.js';
import { engineError } from './codes.js';
import { fromJson } from './json-values.js';

/** Strict looks at what came through the queue: exact keys, exact types, bounded sizes. */

/** A plain object with string keys. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * @param required keys that must be there; @param optional keys that may be
 * @throws EngineError (`ERR_ENGINE_ENVELOPE`) for anything else
 */
export function strictFields(
  value: unknown,
  what: string,
  required: readonly string[],
  optional: readonly string[] = [],
): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(what, 'is no object');
  const keys = Object.keys(value);
  const odd = keys.find((key) => !required.includes(key) && !optional.includes(key));
  if (odd !== undefined)
    throw bad(what, `has a key that does not belong there (${JSON.stringify(odd.slice(0, 40))})`);
  const missing = required.find((key) => !Object.hasOwn(value, key));
  if (missing !== undefined) throw bad(what, `has no \`${missing}\``);
  return value as Fields;
}

/** A whole number from `least` to `most`. */
export function whole(value: unknown, what: string, least: number, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most)
    return value;
  throw bad(what, `is no whole number from ${least} to ${most}`);
}

/** A finite number of 0 or more. */
export function amount(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
  throw bad(what, 'is no number of 0 or more');
}

/** A text of at most `most` characters that matches. */
export function text(value: unknown, what: string, most: number, pattern?: RegExp): string {
  if (typeof value === 'string' && value.length <= most && pattern?.test(value) !== false) return value;
  throw bad(
    what,
    `is no text of at most ${most} characters${pattern === undefined ? '' : ` like ${pattern.source}`}`,
  );
}

/** An array of at most `most` elements. */
export function list(value: unknown, what: string, most: number): readonly unknown[] {
  if (Array.isArray(value) && value.length <= most) return value;
  throw bad(what, `is no list of at most ${most}`);
}

/** The error of an envelope that is not as it must be. Never shows the payload. */
export function bad(what: string, why: string) {
  return engineError('ERR_ENGINE_ENVELOPE', `What came through the queue can not be used: ${what} ${why}`);
}

/** What a text holds as JSON. @throws EngineError (`ERR_ENGINE_ENVELOPE`) where it is none */
export function parsed(body: string, what: string): unknown {
  try {
    return fromJson(body);
  } catch {
    throw bad(what, 'is no JSON');
  }
}

/**
 * @param json what is to go through the queue; @param limit bytes it may have
 * @param advice what to do instead
 * @returns the error of one that is too large
 */
export function tooLarge(json: string, what: string, limit: number, advice: string): EngineError | undefined {
  const bytes = json.length < limit / 4 ? 0 : Buffer.byteLength(json);
  if (bytes <= limit) return undefined;
  return engineError(
    'ERR_ENGINE_PAYLOAD_TOO_LARGE',
    `${what} has ${bytes} bytes as JSON, more than the ${limit} that go through the queue: ${advice}`,
  );
}
