import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  readvSync,
  statfsSync,
  unlinkSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { attempt } from './attempt.js';

/**
 * Bytes from one process to another by way of a file without a name that lies in memory: one writes at a place, says
 * where it was, and the other reads. Through a channel they would be copied four times, 64 KB at a time.
 *
 * The file begins with the number of stretches that were read, written by the reader alone; what it has read may be
 * written over. It ends with the two processes, however they end: nothing else can open it.
 */

/** Bytes before the stretches: a float64, the number of those that were read. */
const HEAD_BYTES = 4096;
/** How much of a file is used. */
export interface SharedLimits {
  /** Bytes up to which stretches are laid round and round. The fewer pages are in use, the likelier they are in the cache. */
  readonly ring: number;
  /** Bytes that may lie behind the ring unread; the next stretch waits for nobody, it goes another way. */
  readonly tail: number;
}

/** Bytes of pieces, on average, up to which they are copied to be written as one, and of all of them together. */
const SMALL_BYTES = 16 * 1024;
const GATHERED_BYTES = 512 * 1024;
/** Memory for that; what is in it is written at once. */
let gathering: Buffer | undefined;

const LIMITS: SharedLimits = { ring: 8 * 1024 * 1024, tail: 256 * 1024 * 1024 };
/** Taken once: a user may replace `fs`, or what it does, in his own process. */
export const own = {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  readvSync,
  statfsSync,
  unlinkSync,
  writeSync,
  writevSync,
};

/** Closes a file that `openSharedFile` opened. */
export function closeSharedFile(file: number | undefined): void {
  if (file !== undefined) attempt(() => own.closeSync(file));
}

/**
 * What a file is known by in every process that has it open, under whatever descriptor: one that was handed down may have
 * been closed on the way, and be another file's by then.
 * @returns undefined for no open file
 */
export function identityOf(file: number): string | undefined {
  const stats = attempt(() => own.fstatSync(file, { bigint: true }));
  return stats?.isFile() === true ? `${stats.dev}:${stats.ino}` : undefined;
}

/** Where a stretch lies: in the ring, or behind it. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly isTail: boolean;
}

/** The end that writes; in one process alone. */
export class SharedWriter {
  /** Those that may not have been read, oldest first: all, those of the ring, and those behind it. */
  private readonly unread: Stretch[] = [];
  private readonly ring: Stretch[] = [];
  private readonly tail: Stretch[] = [];
  private written = 0;
  private readonly head = new Float64Array(1);

  /** @param file what `openSharedFile` gave */
  constructor(
    private file: number,
    private readonly limits = LIMITS,
  ) {}

  /**
   * Writes pieces one after the other.
   * @returns the offset of the first; undefined where there is no room: then nothing was written
   */
  write(pieces: readonly Uint8Array[]): number | undefined {
    let bytes = 0;
    for (const piece of pieces) bytes += piece.byteLength;
    this.forget();
    const stretch = this.place(bytes);
    if (stretch === undefined) return undefined;
    if (attempt(() => own.writevSync(this.file, gathered(pieces, bytes), stretch.from)) !== bytes) {
      // What there was room for is given back.
      this.cut();
      return undefined;
    }
    this.unread.push(stretch);
    (stretch.isTail ? this.tail : this.ring).push(stretch);
    this.written += 1;
    return stretch.from;
  }

  /** Closes the file: there is no room after that. */
  close(): void {
    closeSharedFile(this.file);
    this.file = -1;
  }

  /** Forgets what has been read; gives back what lay behind the ring. */
  private forget(): void {
    const { unread, head, file, tail } = this;
    if (unread.length === 0) return;
    if (attempt(() => own.readSync(file, head, 0, 8, 0)) !== 8) return;
    const hadTail = tail.length > 0;
    while (unread.length > 0 && this.written - unread.length < (head[0] as number)) {
      (unread.shift()?.isTail === true ? tail : this.ring).shift();
    }
    if (hadTail && tail.length === 0) this.cut();
  }

  /** Ends the file where the last stretch ends that lies behind the ring, or where the ring does. */
  private cut(): void {
    const end = this.tail.at(-1)?.to ?? this.ring.reduce((last, { to }) => Math.max(last, to), HEAD_BYTES);
    attempt(() => own.ftruncateSync(this.file, end));
  }

  private place(bytes: number): Stretch | undefined {
    const from = this.placeInRing(bytes);
    if (from !== undefined) return { from, to: from + bytes, isTail: false };
    const [first] = this.tail;
    const { ring, tail } = this.limits;
    const end = this.tail.at(-1)?.to ?? ring;
    // Something huge gets its place whatever lies there: no other way would have it.
    const fits =
      first === undefined || bytes >= tail || end + bytes <= Math.min(first.from, ring + tail) + tail;
    return fits ? { from: end, to: end + bytes, isTail: true } : undefined;
  }

  /** Those of the ring are read in the order in which they were written, so what is free lies around the unread ones. */
  private placeInRing(bytes: number): number | undefined {
    const [first] = this.ring;
    const last = this.ring.at(-1);
    const end = this.limits.ring;
    if (first === undefined || last === undefined) return HEAD_BYTES + bytes <= end ? HEAD_BYTES : undefined;
    if (last.to <= first.from) return last.to + bytes <= first.from ? last.to : undefined;
    if (first.from - HEAD_BYTES >= bytes) return HEAD_BYTES;
    return last.to + bytes <= end ? last.to : undefined;
  }
}

/** The end that reads; in one process alone. */
export class SharedReader {
  private readonly head = new Float64Array(1);

  /** @param file what `openSharedFile` gave */
  constructor(private file: number) {}

  /**
   * Reads the oldest stretch that was not read, each piece of it into memory of its own.
   * @param from what `write` returned
   * @param lengths the pieces' bytes
   * @throws where the file is closed, or ends before
   */
  read(from: number, lengths: readonly number[]): Uint8Array[] {
    try {
      const pieces = lengths.map((length) => Buffer.allocUnsafeSlow(length));
      const wanted = lengths.reduce((sum, length) => sum + length, 0);
      if (readWhole(this.file, pieces, from) !== wanted) throw new RangeError('A shared file is too short');
      return pieces;
    } finally {
      // In place by now, or lost: the writer may write over it. Where that can't be said, it goes another way.
      (this.head[0] as number) += 1;
      attempt(() => own.writeSync(this.file, this.head, 0, 8, 0));
    }
  }

  /** Closes the file: whatever is read after that throws. */
  close(): void {
    closeSharedFile(this.file);
    this.file = -1;
  }
}

/**
 * Small pieces as one: the kernel's first read of a page that only the program had touched took 8 µs on a virtual machine, to
 * copy and write it from here less than 2.
 */
function gathered(pieces: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  if (bytes > GATHERED_BYTES || bytes > pieces.length * SMALL_BYTES) return pieces;
  gathering ??= Buffer.allocUnsafeSlow(GATHERED_BYTES);
  let at = 0;
  for (const piece of pieces) {
    gathering.set(piece, at);
    at += piece.byteLength;
  }
  return [gathering.subarray(0, bytes)];
}

/** One call takes 1 024 pieces at most (IOV_MAX). */
function readWhole(file: number, pieces: readonly Uint8Array[], from: number): number {
  let bytes = 0;
  for (let at = 0; at < pieces.length; at += 1024)
    bytes += own.readvSync(file, pieces.slice(at, at + 1024), from + bytes);
  return bytes;
}
