import type { Encoded, NameOf, OnRefused } from './codec.js';
import { encodeColumn, isBytes, writeValue } from './codec.js';
import { SerializationError } from './errors.js';
import type { PlainCopies } from './plain-copy.js';
import { arePrototypesClean, copyPlain, haveToJson, NOT_PLAIN, plainCopies } from './plain-copy.js';

/**
 * A column of results that is sent later. Each value is held as it was when it was added: a job may return an object that the
 * next one changes, and each result has to be what a message of its own would have brought.
 */

/** Bytes from which on a column should be sent before anything else runs. */
const FULL_BYTES = 1024 * 1024;
/** Bytes, about, that are copied in less time than it takes to say so. */
const SMALL_BYTES = 4096;

/** Memory for bytes that are held: the same again once everything in it was sent, since fresh pages cost more than a copy. */
export class HeldMemory {
  private slab: Buffer | undefined;
  private used = 0;
  private holders = 0;

  /** A copy, of the same class; undefined where there is no room. */
  copy(bytes: Uint8Array): Uint8Array | undefined {
    const { byteLength } = bytes;
    const from = this.used;
    if (from + byteLength > FULL_BYTES) return undefined;
    this.slab ??= Buffer.allocUnsafeSlow(FULL_BYTES);
    this.used = from + byteLength;
    const { slab } = this;
    slab.set(bytes, from);
    return Buffer.isBuffer(bytes)
      ? slab.subarray(from, this.used)
      : new Uint8Array(slab.buffer, slab.byteOffset + from, byteLength);
  }

  /** Somebody holds copies. */
  hold(): void {
    this.holders += 1;
  }

  /** All of somebody's copies were sent. */
  release(): void {
    this.holders -= 1;
    if (this.holders === 0) this.used = 0;
  }
}

export class HeldColumn {
  /** How many values it holds. */
  count = 0;
  /** Whether it has to be written before anything else runs: it is large enough, or holds bytes that it has no copy of. */
  isFull = false;
  private readonly values: unknown[];
  private copies: PlainCopies = plainCopies();
  private mayCopy = arePrototypesClean();
  private isPlain = true;
  private bytes = 0;
  private holdsMemory = false;

  /**
   * @param size how many values it may come to hold: V8 compiles a store in a third of the time it needs for a `push`
   * @param memory for the bytes of its values
   */
  constructor(
    size: number,
    private readonly memory: HeldMemory,
  ) {
    this.values = new Array<unknown>(size).fill(undefined);
  }

  /**
   * @param nameOf names the value in its error
   * @param isLast whether the column is written before anything else runs, so that nothing has to be copied for that
   * @returns whether that took a while, or the error of a value that can't be sent, which is held as undefined
   */
  add(value: unknown, position: number, nameOf: NameOf, isLast: boolean): boolean | SerializationError {
    const at = this.count;
    this.count = at + 1;
    if (isBytes(value)) {
      this.values[at] = this.holdBytes(value, isLast);
      return value.byteLength > SMALL_BYTES;
    }
    const { copies } = this;
    const before = copies.bytes;
    const copy = this.mayCopy ? copyPlain(value, copies) : NOT_PLAIN;
    if (copy === NOT_PLAIN) return this.holdWritten(at, writeValue(value, position, nameOf));
    this.values[at] = copy;
    this.noteSize();
    return copies.bytes - before > SMALL_BYTES;
  }

  /** The values from one up to another, as `encodeColumn` writes them. */
  encode(from: number, to: number, onRefused: OnRefused, nameOf: NameOf): Encoded {
    const { values, copies } = this;
    // A list of its own: ours is cleared before the message is written.
    const column = values.slice(from, to);
    const isWhole = from === 0 && to === this.count;
    const isJson = this.isPlain && copies.exact && !copies.slow && copies.bytes <= 2 * FULL_BYTES;
    if (isWhole && isJson && arePrototypesClean() && !haveToJson())
      return { plain: column, bytes: copies.bytes };
    return encodeColumn(column, onRefused, nameOf);
  }

  /** Forgets what was sent. */
  clear(): void {
    this.values.fill(undefined, 0, this.count);
    this.count = 0;
    this.isFull = false;
    this.copies = plainCopies();
    this.mayCopy = arePrototypesClean();
    this.isPlain = true;
    this.bytes = 0;
    if (this.holdsMemory) this.memory.release();
    this.holdsMemory = false;
  }

  private holdBytes(value: Uint8Array, isLast: boolean): Uint8Array {
    this.isPlain = false;
    this.bytes += value.byteLength;
    this.noteSize();
    if (isLast || this.isFull) return value;
    const copy = this.memory.copy(value);
    if (copy === undefined) {
      this.isFull = true;
      return value;
    }
    if (!this.holdsMemory) this.memory.hold();
    this.holdsMemory = true;
    return copy;
  }

  private holdWritten(at: number, written: ReturnType<typeof writeValue>): true | SerializationError {
    this.isPlain = false;
    if (written instanceof SerializationError) return written;
    this.values[at] = written;
    this.bytes += written.bytes.byteLength;
    this.noteSize();
    return true;
  }

  private noteSize(): void {
    if (this.copies.bytes + this.bytes >= FULL_BYTES) this.isFull = true;
  }
}
