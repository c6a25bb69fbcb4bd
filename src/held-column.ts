import type { Encoded, NameOf, OnRefused } from './codec.js';
import { Frames, joinColumn, kindOfBytes, PlainColumn, VALUE, writeValue } from './codec.js';
import { SerializationError } from './errors.js';

/** Bytes from which on a column should be sent before anything else runs. */
const FULL_BYTES = 1024 * 1024;
/** Bytes, about, that are copied in less time than it takes to say so. */
const SMALL_BYTES = 4096;

/** Memory for bytes that are held: the same again once everything in it was sent, since fresh pages cost more than a copy. */
export class HeldMemory {
  private slab: Buffer | undefined;
  private used = 0;
  private holders = 0;

  /** Copies bytes. @returns where they are; undefined where there is no room */
  copy(bytes: Uint8Array): number | undefined {
    const from = this.used;
    const to = from + bytes.byteLength;
    if (to > FULL_BYTES) return undefined;
    this.slab ??= Buffer.allocUnsafeSlow(FULL_BYTES);
    this.slab.set(bytes, from);
    this.used = to;
    return from;
  }

  /** What was copied to a place. */
  at(from: number, to: number): Uint8Array {
    return (this.slab as Buffer).subarray(from, to);
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

/**
 * A column of results that is sent later. Each value is held as it was when it was added: a job may return an object that the
 * next one changes, and each result has to be what a message of its own would have brought.
 */
export class HeldColumn {
  /** Whether it has to be written before anything else runs: it is large enough, or holds bytes that it has no copy of. */
  isFull = false;
  private plain: PlainColumn;
  /** The other values, and the bytes of all of them. */
  private frames = new Frames();
  private bytes = 0;
  /** Where the last of those lie in the memory, without a piece of the frames as yet. */
  private from = 0;
  private to = 0;
  private holdsMemory = false;

  /**
   * @param size how many values it may come to hold
   * @param memory for the bytes of its values
   */
  constructor(
    private readonly size: number,
    private readonly memory: HeldMemory,
  ) {
    this.plain = new PlainColumn(size);
  }

  /** How many values it holds. */
  get count(): number {
    return this.plain.length;
  }

  /**
   * @param nameOf names the value in its error
   * @param isLast whether the column is written before anything else runs, so that nothing has to be copied for that
   * @returns whether that took a while, or the error of a value that can't be sent, which is held as undefined
   */
  add(value: unknown, position: number, nameOf: NameOf, isLast: boolean): boolean | SerializationError {
    const { plain } = this;
    const at = plain.length;
    const before = plain.copies.bytes;
    const kind = kindOfBytes(value);
    if (kind !== undefined) {
      plain.skip();
      return this.addBytes(at, kind, value as Uint8Array, isLast);
    }
    if (!plain.add(value)) return this.addWritten(at, writeValue(value, position, nameOf), isLast);
    this.noteSize();
    return plain.copies.bytes - before > SMALL_BYTES;
  }

  /** Leaves a place that nobody will look at. */
  pad(): void {
    this.plain.pad();
  }

  /** The values from one up to another, to be sent before anything is added. */
  encode(from: number, to: number, onRefused: OnRefused, nameOf: NameOf): Encoded {
    this.endPiece();
    const { plain, frames } = this;
    if (from === 0 && to === this.count) return joinColumn({ plain, frames }, onRefused, nameOf);
    const part = { plain: plain.between(from, to), frames: frames.between(from, to) };
    return joinColumn(part, onRefused, nameOf);
  }

  /** Forgets what was sent. */
  clear(): void {
    this.plain = new PlainColumn(this.size);
    this.isFull = false;
    this.frames = new Frames();
    this.bytes = 0;
    this.from = 0;
    this.to = 0;
    if (this.holdsMemory) this.memory.release();
    this.holdsMemory = false;
  }

  private addBytes(at: number, kind: number, bytes: Uint8Array, isLast: boolean): boolean {
    const isHeld = this.addFrame(at, kind, bytes, !isLast);
    if (!isHeld && !isLast) this.isFull = true;
    return bytes.byteLength > SMALL_BYTES;
  }

  private addWritten(
    at: number,
    written: Uint8Array | SerializationError,
    isLast: boolean,
  ): true | SerializationError {
    if (written instanceof SerializationError) return written;
    // Nobody changes them, but many small pieces take longer than their copies.
    this.addFrame(at, VALUE, written, !isLast && written.byteLength <= SMALL_BYTES);
    return true;
  }

  /** @param copies whether to copy the bytes, where there is room @returns whether that was done */
  private addFrame(at: number, kind: number, bytes: Uint8Array, copies: boolean): boolean {
    const { byteLength } = bytes;
    this.frames.addHead(at, kind, byteLength);
    this.bytes += byteLength;
    this.noteSize();
    const from = copies && !this.isFull ? this.memory.copy(bytes) : undefined;
    if (from === undefined) {
      this.endPiece();
      this.frames.addPiece(bytes);
      return false;
    }
    if (!this.holdsMemory) this.memory.hold();
    this.holdsMemory = true;
    if (from !== this.to) {
      this.endPiece();
      this.from = from;
    }
    this.to = from + byteLength;
    return true;
  }

  /** The bytes that lie one after the other in the memory are a piece. */
  private endPiece(): void {
    if (this.to > this.from) this.frames.addPiece(this.memory.at(this.from, this.to));
    this.from = 0;
    this.to = 0;
  }

  private noteSize(): void {
    if (this.plain.copies.bytes + this.bytes >= FULL_BYTES) this.isFull = true;
  }
}
