import { parse, resolve } from 'node:path';
import type { Clock } from './clock.js';
import { systemClock } from './clock.js';
import { JournalError, SerializationError } from './errors.js';
import { JournalFile } from './journal/file.js';
import type { Fields } from './journal/format.js';
import {
  crashLine,
  damagedLine,
  fileNameOf,
  headerLine,
  outcomeField,
  retryLine,
  writeSettledLine,
} from './journal/format.js';
import type { JobIndex } from './journal/identity.js';
import { KeyedJobs, PositionedJobs } from './journal/identity.js';
import type { JournalIo } from './journal/io.js';
import { ioError, nodeIo } from './journal/io.js';
import { LineBuffer } from './journal/line-buffer.js';
import { LineCache, lineNumberAt } from './journal/lines.js';
import type { Lock } from './journal/lock.js';
import { acquireLock } from './journal/lock.js';
import { JournalScan, parseFields } from './journal/scan.js';
import type { Journal, JournalCrash, JournalOptions, JournalRecord, JournalRetry } from './journal/types.js';
import { readValue } from './journal/values.js';

export { readJournal } from './journal/read.js';
export type * from './journal/types.js';

/** Bytes after which a batch is written in parts. */
const MAX_BATCH = 16 * 1024 * 1024;

/**
 * Opens a journal, or begins one, and holds its lock until `close()`.
 *
 * @param io for tests: the calls on files
 * @param clock for tests: the time
 * @throws JournalError if it is in use, damaged, of another module, of a newer version, with keys where there is no `key`
 *   or without them where there is one, or can't be opened, read or written
 */
export function openJournal(
  options: JournalOptions,
  io: JournalIo = nodeIo,
  clock: Clock = systemClock,
): Journal {
  const path = resolve(options.path);
  const file = new JournalFile({ ...options, path }, io, clock);
  let lock: Lock | undefined;
  try {
    lock = acquireLock(path);
    return new FileJournal({ ...options, path }, { file, lock, io, clock });
  } catch (error) {
    closeBoth(file, lock);
    throw error;
  }
}

/** What an open journal works with. */
interface Parts {
  readonly file: JournalFile;
  readonly lock: Lock;
  readonly io: JournalIo;
  readonly clock: Clock;
}

/**
 * An append-only file of JSON lines: a header, then a line a settled job, each written before the job's event is emitted.
 * What was written is in the system's cache and so survives the death of the process at any instant; `fsync` is about the
 * death of the machine. A last line that was cut off is dropped on the next opening, and its job runs again.
 *
 * Held in memory is where each recorded job's line begins (eight bytes a job, or the keys), never a result: those are
 * read back one by one, when the list comes to their job.
 *
 * What a journal is checked for: that it was written with a `key` if there is one now; that it was written by a module of
 * the same file name, whatever its folder and its extension, since the results of one program would pass for those of
 * another; and without a `key` that each job has the value it had at its position. A list that has grown at its end is
 * fine, and so is a shorter one, such as the first ten jobs for a trial: the rest stays recorded.
 */
class FileJournal implements Journal {
  readonly recorded: number;
  readonly #path: string;
  readonly #file: JournalFile;
  readonly #lock: Lock;
  readonly #io: JournalIo;
  readonly #clock: Clock;
  readonly #jobs: JobIndex;
  readonly #lines: LineCache;
  readonly #batch = new LineBuffer();
  /** Of the line read last. */
  #offset = 0;
  readonly #read = (offset: number): Fields => this.#fieldsAt(offset);

  constructor(options: JournalOptions, { file, lock, io, clock }: Parts) {
    this.#path = options.path;
    this.#file = file;
    this.#lock = lock;
    this.#io = io;
    this.#clock = clock;
    this.#lines = new LineCache(io, file.fd);
    this.#jobs = options.key === undefined ? new PositionedJobs(options.path) : new KeyedJobs(options.key);
    this.#load(options);
    this.recorded = this.#jobs.completed;
  }

  check(jobs: readonly unknown[]): void {
    this.#jobs.check(jobs, this.#read);
  }

  recall(index: number, job: unknown): { readonly result: unknown } | undefined {
    const fields = this.#jobs.recall(index, job, this.#read);
    if (fields === undefined) return undefined;
    try {
      return { result: readValue(fields, 'result') };
    } catch (cause) {
      throw this.#unreadable(cause);
    }
  }

  record(records: readonly JournalRecord[]): ReadonlyMap<number, SerializationError> {
    // Not empty only after a batch that no memory could hold.
    this.#batch.clear();
    const failures: Error[] = [];
    const refused = new Map<number, SerializationError>();
    const who = this.#jobs.identify(records, (error) => failures.push(error));
    const what = records.map((record, i) =>
      this.#outcome(record, who[i], (error) =>
        'error' in record ? failures.push(error) : refused.set(record.index, error),
      ),
    );
    records.forEach((record, i) => {
      const [whoText, whatField] = [who[i], what[i]];
      if (whoText === undefined || whatField === undefined) return;
      writeSettledLine(this.#batch, record, this.#jobs.naming, { who: whoText, what: whatField });
      if (this.#batch.length > MAX_BATCH) this.#flush();
    });
    this.#flush();
    this.#jobs.settled(records);
    throwFirst(failures);
    return refused;
  }

  retry(line: JournalRetry): void {
    const failures: JournalError[] = [];
    const [who] = this.#jobs.identify([line], (error) => failures.push(error));
    if (who !== undefined)
      this.#file.append(Buffer.from(retryLine(line, this.#clock.epoch(), this.#jobs.naming, who)));
    throwFirst(failures);
  }

  crash(line: JournalCrash): void {
    this.#file.append(Buffer.from(crashLine(line, this.#clock.epoch())));
  }

  sync(): void {
    this.#file.sync();
  }

  close(): void {
    closeBoth(this.#file, this.#lock);
  }

  /** Goes through what is there, cuts a torn line off, and begins a journal that is not begun. */
  #load(options: JournalOptions): void {
    const { module, key } = options;
    const scan = new JournalScan(this.#path, this.#file.fd, this.#io);
    if (scan.header !== undefined) {
      checkKeyed(this.#path, scan.header.keyed, key !== undefined);
      checkModule(this.#path, scan.header.module, fileNameOf(module));
    }
    for (let fields = scan.next(); fields !== undefined; fields = scan.next()) {
      if (fields.type !== 'completed' && fields.type !== 'failed') continue;
      try {
        this.#jobs.load(fields, scan.offset);
      } catch (cause) {
        throw damagedLine(this.#path, scan.number, cause);
      }
    }
    this.#file.startAt(scan.end);
    if (scan.header !== undefined) return;
    this.#file.append(Buffer.from(headerLine(module, key !== undefined, this.#clock.epoch())));
    this.#file.syncFolder();
  }

  #fieldsAt(offset: number): Fields {
    this.#offset = offset;
    let text: string;
    try {
      text = this.#lines.read(offset);
    } catch (error) {
      throw ioError(`read the journal ${this.#path}`, error);
    }
    try {
      return parseFields(text);
    } catch (cause) {
      throw this.#unreadable(cause);
    }
  }

  /** For the line read last: one that could be read on opening, so its number has to be counted now. */
  #unreadable(cause: unknown): JournalError {
    return damagedLine(this.#path, lineNumberAt(this.#io, this.#file.fd, this.#offset), cause);
  }

  #flush(): void {
    const { bytes } = this.#batch;
    this.#batch.clear();
    if (bytes.length > 0) this.#file.append(bytes);
  }

  #outcome(
    record: JournalRecord,
    who: string | undefined,
    refuse: (error: SerializationError) => void,
  ): string | undefined {
    try {
      return who === undefined ? undefined : outcomeField(record, who);
    } catch (cause) {
      refuse(unwritable(this.#path, record.index, cause));
      return undefined;
    }
  }
}

function closeBoth(file: JournalFile, lock: Lock | undefined): void {
  try {
    file.close();
  } finally {
    lock?.release();
  }
}

function unwritable(path: string, index: number, cause: unknown): SerializationError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new SerializationError(
    `What came of job ${index} can not be written to the journal ${path}: ${reason}. Write it to a file of its own, and ` +
      'return the path.',
    { cause },
  );
}

function throwFirst(failures: readonly Error[]): void {
  const [failure] = failures;
  if (failure !== undefined) throw failure;
}

function checkKeyed(path: string, wasKeyed: boolean, isKeyed: boolean): void {
  if (wasKeyed === isKeyed) return;
  throw new JournalError(
    wasKeyed
      ? `The journal ${path} names jobs by their keys: give the same option \`key\` again, or choose another path.`
      : `The journal ${path} was begun without the option \`key\`: leave it out again, or choose another path.`,
    { line: 1 },
  );
}

function checkModule(path: string, was: string, is: string): void {
  if (parse(was).name === parse(is).name) return;
  throw new JournalError(
    `The journal ${path} was written by ${was}, and this is ${is}: the results of one would be taken for those of the ` +
      `other. Choose another path. If it is the same program under a new name, write that name into the first line ` +
      `of the journal, as \`"module"\`.`,
    { line: 1 },
  );
}
