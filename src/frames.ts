import { deserialize, ownBytes } from './serializer.js';

/**
 * The values of a column that go one by one, as a message has them: a head, a frame for each, and after them the plain
 * values in one array. All of it joined, or, where frames are large, in pieces that were never copied.
 */

/** The first byte of the head. */
export const FRAMED = 2;

/** The kind of a frame whose bytes v8 wrote: of any value but those two below. */
export const VALUE = 0;
/** The kind of a frame that is the bytes of a `Buffer`, as they are. */
export const BUFFER = 1;
/** The kind of a frame that is the bytes of a plain `Uint8Array`, as they are. */
export const UINT8_ARRAY = 2;

/** Words before the heads of frames: tag and number of frames. */
const FIRST_WORDS = 2;
/** Words of a frame's head: position, kind, length in bytes. */
const FRAME_WORDS = 3;

/**
 * Smaller Buffers share memory, as those of `Buffer.from` share Node's pool: a piece of its own for each cost a fifth of the
 * rate at 1 KB. They are views on their message, or, where that is large, on a copy of its frames; a large copy would be
 * too much to keep for one of them.
 */
const SMALL_BYTES = 4096;
const SLAB_BYTES = 256 * 1024;
const SMALL_MESSAGE_BYTES = 2 * SLAB_BYTES;

/** A Buffer stays a view on the message that brought it if it is at least this share of the memory that it keeps. */
const KEPT_SHARE = 1 / 5;

/** A value that was written and can't be read, and what v8 said. */
export interface Unreadable {
  readonly position: number;
  readonly cause: unknown;
}

/** Frames while they are collected. Their bytes lie in pieces, each of one frame or of several that come one after the other. */
export class Frames {
  private readonly heads: number[] = [];
  private readonly pieces: Uint8Array[] = [];

  get count(): number {
    return this.heads.length / FRAME_WORDS;
  }

  /** A frame whose bytes are a piece. @param position of the value in its column */
  add(position: number, kind: number, bytes: Uint8Array): void {
    this.addHead(position, kind, bytes.byteLength);
    this.addPiece(bytes);
  }

  /** A frame whose bytes are a part of the next piece. */
  addHead(position: number, kind: number, bytes: number): void {
    this.heads.push(position, kind, bytes);
  }

  /** The bytes of the frames since the last piece. */
  addPiece(bytes: Uint8Array): void {
    this.pieces.push(bytes);
  }

  /** Where their values are in the column. */
  positions(): Set<number> {
    return new Set(this.heads.filter((_, word) => word % FRAME_WORDS === 0));
  }

  /** Those of the values from one position up to another, which come at 0. */
  between(from: number, to: number): Frames {
    const { heads } = this;
    const some = new Frames();
    const next = cutter(this.pieces);
    for (let word = 0; word < heads.length; word += FRAME_WORDS) {
      const [position = 0, kind = 0, length = 0] = heads.slice(word, word + FRAME_WORDS);
      const bytes = next(length);
      if (position >= from && position < to) some.add(position - from, kind, bytes);
    }
    return some;
  }

  /** Tag, number of frames, heads of frames (all 32 bits in this machine's order); their bytes; the plain values. */
  withPlain(plain: Uint8Array): Uint8Array[] {
    const head = new Uint32Array(FIRST_WORDS + this.heads.length);
    head[0] = FRAMED;
    head[1] = this.count;
    head.set(this.heads, FIRST_WORDS);
    return [new Uint8Array(head.buffer), ...this.pieces, plain];
  }
}

/** Gives the bytes of one frame after the other. */
function cutter(pieces: readonly Uint8Array[]): (length: number) => Buffer {
  let at = 0;
  let from = 0;
  return (length) => {
    // No bytes may have no piece.
    if (length === 0) return Buffer.alloc(0);
    while (from + length > (pieces[at] as Uint8Array).byteLength) {
      at += 1;
      from = 0;
    }
    const { buffer, byteOffset } = pieces[at] as Uint8Array;
    from += length;
    return Buffer.from(buffer, byteOffset + from - length, length);
  };
}

/** How many frames there are in pieces. */
export function framesIn(pieces: readonly Uint8Array[]): number {
  const { byteLength } = pieces[0] as Uint8Array;
  return (byteLength / 4 - FIRST_WORDS) / FRAME_WORDS;
}

/** The bytes of the head, of each frame and of the plain values, however frames lie in pieces. */
export function lengthsIn(pieces: readonly Uint8Array[]): number[] {
  const head = words(pieces[0] as Uint8Array);
  const lengths = [head.byteLength];
  for (let word = FIRST_WORDS; word < head.length; word += FRAME_WORDS) lengths.push(head[word + 2] ?? 0);
  lengths.push(pieces.at(-1)?.byteLength ?? 0);
  return lengths;
}

/** Bytes of all pieces. */
export function sizeOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/**
 * The values of frames that came joined; small Buffers in shared memory, which may be the message's.
 *
 * @param unreadable gets those that v8 can't read
 */
export function readJoined(encoded: Uint8Array, unreadable: Unreadable[]): unknown[] {
  const { buffer, byteOffset } = encoded;
  const count = words(encoded.subarray(4, 8))[0] ?? 0;
  const head = words(encoded.subarray(0, (FIRST_WORDS + count * FRAME_WORDS) * 4));
  const first = head.byteLength;
  let end = first;
  for (let word = FIRST_WORDS; word < head.length; word += FRAME_WORDS) end += head[word + 2] ?? 0;
  const values = deserialize(encoded.subarray(end)) as unknown[];
  const bufferOf = intoSlab(encoded, first, end);
  let from = byteOffset + first;
  for (let word = FIRST_WORDS; word < head.length; word += FRAME_WORDS) {
    const length = head[word + 2] ?? 0;
    readFrame({ head, word, bytes: Buffer.from(buffer, from, length), bufferOf, values, unreadable });
    from += length;
  }
  return values;
}

/** The values of frames that came as pieces; a Buffer may be a view on the memory of its message. */
export function readPieces(pieces: readonly Uint8Array[], unreadable: Unreadable[]): unknown[] {
  const head = words(pieces[0] as Uint8Array);
  const values = deserialize(pieces.at(-1) as Uint8Array) as unknown[];
  const next = cutter(pieces.slice(1, -1));
  for (let word = FIRST_WORDS; word < head.length; word += FRAME_WORDS) {
    const bytes = next(head[word + 2] ?? 0);
    readFrame({ head, word, bytes, bufferOf: asKept, values, unreadable });
  }
  return values;
}

/** One frame: where its head is, its bytes as a view on the message, and what it is read into. */
interface Reading {
  readonly head: Uint32Array;
  readonly word: number;
  readonly bytes: Buffer;
  /** Makes the Buffer of a frame that holds one. */
  readonly bufferOf: (view: Buffer) => Buffer;
  readonly values: unknown[];
  readonly unreadable: Unreadable[];
}

function readFrame({ head, word, bytes, bufferOf, values, unreadable }: Reading): void {
  const position = head[word] ?? 0;
  const kind = head[word + 1];
  try {
    if (kind === BUFFER) values[position] = bufferOf(bytes);
    else if (kind === UINT8_ARRAY) values[position] = new Uint8Array(ownBytes(bytes));
    else values[position] = deserialize(bytes);
  } catch (cause) {
    unreadable.push({ position, cause });
  }
}

/** Small Buffers share memory, others have their own. @param first where the frames begin @param end where they end */
function intoSlab(encoded: Uint8Array, first: number, end: number): (view: Buffer) => Buffer {
  if (encoded.buffer.byteLength <= SMALL_MESSAGE_BYTES) return asKeptIfLarge;
  if (end - first > SLAB_BYTES) return copyOf;
  let slab: ArrayBuffer | undefined;
  return (view) => {
    if (view.byteLength >= SMALL_BYTES) return copyOf(view);
    slab ??= ownBytes(encoded, first, end);
    return Buffer.from(slab, view.byteOffset - encoded.byteOffset - first, view.byteLength);
  };
}

function asKeptIfLarge(view: Buffer): Buffer {
  return view.byteLength < SMALL_BYTES ? view : asKept(view);
}

/** As Node's own Buffers, it may be a part of a larger piece of memory; a Uint8Array never is. */
function asKept(view: Buffer): Buffer {
  return view.byteLength >= view.buffer.byteLength * KEPT_SHARE ? view : copyOf(view);
}

function copyOf(bytes: Uint8Array): Buffer {
  return Buffer.from(ownBytes(bytes));
}

function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(ownBytes(bytes));
}
