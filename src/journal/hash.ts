import { hash } from 'node:crypto';
import { types } from 'node:util';
import { jsonText } from './values.js';

/** 96 bits in base64url: with ten million jobs of one position each, no two different ones ever meet by chance. */
const HASH_LENGTH = 16;

/** What lies deeper in a job is no part of its hash; no stack overflows on the way. */
const MAX_DEPTH = 500;

/**
 * A short digest of a job, the same in every process and version of Node for the same value.
 * Of the digests that OpenSSL has, SHA-1 was the fastest on short texts (0.25 µs); it is no safeguard here, but tells apart.
 */
export function jobHash(job: unknown): string {
  return digest(jobText(job));
}

/** What `digest` makes the hash of a job of. */
export function jobText(job: unknown): string {
  return jsonText(job) ?? canonicalText(job);
}

/**
 * The hash of a job by its text. For many jobs make all texts first: taking turns made both slower, by 0.2 µs a job.
 * `crypto.hash` (from Node 20.12) takes a quarter of the time of a Hash object.
 */
export function digest(text: string): string {
  return hash('sha1', text, 'base64url').slice(0, HASH_LENGTH);
}

/**
 * A text for values that JSON would change, and the JSON itself for those it would not. The bytes of v8's serialiser would
 * not do: they depend on how v8 happens to hold a number or a string, and on its version.
 */
export function canonicalText(value: unknown): string {
  return new CanonicalWriter().write(value, 0);
}

class CanonicalWriter {
  /** The objects seen so far, numbered, since the structured clone keeps which of them are the same. */
  readonly #seen = new Map<object, number>();

  write(value: unknown, depth: number): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value);
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value);
      case 'bigint':
        return `${value}n`;
      case 'object':
        return value === null ? 'null' : this.#object(value, depth);
      case 'boolean':
      case 'undefined':
        return String(value);
      default:
        // A function or a symbol: such a job is never sent, but its failure is recorded.
        return typeof value;
    }
  }

  #object(value: object, depth: number): string {
    const number = this.#seen.get(value);
    if (number !== undefined) return `#${number}`;
    if (depth > MAX_DEPTH) return '…';
    this.#seen.set(value, this.#seen.size);
    try {
      return this.#contents(value, depth + 1);
    } catch {
      // A getter or a proxy that throws: such a job is never sent either.
      return 'unreadable';
    }
  }

  #contents(value: object, depth: number): string {
    const each = (inner: unknown) => this.write(inner, depth);
    if (types.isDate(value)) return `Date(${Date.prototype.getTime.call(value)})`;
    if (types.isRegExp(value)) return `RegExp(${String(value)})`;
    if (types.isMap(value)) return `Map[${[...value].map(([key, inner]) => `${each(key)}:${each(inner)}`)}]`;
    if (types.isSet(value)) return `Set[${[...value].map(each)}]`;
    if (types.isBoxedPrimitive(value)) return `Object(${each(value.valueOf())})`;
    if (types.isNativeError(value)) return `Error(${each(value.name)}:${each(value.message)})`;
    if (ArrayBuffer.isView(value)) return `${viewName(value)}(${base64(value)})`;
    if (types.isAnyArrayBuffer(value)) return `ArrayBuffer(${base64(new Uint8Array(value))})`;
    if (!Array.isArray(value)) return `{${this.#properties(value, depth)}}`;
    return this.#array(value, depth);
  }

  #array(value: unknown[], depth: number): string {
    const names = Object.keys(value);
    const isDense = names.length === value.length && names.every((name, i) => name === String(i));
    if (isDense) return `[${value.map((inner) => this.write(inner, depth))}]`;
    return `Array(${value.length}){${this.#properties(value, depth)}}`;
  }

  #properties(value: object, depth: number): string {
    const entries = Object.entries(value).map(
      ([name, inner]) => `${JSON.stringify(name)}:${this.write(inner, depth)}`,
    );
    return entries.join(',');
  }
}

function viewName(view: ArrayBufferView): string {
  return Buffer.isBuffer(view) ? 'Buffer' : Object.prototype.toString.call(view).slice(8, -1);
}

function base64(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64');
}
