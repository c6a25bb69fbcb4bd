import { types } from 'node:util';
import { SerializationError } from './errors.js';
import type { PlainCopies } from './plain-copy.js';
import { arePrototypesClean, copyPlain, NOT_PLAIN, plainCopies } from './plain-copy.js';
import { describeRefusal, isReadable } from './refusal.js';
import { deserialize, ownBytes, serialize } from './serializer.js';

export { exactJson, isJsonExact } from './plain-copy.js';
export { describeRefusal } from './refusal.js';

/**
 * A column of values (the jobs of a batch, or its results) as one value of a message:
 * - a number: so many times undefined, as of jobs that return nothing;
 * - a string: JSON text of an array, where it is exact, and the fastest;
 * - bytes: a tag, and what v8 wrote.
 *
 * Every value arrives as its structured clone would if it had been sent alone: what two values share, they do not share
 * on the other side. Per value v8 takes 2.5 µs, in one array 0.5 µs, so plain values (`copyPlain`), whose copies share
 * nothing, go in one array; bytes go as they are, and only the others one by one.
 */
export type Encoded = number | string | Uint8Array;

/** Told of a value that can't be sent or read; it travels, or arrives, as undefined, the others unharmed. */
export type OnRefused = (position: number, error: SerializationError) => void;

/** Names a value in an error, such as `job 17`. */
export type NameOf = (position: number) => string;

/** The first byte: one array of plain values, or that and after it the values that go one by one. */
const PLAIN = 1;
const FRAMED = 2;

/** How a value that goes by itself is written. */
const VALUE = 0;
const BUFFER = 1;
const UINT8_ARRAY = 2;

/** Words of a frame's head: position, kind, length in bytes. */
const FRAME_WORDS = 3;

/** Bytes; Node's own message lengths are 32 bits, and it does not look whether they suffice. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Smaller Buffers of a message share one piece of memory, as those of `Buffer.from` share Node's pool: a piece of its own
 * for each cost a fifth of the rate at 1 KB. In a larger message it would be too much to keep for one of them.
 */
const SMALL_BYTES = 4096;
const SLAB_BYTES = 256 * 1024;

/** A value that goes by itself. */
interface Frame {
  readonly position: number;
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** A value that was written and can't be read, and what v8 said. */
interface Unreadable {
  readonly position: number;
  readonly cause: unknown;
}

const { stringify, parse } = JSON;
const { getPrototypeOf } = Object;

/**
 * Writes a column. Never throws for what a value is; the user's getters are called. A column beyond what a message
 * holds (2 GiB, or half a GiB of text) has all its values refused: it should have been cut into smaller ones.
 *
 * @param onRefused called once for each value that can't be sent
 * @param nameOf names a value in its error; `value 0` and so on by default
 */
export function encodeColumn(
  values: readonly unknown[],
  onRefused: OnRefused,
  nameOf: NameOf = (position) => `value ${position}`,
): Encoded {
  if (isUndefined(values)) return values.length;
  const copies = plainCopies();
  const plain: unknown[] = [];
  const frames: Frame[] = [];
  const isClean = arePrototypesClean();
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const copy = isClean ? copyPlain(value, copies) : NOT_PLAIN;
    if (copy !== NOT_PLAIN) {
      plain[i] = copy;
      continue;
    }
    plain[i] = undefined;
    copies.exact = false;
    const frame = encodeFrame(value, i, nameOf);
    if (frame instanceof SerializationError) onRefused(i, frame);
    else frames.push(frame);
  }
  const encoded = join(plain, copies, frames);
  if (typeof encoded !== 'object' || !('cause' in encoded)) return encoded;
  const sent = new Set(frames.map(({ position }) => position));
  plain.forEach((value, i) => {
    if (value === undefined && !sent.has(i)) return;
    const message = `Cannot send ${nameOf(i)}: the values of its batch are too large for one message`;
    onRefused(i, new SerializationError(message, encoded));
  });
  return values.length;
}

/**
 * Reads a column.
 *
 * @param onRefused told of each value that can't be read; without it the first such value throws
 * @throws SerializationError if the column as a whole can't be read
 */
export function decodeColumn(
  encoded: Encoded,
  onRefused?: OnRefused,
  nameOf: NameOf = (position) => `value ${position}`,
): unknown[] {
  if (typeof encoded === 'number') return new Array<unknown>(encoded).fill(undefined);
  const unreadable: Unreadable[] = [];
  const values = decode(encoded, unreadable);
  for (const { position, cause } of unreadable) {
    const reason =
      cause instanceof RangeError ? 'it is nested too deeply' : 'it holds something that can not be cloned';
    const error = new SerializationError(`Cannot read ${nameOf(position)}: ${reason}`, { cause });
    if (onRefused === undefined) throw error;
    onRefused(position, error);
  }
  return values;
}

/** About how many bytes of a message an encoded column takes. */
export function encodedSize(encoded: Encoded): number {
  if (typeof encoded === 'number') return 8;
  return typeof encoded === 'string' ? encoded.length : encoded.byteLength;
}

function isUndefined(values: readonly unknown[]): boolean {
  for (let i = 0; i < values.length; i++) if (values[i] !== undefined) return false;
  return true;
}

/** The parts as one; what was thrown, as a `cause`, if they are too large. */
function join(
  plain: readonly unknown[],
  copies: PlainCopies,
  frames: readonly Frame[],
): Encoded | { cause: unknown } {
  try {
    if (copies.exact && !copies.slow) return stringify(plain);
    const encoded = frames.length > 0 ? joinFrames(frames, serialize(plain)) : serialize(plain, PLAIN);
    if (encoded.byteLength <= MAX_BYTES) return encoded;
    return { cause: new RangeError(`${encoded.byteLength} bytes`) };
  } catch (cause) {
    return { cause };
  }
}

function encodeFrame(value: unknown, position: number, nameOf: NameOf): Frame | SerializationError {
  return bytesFrame(value, position) ?? valueFrame(value, position, nameOf);
}

/** A frame of the bytes themselves, for a Buffer and a Uint8Array as such. */
function bytesFrame(value: unknown, position: number): Frame | undefined {
  if (!types.isUint8Array(value)) return undefined;
  const prototype: unknown = getPrototypeOf(value);
  if (prototype === Buffer.prototype) return { position, kind: BUFFER, bytes: value };
  return prototype === Uint8Array.prototype ? { position, kind: UINT8_ARRAY, bytes: value } : undefined;
}

function valueFrame(value: unknown, position: number, nameOf: NameOf): Frame | SerializationError {
  if (!isReadable(value)) return describeRefusal(value, nameOf(position));
  try {
    return { position, kind: VALUE, bytes: serialize(value) };
  } catch (error) {
    return describeRefusal(value, nameOf(position), error);
  }
}

/** Tag, number of frames, heads of frames, frames, plain values; all numbers are 32 bits in this machine's order. */
function joinFrames(frames: readonly Frame[], plain: Uint8Array): Uint8Array {
  const head = new Uint32Array(2 + frames.length * FRAME_WORDS);
  head[0] = FRAMED;
  head[1] = frames.length;
  const parts: Uint8Array[] = [new Uint8Array(head.buffer)];
  let word = 2;
  for (const { position, kind, bytes } of frames) {
    head[word++] = position;
    head[word++] = kind;
    head[word++] = bytes.byteLength;
    parts.push(bytes);
  }
  parts.push(plain);
  return Buffer.concat(parts);
}

function decode(encoded: string | Uint8Array, unreadable: Unreadable[]): unknown[] {
  try {
    if (typeof encoded === 'string') return parse(encoded) as unknown[];
    if (encoded[0] === PLAIN) return deserialize(encoded.subarray(1)) as unknown[];
    if (encoded[0] === FRAMED) return splitFrames(encoded, unreadable);
    throw new TypeError('No column begins like this');
  } catch (cause) {
    throw new SerializationError('Cannot read a column of values', { cause });
  }
}

function splitFrames(encoded: Uint8Array, unreadable: Unreadable[]): unknown[] {
  const count = new Uint32Array(ownBytes(encoded, 4, 8))[0] ?? 0;
  const headEnd = 8 + count * FRAME_WORDS * 4;
  const head = new Uint32Array(ownBytes(encoded, 8, headEnd));
  let plainFrom = headEnd;
  for (let i = 0; i < count; i++) plainFrom += head[i * FRAME_WORDS + 2] ?? 0;
  const values = deserialize(encoded.subarray(plainFrom)) as unknown[];
  let slab: ArrayBuffer | undefined;
  let from = headEnd;
  for (let i = 0; i < head.length; i += FRAME_WORDS) {
    const position = head[i] ?? 0;
    const kind = head[i + 1] ?? VALUE;
    const length = head[i + 2] ?? 0;
    try {
      if (kind === BUFFER && length < SMALL_BYTES && plainFrom - headEnd <= SLAB_BYTES) {
        slab ??= ownBytes(encoded, headEnd, plainFrom);
        values[position] = Buffer.from(slab, from - headEnd, length);
      } else values[position] = decodeFrame(kind, encoded, from, from + length);
    } catch (cause) {
      unreadable.push({ position, cause });
    }
    from += length;
  }
  return values;
}

function decodeFrame(kind: number, encoded: Uint8Array, from: number, to: number): unknown {
  if (kind === BUFFER) return Buffer.from(ownBytes(encoded, from, to));
  if (kind === UINT8_ARRAY) return new Uint8Array(ownBytes(encoded, from, to));
  return deserialize(encoded.subarray(from, to));
}
