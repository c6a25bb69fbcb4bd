import type { JournalIo } from './io.js';
import { utf8 } from './utf8.js';

/** Bytes read at once when going through a whole file. */
const CHUNK = 512 * 1024;

/**
 * Goes through a file line by line, with one buffer whatever its size. After a `next()` that returned true the getters
 * are about that line.
 */
export class LineReader {
  readonly #io: JournalIo;
  readonly #fd: number;
  #buffer = Buffer.allocUnsafeSlow(CHUNK);
  /** In the buffer: the line, and what has been read. */
  #start = 0;
  #stop = 0;
  #filled = 0;
  /** Position in the file of the buffer's first byte. */
  #base = 0;
  #number = 0;
  #isWhole = false;

  constructor(io: JournalIo, fd: number) {
    this.#io = io;
    this.#fd = fd;
  }

  /** Moves on to the next line; false at the end of the file. */
  next(): boolean {
    this.#start = this.#isWhole ? this.#stop + 1 : this.#stop;
    let searched = this.#start;
    for (;;) {
      const newline = this.#buffer.indexOf(10, searched);
      // Behind what has been read are remains of what was there before.
      if (newline >= 0 && newline < this.#filled) return this.#found(newline, true);
      searched = this.#filled - this.#start;
      const isEnd = !this.#fill();
      if (isEnd) return this.#filled > this.#start && this.#found(this.#filled, false);
    }
  }

  /** The line's number, from 1. */
  get number(): number {
    return this.#number;
  }

  /** Where in the file the line begins. */
  get offset(): number {
    return this.#base + this.#start;
  }

  /** Where in the file the next line begins. */
  get end(): number {
    return this.#base + this.#stop + (this.#isWhole ? 1 : 0);
  }

  /** Whether a newline ends it: false for a last line that was cut off. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** The line without its newline, until the next one is read. */
  get bytes(): Buffer {
    return this.#buffer.subarray(this.#start, this.#stop);
  }

  /** The same as text. Throws for one that no string can hold, or that is not UTF-8. */
  text(): string {
    const text = utf8(this.#buffer, this.#start, this.#stop);
    if (text === undefined) throw new SyntaxError('It is not UTF-8');
    return text;
  }

  /** Whether nothing is left, or nothing but zeros, which is what a file system may put in place of lost data. */
  isFollowedByNothing(): boolean {
    if (!this.next()) return true;
    return !this.#isWhole && this.bytes.every((byte) => byte === 0);
  }

  #found(stop: number, isWhole: boolean): true {
    this.#stop = stop;
    this.#isWhole = isWhole;
    this.#number++;
    return true;
  }

  /** Reads on behind what the current line has so far, which moves to the front. False at the end of the file. */
  #fill(): boolean {
    const held = this.#filled - this.#start;
    const larger =
      held > this.#buffer.length / 2 ? Buffer.allocUnsafeSlow(this.#buffer.length * 2) : this.#buffer;
    if (larger !== this.#buffer || this.#start > 0) {
      this.#buffer.copy(larger, 0, this.#start, this.#filled);
    }
    this.#buffer = larger;
    this.#base += this.#start;
    this.#start = 0;
    this.#stop = 0;
    this.#isWhole = false;
    const read = this.#io.readSync(this.#fd, larger, held, larger.length - held, this.#base + held);
    this.#filled = held + read;
    return read > 0;
  }
}

/** The number, from 1, of the line that begins at this offset. */
export function lineNumberAt(io: JournalIo, fd: number, offset: number): number {
  const reader = new LineReader(io, fd);
  while (reader.next() && reader.offset < offset);
  return reader.number;
}

/** Bytes of a block, and how many are kept: 4 MB in all. */
const BLOCK = 32 * 1024;
const BLOCKS = 128;

/**
 * Reads single lines by their offsets. A list is read back in nearly the order in which it was written, as many
 * interleaved streams as there were workers: hence many small blocks, each kept in the place that its number gives it.
 */
export class LineCache {
  readonly #io: JournalIo;
  readonly #fd: number;
  readonly #blocks: Buffer[] = [];
  readonly #numbers = new Float64Array(BLOCKS).fill(-1);
  readonly #lengths = new Int32Array(BLOCKS);

  constructor(io: JournalIo, fd: number) {
    this.#io = io;
    this.#fd = fd;
  }

  /** The line that begins at this offset, without its newline. */
  read(offset: number): string {
    const pieces: Buffer[] = [];
    let from = offset % BLOCK;
    for (let number = Math.floor(offset / BLOCK); ; number++) {
      const block = this.#block(number);
      const newline = block.indexOf(10, from);
      if (newline >= 0 && pieces.length === 0) return block.toString('utf8', from, newline);
      // A block is overwritten by the one that follows it by BLOCKS, and a line may be that long.
      pieces.push(Buffer.from(block.subarray(from, newline < 0 ? block.length : newline)));
      if (newline >= 0 || block.length < BLOCK) return Buffer.concat(pieces).toString('utf8');
      from = 0;
    }
  }

  #block(number: number): Buffer {
    const place = number % BLOCKS;
    let block = this.#blocks[place];
    if (block === undefined) {
      block = Buffer.allocUnsafeSlow(BLOCK);
      this.#blocks[place] = block;
    }
    if (this.#numbers[place] !== number) {
      this.#numbers[place] = -1;
      this.#lengths[place] = this.#readFully(block, number * BLOCK);
      this.#numbers[place] = number;
    }
    const length = this.#lengths[place];
    return length === BLOCK ? block : block.subarray(0, length);
  }

  /** Fills the block unless the file ends: a network file system may read less than it was asked for. */
  #readFully(block: Buffer, position: number): number {
    let length = 0;
    for (let read = -1; read !== 0 && length < BLOCK; length += read) {
      read = this.#io.readSync(this.#fd, block, length, BLOCK - length, position + length);
    }
    return length;
  }
}
