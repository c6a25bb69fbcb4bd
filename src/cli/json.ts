import { types } from 'node:util';

/**
 * Values as JSON, for other programs to read. What JSON has no form for is printed as the nearest thing it has, never
 * dropped and never an error: a bigint as a string of digits, a Map as an array of pairs, a Set as an array, bytes as
 * base64, a Date as an ISO string, NaN and the infinities as null, an Error as its fields, a circle as "[Circular]".
 */

/** One line, without its end. */
export function printableJson(value: unknown): string {
  try {
    return stringify(value, nearestForm);
  } catch {
    // A circle, or nested too deeply, or a getter of the user's that throws. The slow way finds where.
  }
  try {
    return stringify(value, withoutCircles());
  } catch (error) {
    return JSON.stringify(`[Not printable: ${reasonOf(error)}]`);
  }
}

function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  // V8's words for it say nothing of what is to be done.
  return reason === 'Invalid string length'
    ? 'longer than a string can be. Write it to a file in the job, and return the path'
    : reason;
}

type Replacer = (this: unknown, key: string, value: unknown) => unknown;

function stringify(value: unknown, replacer: Replacer): string {
  return JSON.stringify(value, replacer) ?? 'null';
}

function nearestForm(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  // What it was before its own toJSON, such as a Buffer's.
  const raw = (this as Readonly<Record<string, unknown>>)[key];
  if (ArrayBuffer.isView(raw))
    return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('base64');
  if (types.isAnyArrayBuffer(raw)) return Buffer.from(raw).toString('base64');
  if (types.isMap(raw) || types.isSet(raw)) return [...raw];
  if (types.isNativeError(raw)) return fieldsOf(raw);
  return value;
}

/** Of an Error: its name, message, own fields such as `code`, errors, cause and stack. */
function fieldsOf(error: Error): object {
  const { name, message, stack, cause } = error;
  // Not enumerable where the language made them.
  const { errors } = error as { errors?: unknown };
  const hidden = { ...(errors === undefined ? {} : { errors }), ...(cause === undefined ? {} : { cause }) };
  return Object.assign({ name, message }, error, hidden, { stack });
}

function withoutCircles(): Replacer {
  const around: { readonly holder: unknown; readonly value: unknown }[] = [];
  return function (key, value) {
    const form = nearestForm.call(this, key, value);
    if (typeof form !== 'object' || form === null) return form;
    // Those that hold this one are the last ones seen up to its own holder.
    while (around.length > 0 && around.at(-1)?.value !== this) around.pop();
    const raw = (this as Readonly<Record<string, unknown>>)[key];
    if (around.some(({ holder }) => holder === raw)) return '[Circular]';
    around.push({ holder: raw, value: form });
    return form;
  };
}
