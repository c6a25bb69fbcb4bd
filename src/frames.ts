import { deserialize, ownBytes } from './serializer.js';

/**
 * The values of a column that go one by one, as a message has them: a head, a frame for each, and after them the plain
 * values in one array. All of it joined, or, where frames are large, in pieces that were never copied.
 */

/** The first byte of the head. */
export const FRAMED = 2;

/** How a value that goes by itself is written. */
export const VALUE = 0;
export const BUFFER = 1;
export const UINT8_ARRAY = 2;

/** The head, and the plain values. */
export const PIECES_OF_NO_FRAME = 2;

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

/** A value that goes by itself. */
export interface Frame {
  readonly position: number;
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** A value that was written and can't be read, and what v8 said. */
export interface Unreadable {
  readonly position: number;
  readonly cause: unknown;
}

/** Tag, number of frames, heads of frames (all 32 bits in this machine's order); each frame; the plain values. */
export function piecesOf(frames: readonly Frame[], plain: Uint8Array): Uint8Array[] {
  const head = new Uint32Array(2 + frames.length * FRAME_WORDS);
  head[0] = FRAMED;
  head[1] = frames.length;
  const pieces: Uint8Array[] = [new Uint8Array(head.buffer)];
  let word = 2;
  for (const { position, kind, bytes } of frames) {
    head[word++] = position;
    head[word++] = kind;
    head[word++] = bytes.byteLength;
    pieces.push(bytes);
  }
  pieces.push(plain);
  return pieces;
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
  const head = words(encoded.subarray(0, (2 + count * FRAME_WORDS) * 4));
  const first = head.byteLength;
  let end = first;
  for (let word = 4; word < head.length; word += FRAME_WORDS) end += head[word] ?? 0;
  const values = deserialize(encoded.subarray(end)) as unknown[];
  const bufferOf = intoSlab(encoded, first, end);
  let from = byteOffset + first;
  for (let word = 2; word < head.length; word += FRAME_WORDS) {
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
  for (let frame = 1; frame < pieces.length - 1; frame++) {
    const bytes = viewOf(pieces[frame] as Uint8Array);
    const word = 2 + (frame - 1) * FRAME_WORDS;
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
    else if (kind === UINT8_ARRAY) values[position] = new Uint8Array(ownBytes(bytes, 0, bytes.byteLength));
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

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function copyOf(bytes: Uint8Array): Buffer {
  return Buffer.from(ownBytes(bytes, 0, bytes.byteLength));
}

function words(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(ownBytes(bytes, 0, bytes.byteLength));
}
