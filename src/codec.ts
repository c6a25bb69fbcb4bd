import { types } from 'node:util';
import { SerializationError } from './errors.js';
import type { Unreadable } from './frames.js';
import {
  BUFFER,
  FRAMED,
  Frames,
  framesIn,
  lengthsIn,
  readJoined,
  readPieces,
  sizeOf,
  UINT8_ARRAY,
  VALUE,
} from './frames.js';
import { PlainColumn } from './plain-column.js';
import { haveToJson } from './plain-copy.js';
import { describeRefusal, isReadable } from './refusal.js';
import { byteLengthOf, deserialize, serialize } from './serializer.js';
import type { Table } from './table.js';
import { rowsOf } from './table.js';

export { Frames, VALUE } from './frames.js';
export { PlainColumn } from './plain-column.js';
export { exactJson, haveToJson } from './plain-copy.js';
export { describeRefusal } from './refusal.js';

/**
 * A column of values (the jobs of a batch, or its results) as one value of a message:
 * - a number: so many times undefined, as of jobs that return nothing;
 * - plain data: copies of values that JSON holds exactly, which is the fastest, as a part of the message;
 * - bytes: a tag, and what v8 wrote;
 * - pieces of such bytes, which are copied where they are written, if at all: they are the values' own memory, so they
 *   have to be sent at once, or `joined`.
 *
 * Every value arrives as its structured clone would if it had been sent alone: what two values share, they do not share
 * on the other side. Per value v8 takes 2.5 µs, in one array 0.5 µs, so plain values (`copyPlain`), whose copies share
 * nothing, go in one array; bytes go as they are, and only the others one by one.
 */
export type Encoded = number | PlainData | Uint8Array | readonly Uint8Array[];

/** Values that JSON holds exactly, or rows of them. */
export interface PlainData {
  readonly plain: readonly unknown[] | Table;
  /** About the bytes of their JSON text. */
  readonly bytes: number;
}

/** Told of a value that can't be sent or read; it travels, or arrives, as undefined, the others unharmed. */
export type OnRefused = (position: number, error: SerializationError) => void;

/** Names a value in an error, such as `job 17`. */
export type NameOf = (position: number) => string;

/** The first byte of one array of plain values; that of frames is `FRAMED`. */
const PLAIN = 1;
/** The first byte of what stands for a column that could not be sent: its size follows, in text. */
const TOO_LARGE = 3;

/** Bytes of a frame, on average, from which on a column is read in pieces. */
const PIECE_BYTES = 16 * 1024;

/** Bytes of JSON, about, up to which a column is a part of the message: a string holds half a GiB, and escapes are long. */
const MAX_PLAIN_BYTES = 32 * 1024 * 1024;

/** Bytes: what Linux writes or reads at once, and a page less than Node's own message lengths hold. */
const MAX_BYTES = 2 ** 31 - 4096;

/**
 * Values that are sifted by one call: a loop that goes on for long V8 compiles twice, and what runs once a column, where it
 * is a part of the same function, has run too seldom by then and has all of it compiled again.
 */
const LEG = 256;

const { stringify, parse } = JSON;
const { getPrototypeOf, hasOwn } = Object;
const { isArray } = Array;

/**
 * Writes a column. Never throws for what a value is; the user's getters are called. A column beyond what a message
 * holds (2 GiB) has all its values refused: it should have been cut into smaller ones.
 *
 * @param values a list that no getter of its values can get at and make longer or shorter
 * @param onRefused called once for each value that can't be sent
 * @param nameOf names a value in its error; `value 0` and so on by default
 */
export function encodeColumn(
  values: readonly unknown[],
  onRefused: OnRefused,
  nameOf: NameOf = (position) => `value ${position}`,
): Encoded {
  const plain = new PlainColumn(values.length);
  const frames = new Frames();
  const sifting = { values, plain, frames, onRefused, nameOf };
  for (let from = 0; from < values.length; from += LEG) sift(sifting, from);
  return joinColumn({ plain, frames }, onRefused, nameOf);
}

/** The parts of a column. */
export interface Parts {
  /** Copies of the values that are plain, and undefined in the place of the others. */
  readonly plain: PlainColumn;
  /** The others. */
  readonly frames: Frames;
}

/** Makes a column of its parts. @param onRefused called for every value of one that is too large for a message */
export function joinColumn(parts: Parts, onRefused: OnRefused, nameOf: NameOf): Encoded {
  const { plain, frames } = parts;
  if (frames.count === 0 && isUndefined(plain.content)) return plain.length;
  const encoded = join(parts);
  if (typeof encoded !== 'object' || !has(encoded, 'cause')) return encoded;
  const framed = frames.positions();
  plain.toList().forEach((value, i) => {
    if (value === undefined && !framed.has(i)) return;
    const message = `Cannot send ${nameOf(i)}: the values of its batch are too large for one message`;
    onRefused(i, new SerializationError(message, encoded));
  });
  return plain.length;
}

/** What values are sifted into. */
interface Sifting extends Parts {
  readonly values: readonly unknown[];
  readonly onRefused: OnRefused;
  readonly nameOf: NameOf;
}

/** Sifts `LEG` values at most. */
function sift({ values, plain, frames, onRefused, nameOf }: Sifting, from: number): void {
  const to = Math.min(from + LEG, values.length);
  for (let i = from; i < to; i++) {
    const value = values[i];
    const kind = kindOfBytes(value);
    if (kind !== undefined) {
      plain.skip();
      frames.add(i, kind, value as Uint8Array);
    } else if (!plain.add(value)) {
      const bytes = writeValue(value, i, nameOf);
      if (bytes instanceof SerializationError) onRefused(i, bytes);
      else frames.add(i, VALUE, bytes);
    }
  }
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
    const error = new SerializationError(`Cannot read ${nameOf(position)}: ${whyUnreadable(cause)}`, {
      cause,
    });
    if (onRefused === undefined) throw error;
    onRefused(position, error);
  }
  return values;
}

/** Whether an object has a property itself: somebody may have given one of that name to all. */
export function has<Any extends object, Key extends string>(
  object: Any,
  key: Key,
): object is Extract<Any, Readonly<Record<Key, unknown>>> {
  return hasOwn(object, key);
}

/** About how many bytes of a message an encoded column takes. */
export function encodedSize(encoded: Encoded): number {
  if (typeof encoded === 'number') return 8;
  if (has(encoded, 'plain')) return encoded.bytes;
  return isPieces(encoded) ? sizeOf(encoded) : encoded.byteLength;
}

/** What arrives in the place of a column for which there was no way. @param bytes its size */
export function tooLarge(bytes: number): Uint8Array {
  return Buffer.from(`\u0003${bytes}`);
}

/**
 * In which stretches the other side reads pieces, each into memory of its own: one by one where they are large, else all
 * together, since a piece of its own costs more than its copy.
 */
export function lengthsOf(pieces: readonly Uint8Array[]): number[] {
  const size = sizeOf(pieces);
  return pieces.length > 1 && size >= framesIn(pieces) * PIECE_BYTES ? lengthsIn(pieces) : [size];
}

/** The column in memory of its own and as it would arrive, for who does not send it at once. */
export function joined(encoded: Encoded): Encoded {
  if (isPieces(encoded)) return Buffer.concat(encoded);
  if (typeof encoded === 'number' || !has(encoded, 'plain')) return encoded;
  // What is not enumerable by `for in` stays behind.
  return { ...encoded, plain: parse(stringify(encoded.plain)) as PlainData['plain'] };
}

function isPieces(encoded: Encoded): encoded is readonly Uint8Array[] {
  return isArray(encoded);
}

function isUndefined(content: readonly unknown[] | Table): boolean {
  return isArray(content) && content.every((value) => value === undefined);
}

/** The parts as one; what was thrown, as a `cause`, if they are too large. */
function join({ plain, frames }: Parts): Encoded | { cause: unknown } {
  const { exact, slow, bytes } = plain.copies;
  try {
    if (frames.count > 0) return within(frames.withPlain(serialize(plain.toList())));
    const isJson = exact && !slow && bytes <= MAX_PLAIN_BYTES && !haveToJson();
    return isJson ? { plain: plain.content, bytes } : within(serialize(plain.toList(), PLAIN));
  } catch (cause) {
    return { cause };
  }
}

function within(encoded: Uint8Array | readonly Uint8Array[]): Encoded | { cause: unknown } {
  const size = encodedSize(encoded);
  return size <= MAX_BYTES ? encoded : { cause: new RangeError(`${size} bytes`) };
}

/**
 * The kind of a value that goes as the bytes that it is: a Buffer, or a Uint8Array as such; undefined for any other, and for one
 * that has no bytes: they may have been transferred, which the serialiser says.
 */
export function kindOfBytes(value: unknown): number | undefined {
  if (typeof value !== 'object' || !types.isUint8Array(value)) return undefined;
  const length = byteLengthOf(value);
  // Its own property of that name may say something else.
  if (length === 0 || value.byteLength !== length) return undefined;
  const prototype: unknown = getPrototypeOf(value);
  if (prototype === Buffer.prototype) return BUFFER;
  return prototype === Uint8Array.prototype ? UINT8_ARRAY : undefined;
}

/** The bytes of a frame, or why the value can't be sent. */
export function writeValue(
  value: unknown,
  position: number,
  nameOf: NameOf,
): Uint8Array | SerializationError {
  if (!isReadable(value)) return describeRefusal(value, nameOf(position));
  try {
    return serialize(value);
  } catch (error) {
    return describeRefusal(value, nameOf(position), error);
  }
}

function valuesOf({ plain }: PlainData): unknown[] {
  return isArray(plain) ? plain : rowsOf(plain as Table);
}

function decode(encoded: Exclude<Encoded, number>, unreadable: Unreadable[]): unknown[] {
  try {
    if (has(encoded, 'plain')) return valuesOf(encoded);
    if (isPieces(encoded)) return readPieces(encoded, unreadable);
    if (encoded[0] === PLAIN) return deserialize(encoded.subarray(1)) as unknown[];
    if (encoded[0] === TOO_LARGE) throw new NoRoom(Buffer.from(encoded.subarray(1)).toString());
    if (encoded[0] !== FRAMED) throw new TypeError('No column begins like this');
    return readJoined(encoded, unreadable);
  } catch (cause) {
    throw new SerializationError(`Cannot read a column of values: ${whyUnreadable(cause)}`, { cause });
  }
}

/** There was no way for so many bytes. */
class NoRoom extends Error {
  constructor(bytes: string) {
    super(
      `its ${bytes} bytes are too many for the channel, and there is no room for them in /dev/shm or in the temporary folder`,
    );
  }
}

/** Why something could not be read, in words that follow its name. @param cause what reading it threw */
export function whyUnreadable(cause: unknown): string {
  if (cause instanceof NoRoom) return cause.message;
  return cause instanceof RangeError
    ? 'it is nested too deeply'
    : 'it holds something that can not be cloned';
}
