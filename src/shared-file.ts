import type { Stats } from 'node:fs';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  readvSync,
  unlinkSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Bytes from one process to another by way of a file without a name that lies in memory: one writes at a place, says
 * where it was, and the other reads. Through a channel they would be copied four times, 64 KB at a time.
 *
 * The file begins with the number of stretches that were read, written by the reader alone; what it has read may be
 * written over. It ends with the two processes, however they end: nothing else can open it.
 */

/** Bytes before the stretches: a float64, the number of those that were read. */
const HEAD_BYTES = 4096;
/** Bytes up to which stretches are laid side by side. The fewer pages are in use, the likelier they are in the cache. */
const SOFT_BYTES = 8 * 1024 * 1024;
/** A stretch of this size gets its place whatever else lies unread; smaller ones wait for nobody, they go another way. */
const HUGE_BYTES = 64 * 1024 * 1024;
/** Linux's flag for a file that has no name from the start, as open(2) has it; Node does not name it. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/**
 * Opens a file without a name, in memory where the system has a place for that.
 * @returns its descriptor; undefined where there is none to be had, as on Windows
 */
export function openSharedFile(): number | undefined {
  if (process.platform === 'win32') return undefined;
  return attempt(() => openIn('/dev/shm')) ?? attempt(() => openIn(tmpdir()));
}

/** Closes a file that `openSharedFile` opened. */
export function closeSharedFile(file: number | undefined): void {
  if (file !== undefined) attempt(() => closeSync(file));
}

/** Whether a descriptor that was handed down is such a file: what runs in between may have closed it. */
export function isSharedFile(file: number): boolean {
  return attempt((): Stats => fstatSync(file))?.isFile() === true;
}

function openIn(folder: string): number {
  if (process.platform === 'linux') return openSync(folder, O_TMPFILE | constants.O_RDWR, 0o600);
  const path = join(folder, `threadfactory-${process.pid}-${process.hrtime.bigint()}`);
  const file = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return file;
}

/** The end that writes; in one process alone. */
export class SharedWriter {
  /** Where the stretches lie that may not have been read, oldest first. */
  private readonly unread: { readonly from: number; readonly to: number }[] = [];
  private written = 0;
  private size = HEAD_BYTES;
  private readonly head = new Float64Array(1);

  /** @param file what `openSharedFile` gave */
  constructor(private file: number) {}

  /**
   * Writes pieces one after the other.
   * @returns the offset of the first; undefined where there is no room: then nothing was written
   */
  write(pieces: readonly Uint8Array[]): number | undefined {
    let bytes = 0;
    for (const piece of pieces) bytes += piece.byteLength;
    return attempt(() => {
      this.forget();
      const from = this.place(bytes);
      if (from === undefined || writevSync(this.file, pieces, from) !== bytes) return undefined;
      this.unread.push({ from, to: from + bytes });
      this.written += 1;
      this.size = Math.max(this.size, from + bytes);
      return from;
    });
  }

  /** Closes the file: there is no room after that. */
  close(): void {
    closeSharedFile(this.file);
    this.file = -1;
  }

  /** Forgets what has been read; gives back what a huge stretch took. */
  private forget(): void {
    const { unread, head, file } = this;
    if (unread.length === 0) return;
    readSync(file, head, 0, 8, 0);
    while (this.written - unread.length < (head[0] as number)) unread.shift();
    if (unread.length > 0 || this.size <= SOFT_BYTES) return;
    ftruncateSync(file, HEAD_BYTES);
    this.size = HEAD_BYTES;
  }

  /** Stretches are read in the order in which they were written, so what is free lies around those that were not. */
  private place(bytes: number): number | undefined {
    const first = this.unread[0];
    const last = this.unread.at(-1);
    if (first === undefined || last === undefined) return HEAD_BYTES;
    if (last.to <= first.from) return last.to + bytes <= first.from ? last.to : undefined;
    if (first.from - HEAD_BYTES >= bytes) return HEAD_BYTES;
    return last.to + bytes <= SOFT_BYTES || bytes >= HUGE_BYTES ? last.to : undefined;
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
    const pieces = lengths.map((length) => Buffer.allocUnsafeSlow(length));
    const wanted = lengths.reduce((sum, length) => sum + length, 0);
    if (readWhole(this.file, pieces, from) !== wanted) throw new RangeError('A shared file is too short');
    // In place by now: the writer may write over it.
    (this.head[0] as number) += 1;
    writeSync(this.file, this.head, 0, 8, 0);
    return pieces;
  }

  /** Closes the file: whatever is read after that throws. */
  close(): void {
    closeSharedFile(this.file);
    this.file = -1;
  }
}

/** One call takes 1 024 pieces at most (IOV_MAX). */
function readWhole(file: number, pieces: readonly Uint8Array[], from: number): number {
  let bytes = 0;
  for (let at = 0; at < pieces.length; at += 1024)
    bytes += readvSync(file, pieces.slice(at, at + 1024), from + bytes);
  return bytes;
}

/** Whatever fails here there is another way for. */
function attempt<Value>(what: () => Value): Value | undefined {
  try {
    return what();
  } catch {
    return undefined;
  }
}
