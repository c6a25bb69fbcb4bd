import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../clock.js';
import { JournalError } from '../errors.js';
import type { JournalIo } from './io.js';
import { codeOf, ioError } from './io.js';
import type { JournalOptions } from './types.js';

/** How often it is looked whether the file is where a next run will look for it. */
const LOOK_MS = 1000;

/**
 * The end of the file, where lines are appended.
 *
 * Always holds: what is before `end` is whole lines. A write that fails midway is cut off again at once, or, where even
 * that fails, before the next write, so that no piece of a line is ever followed by another line.
 *
 * What `append` has written is in the system's cache: it survives the death of this process, SIGKILL included. Forcing it
 * onto the disk is for the death of the machine.
 *
 * Lines that a next run would not find are not written: somebody may have deleted, moved or emptied the file.
 */
export class JournalFile {
  readonly fd: number;
  readonly #path: string;
  readonly #io: JournalIo;
  readonly #clock: Clock;
  readonly #fsync: number | boolean;
  #end = 0;
  #isRagged = false;
  /** Whether something was written that no fsync has covered. */
  #isUnsynced = false;
  #isSyncing = false;
  #isClosed = false;
  #timer: Timer | undefined;
  /** What an fsync in the background failed with, for the next call to report. */
  #failure: Error | undefined;
  /** When the file was last seen where it belongs, in the milliseconds of the clock. */
  #seenAt = Number.NEGATIVE_INFINITY;

  /**
   * Opens the file for reading and appending, and creates it where there is none.
   *
   * @throws JournalError if it can't be opened, is not a regular file, or has several names
   */
  constructor({ path, fsync }: JournalOptions, io: JournalIo, clock: Clock) {
    this.#path = path;
    this.#fsync = fsync;
    this.#io = io;
    this.#clock = clock;
    this.fd = this.#open();
  }

  /** Says where lines are to be appended, and cuts off what comes behind: a torn line, or nothing. */
  startAt(end: number): void {
    this.#end = end;
    try {
      if (this.#io.fstatSync(this.fd).size > end) this.#cutOff();
    } catch (error) {
      throw ioError(`cut the torn last line off the journal ${this.#path}`, error);
    }
  }

  /**
   * Writes whole lines in one call, or in as many as the system wants.
   *
   * @throws JournalError if they could not be written, all of them; what was there before still is
   */
  append(bytes: Uint8Array): void {
    if (this.#isClosed) throw new JournalError(`The journal ${this.#path} is closed.`);
    this.#throwFailure();
    this.#look();
    try {
      if (this.#isRagged) this.#cutOff();
      this.#writeAll(bytes);
    } catch (error) {
      throw ioError(`write to the journal ${this.#path}`, error);
    }
    this.#isUnsynced = true;
    if (this.#fsync === true) this.#sync();
    else this.#syncSoon();
  }

  /** Forces everything onto the disk, unless `fsync` is false, and sees that a next run will find it. */
  sync(): void {
    if (this.#isClosed) return;
    this.#force();
    this.#look(true);
  }

  #force(): void {
    // One that is under way in the background has covered nothing before it has ended.
    if (this.#fsync !== false && (this.#isUnsynced || this.#isSyncing)) this.#sync();
    this.#throwFailure();
  }

  /** Makes the name of a new file as durable as its contents are going to be. */
  syncFolder(): void {
    if (this.#fsync === false || process.platform === 'win32') return;
    let folder: number | undefined;
    try {
      folder = this.#io.openSync(dirname(this.#path), constants.O_RDONLY);
      this.#io.fdatasyncSync(folder);
    } catch {
      // Not every file system can do this to a folder, and not every user may read it: then the name is up to the system.
    } finally {
      if (folder !== undefined) this.#io.closeSync(folder);
    }
  }

  /** Forces everything onto the disk (unless `fsync` is false) and closes the file. A second call does nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#clock.clear(this.#timer);
    try {
      this.#force();
    } finally {
      this.#isClosed = true;
      // While an fsync is under way its descriptor must not be given to another file.
      if (!this.#isSyncing) this.#io.closeSync(this.fd);
    }
  }

  #open(): number {
    let fd: number | undefined;
    let reason: string | undefined;
    try {
      fd = this.#io.openSync(this.#path, 'a+', 0o666);
      reason = whyNot(this.#io.fstatSync(fd));
    } catch (error) {
      throw ioError(`open the journal ${this.#path}`, error);
    }
    if (reason === undefined) return fd;
    this.#io.closeSync(fd);
    throw new JournalError(`The journal ${this.#path} ${reason}`);
  }

  /** Whether the file is where it was: a call for what happened to itself, and now and then one for what is at its path. */
  #look(isLast = false): void {
    const now = this.#clock.now();
    const isDue = isLast || now - this.#seenAt >= LOOK_MS;
    const own = this.#asking(() => this.#io.fstatSync(this.fd));
    const isWhole = own.nlink > 0 && own.size >= this.#end;
    if (!isWhole || (isDue && !this.#isAtPath(own))) {
      throw new JournalError(
        `The journal ${this.#path} is not where it was: it was deleted, moved or emptied during the run, and what ` +
          'settles now would not be found by a next one. Put it back before you start again, or what it held runs once more.',
      );
    }
    if (isDue) this.#seenAt = now;
  }

  #isAtPath({ ino, dev }: Stats): boolean {
    const there = this.#asking(() => this.#io.statSync(this.#path, { throwIfNoEntry: false }));
    return there?.ino === ino && there.dev === dev;
  }

  #asking<Answer>(ask: () => Answer): Answer {
    try {
      return ask();
    } catch (error) {
      throw ioError(`find the journal ${this.#path} again`, error);
    }
  }

  #writeAll(bytes: Uint8Array): void {
    try {
      for (let written = 0; written < bytes.length; ) {
        written += this.#io.writeSync(this.fd, bytes, written, bytes.length - written);
      }
    } catch (error) {
      this.#isRagged = true;
      this.#tryCutOff();
      throw error;
    }
    this.#end += bytes.length;
  }

  #tryCutOff(): void {
    try {
      this.#cutOff();
    } catch {
      // `#isRagged` stays true: the next write tries again first, and a next run takes it for a torn line.
    }
  }

  #cutOff(): void {
    try {
      this.#io.ftruncateSync(this.fd, this.#end);
    } catch (error) {
      if (codeOf(error) !== 'EPERM') throw error;
      this.#cutOffByPath();
    }
    this.#isRagged = false;
  }

  /** On Windows who may only append may not cut off (nodejs/node#3177). */
  #cutOffByPath(): void {
    const fd = this.#io.openSync(this.#path, 'r+');
    try {
      // Nobody else's file that has come to be there.
      if (this.#io.fstatSync(fd).size === this.#io.fstatSync(this.fd).size)
        this.#io.ftruncateSync(fd, this.#end);
    } finally {
      this.#io.closeSync(fd);
    }
  }

  #sync(): void {
    this.#isUnsynced = false;
    try {
      this.#io.fdatasyncSync(this.fd);
    } catch (error) {
      throw ioError(`force the journal ${this.#path} onto the disk`, error);
    }
  }

  /** In the background, since the manager has workers to feed; on a timer, since the next write may be hours away. */
  #syncSoon(): void {
    if (typeof this.#fsync !== 'number' || this.#timer !== undefined) return;
    this.#timer = this.#clock.after(this.#fsync, () => this.#syncNow());
    this.#timer.unref?.();
  }

  #syncNow(): void {
    this.#isSyncing = true;
    this.#isUnsynced = false;
    this.#io.fdatasync(this.fd, (error) => {
      this.#isSyncing = false;
      this.#timer = undefined;
      if (error !== null) this.#failure ??= error;
      if (this.#isClosed) this.#closeLate();
      else if (this.#isUnsynced) this.#syncSoon();
    });
  }

  #closeLate(): void {
    try {
      this.#io.closeSync(this.fd);
    } catch {
      // Nobody is left to be told, and nothing to be lost: `close` has forced all of it onto the disk.
    }
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw ioError(`force the journal ${this.#path} onto the disk`, failure);
  }
}

/** Why a file can't be a journal; undefined if it can. */
function whyNot(file: Stats): string | undefined {
  if (!file.isFile()) return 'must be a regular file, not a device, a pipe or a socket.';
  if (file.nlink <= 1) return undefined;
  return (
    `has ${file.nlink} names (hard links): a run that knows it by another one could not be seen, and both would write it. ` +
    'Copy it and put the copy in its place, or choose another path.'
  );
}
