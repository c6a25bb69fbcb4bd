import { exactJson } from '../codec.js';
import type { WireError, WireValue } from '../error-wire.js';
import { errorToWire } from '../error-wire.js';
import { MAX_ERROR } from './limits.js';

/**
 * Errors between machines: class, name, message, stack, cause, list and those fields that JSON can hold, each capped. What
 * comes back is rebuilt field by field from tables: nothing that arrives names a class that is not in them.
 */

const MAX_NAME = 256;
const MAX_MESSAGE = 4 * 1024;
const MAX_STACK = 16 * 1024;
const MAX_FIELD = 4 * 1024;
const MAX_FIELDS = 32;
const MAX_INNER = 32;
const MAX_DEPTH = 8;

/** @returns plain data that JSON holds exactly, and that `errorFromWire` reads */
export function errorToJson(error: unknown): unknown {
  const wire = capped(errorToWire(error), 0);
  if (JSON.stringify(wire).length <= MAX_ERROR) return wire;
  // Without what hangs on it: name, message and stack are bounded.
  const { cause: _, errors: __, fields, ...bare } = wire;
  return { ...bare, fields: fields.filter(([key]) => key === 'code') };
}

function capped(wire: WireError, depth: number): WireError {
  const inner = (value: WireValue): WireValue[] => {
    const kept = cappedValue(value, depth);
    return kept === undefined ? [] : [kept];
  };
  const [cause] = wire.cause === undefined ? [] : inner(wire.cause);
  return {
    class: cut(wire.class, MAX_NAME),
    name: cut(wire.name, MAX_NAME),
    message: cut(wire.message, MAX_MESSAGE),
    ...(wire.stack === undefined ? {} : { stack: cut(wire.stack, MAX_STACK) }),
    fields: wire.fields.slice(0, MAX_FIELDS).flatMap(([key, value]) => {
      if (key === '__proto__' || key.length > MAX_NAME) return [];
      return inner(value).map((kept) => [key, kept] as const);
    }),
    ...(cause === undefined ? {} : { cause }),
    ...(wire.errors === undefined ? {} : { errors: wire.errors.slice(0, MAX_INNER).flatMap(inner) }),
  };
}

/** Undefined for what JSON can't hold or is too large. */
function cappedValue({ error, value }: WireValue, depth: number): WireValue | undefined {
  if (error !== undefined) return depth < MAX_DEPTH ? { error: capped(error, depth + 1) } : undefined;
  if (value === undefined) return {};
  if (typeof value === 'string') return { value: cut(value, MAX_FIELD) };
  const text = exactJson(value);
  return text === undefined || text.length > MAX_FIELD ? undefined : { value };
}

function cut(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length - limit} more characters)`;
}
