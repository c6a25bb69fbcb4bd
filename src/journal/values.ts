import { constants } from 'node:buffer';
import { JournalError } from '../errors.js';
import { exactJson } from '../plain-copy.js';
import { deserialize, serialize } from '../serializer.js';

/*
 * A value in a line is one field: `"result":…` where JSON gives it back exactly, `"resultV8":"…"` (v8's serialiser, in
 * base64) where it does not, and no field at all for undefined, which is what most functions return.
 */

/** Bytes. A line is read as one string, which holds no more, and there is more in it than the value. */
export const MAX_FIELD = constants.MAX_STRING_LENGTH - 2 ** 20;

/**
 * The field of a value, with a comma in front; `''` for undefined.
 *
 * @param maxBytes that it may take
 * @throws what v8 throws for a value that can't be serialised, RangeError for one whose line could not be read back
 */
export function valueField(name: 'result' | 'error', value: unknown, maxBytes = MAX_FIELD): string {
  if (value === undefined) return '';
  const field = fieldText(name, value);
  if (field.length > maxBytes / 3 && Buffer.byteLength(field) > maxBytes) {
    throw new RangeError(`its ${name} takes ${Buffer.byteLength(field)} bytes, more than a line can have`);
  }
  return field;
}

function fieldText(name: string, value: unknown): string {
  const json = jsonText(value);
  if (json !== undefined) return `,"${name}":${json}`;
  return `,"${name}V8":"${serialize(value).toString('base64')}"`;
}

/** The JSON of a value that JSON gives back exactly, or undefined. Most values are primitive, and quickly told. */
export function jsonText(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? String(value) : undefined;
    case 'boolean':
      return value ? 'true' : 'false';
    default:
      return exactJson(value);
  }
}

/**
 * The value that `valueField` wrote.
 *
 * @param fields the parsed line
 * @throws JournalError without a line number if the bytes can't be read
 */
export function readValue(fields: Readonly<Record<string, unknown>>, name: 'result' | 'error'): unknown {
  const encoded = fields[`${name}V8`];
  if (encoded === undefined) return fields[name];
  try {
    return deserialize(Buffer.from(String(encoded), 'base64'));
  } catch (cause) {
    throw new JournalError(`its ${name} can not be read by this version of Node (${process.version})`, {
      cause,
    });
  }
}
