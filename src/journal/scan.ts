import { JournalError } from '../errors.js';
import type { Fields, Header } from './format.js';
import { damagedHeader, damagedLine, MAGIC, readHeader } from './format.js';
import type { JournalIo } from './io.js';
import { ioError } from './io.js';
import { LineReader } from './lines.js';

/**
 * Goes through the lines of a journal from its beginning, header first.
 *
 * A last line that was cut off (no newline, unreadable, or zeros) is left out: `end` is where it begins. Any other line
 * that can't be read is a JournalError with its number.
 */
export class JournalScan {
  /** Undefined for an empty file, and for one whose header was cut off: a journal that is just being begun. */
  readonly header: Header | undefined;
  readonly #path: string;
  readonly #reader: LineReader;
  /** Where the first line that is not whole begins, or the file ends. */
  #end = 0;

  /**
   * @param path for messages
   * @throws JournalError if the file is no journal, is of a newer version, or can't be read
   */
  constructor(path: string, fd: number, io: JournalIo) {
    this.#path = path;
    this.#reader = new LineReader(io, fd);
    if (!reading(path, () => isJournal(fd, io))) throw notAJournal(path);
    this.header = this.#header();
  }

  /** Where in the file the next line is to be written: behind all that `next` has returned. */
  get end(): number {
    return this.#end;
  }

  /** Where in the file the line begins that `next` returned last. */
  get offset(): number {
    return this.#reader.offset;
  }

  /** The number of that line, from 1. */
  get number(): number {
    return this.#reader.number;
  }

  /** The fields of the next line, or undefined at the end. */
  next(): Fields | undefined {
    if (this.header === undefined || !this.#advance() || !this.#reader.isWhole) return undefined;
    const { number } = this.#reader;
    let fields: Fields;
    try {
      fields = parseFields(this.#reader.text());
    } catch (cause) {
      if (cause instanceof SyntaxError && this.#isLast()) return undefined;
      throw damagedLine(this.#path, number, cause);
    }
    this.#end = this.#reader.end;
    return fields;
  }

  #header(): Header | undefined {
    if (!this.#advance()) return undefined;
    // Zeros in the middle are not what a lost end of a header looks like.
    if (hasZerosWithin(this.#reader.bytes)) throw notAJournal(this.#path);
    if (!this.#reader.isWhole) return undefined;
    let fields: Fields;
    try {
      fields = parseFields(this.#reader.text());
    } catch (cause) {
      if (cause instanceof SyntaxError && this.#isLast()) return undefined;
      throw damagedHeader(this.#path, cause instanceof Error ? cause.message : String(cause));
    }
    this.#end = this.#reader.end;
    return readHeader(fields, this.#path);
  }

  #advance(): boolean {
    return reading(this.#path, () => this.#reader.next());
  }

  #isLast(): boolean {
    return reading(this.#path, () => this.#reader.isFollowedByNothing());
  }
}

/**
 * The fields in the text of a line.
 *
 * @throws SyntaxError if it is no JSON, TypeError if it is JSON of something else
 */
export function parseFields(text: string): Fields {
  const fields: unknown = JSON.parse(text);
  if (
    typeof fields !== 'object' ||
    fields === null ||
    !('type' in fields) ||
    typeof fields.type !== 'string'
  ) {
    throw new TypeError('it is not an object with a type');
  }
  return fields as unknown as Fields;
}

/** A file larger than this that begins with zeros is something else. */
const MAX_ZEROS = 64 * 1024;

/**
 * Whether the file begins as a journal does, or as much of it as there is: only a part of its first line may have
 * reached the disk, with nothing or zeros in place of the rest. Found out first, so that no foreign file is cut off, or
 * read for gigabytes in search of a newline.
 */
function isJournal(fd: number, io: JournalIo): boolean {
  const bytes = Buffer.alloc(MAGIC.length);
  const read = io.readSync(fd, bytes, 0, bytes.length, 0);
  const start = bytes.toString('latin1', 0, read);
  const text = start.replace(/\0+$/, '');
  return MAGIC.startsWith(text) && (text === start || io.fstatSync(fd).size <= MAX_ZEROS);
}

/** Of bytes, since they may be those of anything. */
function hasZerosWithin(bytes: Buffer): boolean {
  const first = bytes.indexOf(0);
  return first !== -1 && bytes.subarray(first).some((byte) => byte !== 0);
}

function notAJournal(path: string): JournalError {
  return new JournalError(
    `${path} is not a journal of threadfactory, and is left as it is. Choose another path for the journal.`,
    { line: 1 },
  );
}

function reading<Result>(path: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw ioError(`read the journal ${path}`, error);
  }
}
