import { types } from 'node:util';
import { JournalError } from '../errors.js';
import type { Fields, Naming } from './format.js';
import { digest, jobHash, jobText } from './hash.js';
import { JobsOut } from './jobs-out.js';
import { KeyOffsets, PositionOffsets } from './offsets.js';

/** A job and its position in the list. */
export interface IndexedJob {
  readonly index: number;
  readonly job: unknown;
}

/** How jobs are told apart, and where in the file what is recorded of them begins. */
export interface JobIndex {
  /** How many completed jobs the lines loaded so far tell of. */
  readonly completed: number;
  /**
   * Takes note of a `completed` or `failed` line that begins at `offset`, which is never 0.
   *
   * @throws TypeError if the line does not say which job it is about
   */
  load(fields: Fields, offset: number): void;
  /**
   * Looks through the whole list.
   *
   * @param read gives the fields of the line at an offset
   * @throws JournalError as `Journal.check` does
   */
  check(jobs: readonly unknown[], read: (offset: number) => Fields): void;
  /**
   * The recorded line of a job that completed; undefined for one that has to run.
   *
   * @param read gives the fields of the line at an offset
   * @throws JournalError as `Journal.recall` does
   */
  recall(index: number, job: unknown, read: (offset: number) => Fields): Fields | undefined;
  /** How its lines name a job. */
  readonly naming: Naming;
  /**
   * For each of these jobs the JSON text that names it, to be put into `naming`; undefined for one that `refuse` was
   * called for.
   */
  identify(jobs: readonly IndexedJob[], refuse: (error: JournalError) => void): (string | undefined)[];
  /** Of these jobs no line will be written any more. */
  settled(jobs: readonly IndexedJob[]): void;
}

/** Two jobs of one list have the same key. */
export class DuplicateKeyError extends JournalError {
  readonly duplicate = true;
  readonly key: string;

  constructor(key: string, index: number) {
    super(
      `Two jobs have the key ${JSON.stringify(key)}; job ${index} is the second. \`key\` must return a different ` +
        'string for each job, or what is recorded of one would be taken for the other.',
    );
    this.key = key;
  }
}

/** Without a key a job is its position, and its value has to be the recorded one: a hash of it tells. */
export class PositionedJobs implements JobIndex {
  readonly naming = { before: ',"hash":"', after: '"' };
  readonly #path: string;
  /** Of a job's completed line, or minus that of its last failed one. */
  readonly #offsets = new PositionOffsets();
  #completed = 0;
  /** Positions below this may have a line. */
  #end = 0;
  /**
   * The texts of jobs that are out, as they were in the list: whoever listens may change a job meanwhile (what came of
   * an attempt, a counter), and what is recorded has to match the same list once more.
   */
  readonly #texts = new JobsOut();

  constructor(path: string) {
    this.#path = path;
  }

  get completed(): number {
    return this.#completed;
  }

  load(fields: Fields, offset: number): void {
    const { type, index, hash } = fields;
    if (!isIndex(index)) throw new TypeError('its index is not a position');
    if (typeof hash !== 'string') throw new TypeError('its hash is not a string');
    this.#end = Math.max(this.#end, index + 1);
    const isNew = this.#offsets.get(index) <= 0;
    if (type === 'completed') {
      if (isNew) this.#completed++;
      this.#offsets.set(index, offset);
    } else if (isNew) {
      this.#offsets.set(index, -offset);
    }
  }

  /**
   * Recorded jobs behind the first that has to run: those before it are recalled before anything runs. Else jobs of
   * another list could run, and be recorded, until the first difference is met.
   */
  check(jobs: readonly unknown[], read: (offset: number) => Fields): void {
    const end = Math.min(jobs.length, this.#end);
    let index = 0;
    while (index < end && this.#offsets.get(index) > 0) index++;
    for (; index < end; index++) this.#lineOf(index, jobs[index], read);
  }

  recall(index: number, job: unknown, read: (offset: number) => Fields): Fields | undefined {
    const fields = this.#lineOf(index, job, read);
    if (this.#offsets.get(index) > 0) return fields;
    if (typeof job === 'object' && job !== null) this.#texts.set(index, jobText(job));
    return undefined;
  }

  /** The last line about the job at this position, which has to be this one. */
  #lineOf(index: number, job: unknown, read: (offset: number) => Fields): Fields | undefined {
    const offset = this.#offsets.get(index);
    if (offset === 0) return undefined;
    const fields = read(Math.abs(offset));
    if (fields.hash !== jobHash(job)) throw this.#changed(index);
    return fields;
  }

  identify(jobs: readonly IndexedJob[]): string[] {
    return jobs.map(({ index, job }) => this.#texts.get(index) ?? jobText(job)).map(digest);
  }

  settled(jobs: readonly IndexedJob[]): void {
    for (const { index } of jobs) this.#texts.delete(index);
  }

  #changed(index: number): JournalError {
    return new JournalError(
      `The list of jobs is not the one that the journal ${this.#path} was written for: job ${index} (counted from 0) ` +
        'is another one than the recorded one. For a new list choose another path or delete the journal. For a list ' +
        'that changes between runs give the option `key`, which names a job by what it is, and begin a new journal.',
    );
  }
}

/** In place of an offset: a job of this run has that key. */
const TAKEN = 0;

/** So many jobs of a list that can't be checked are asked for their key twice: one made by chance would never be found. */
const TRIED = 16;

/**
 * With a key a job is its key, wherever it stands in the list. It is recorded under the one that it had when it was
 * handed out, whatever was done with the job since.
 *
 * The number of a key is where its recorded line begins, until a job of this run is known by it. Looking up a key that is
 * new to V8 takes as long as writing a line: hence as seldom as can be, and a list that was checked by its positions.
 */
export class KeyedJobs implements JobIndex {
  readonly naming = { before: ',"key":', after: '' };
  readonly #key: (job: unknown) => string;
  readonly #offsets = new KeyOffsets();
  #completed = 0;
  /** The keys of a list that was checked, and where their lines begin; 0 where there is none. */
  #listed: readonly string[] = [];
  #lines = new Float64Array();
  /** Those of jobs that are out, of a list that was not checked. */
  readonly #out = new JobsOut();

  constructor(key: (job: unknown) => string) {
    this.#key = key;
  }

  get completed(): number {
    return this.#completed;
  }

  load(fields: Fields, offset: number): void {
    const { type, key } = fields;
    if (typeof key !== 'string' || key === '') throw new TypeError('its key is not a string');
    if (type === 'completed' && this.#offsets.set(key, offset)) this.#completed++;
  }

  check(jobs: readonly unknown[]): void {
    const keys: string[] = [];
    this.#lines = new Float64Array(this.#completed === 0 ? 0 : jobs.length);
    for (let index = 0; index < jobs.length; index++) {
      const key = this.#keyOf(index, jobs[index]);
      keys.push(key);
      this.#lines[index] = this.#take(key, index);
    }
    this.#listed = keys;
  }

  recall(index: number, job: unknown, read: (offset: number) => Fields): Fields | undefined {
    const key = this.#keyOf(index, job);
    const listed = this.#listed[index];
    if (listed === undefined) return this.#recallUnlisted(index, job, key, read);
    if (listed !== key) throw changedKey(index, key, listed);
    const offset = this.#lines[index] ?? 0;
    return offset > 0 ? read(offset) : undefined;
  }

  identify(jobs: readonly IndexedJob[], refuse: (error: JournalError) => void): (string | undefined)[] {
    return jobs.map(({ index, job }) => {
      try {
        return JSON.stringify(this.#listed[index] ?? this.#out.get(index) ?? this.#keyOf(index, job));
      } catch (error) {
        if (!(error instanceof JournalError)) throw error;
        refuse(error);
        return undefined;
      }
    });
  }

  settled(jobs: readonly IndexedJob[]): void {
    for (const { index } of jobs) this.#out.delete(index);
  }

  #recallUnlisted(
    index: number,
    job: unknown,
    key: string,
    read: (offset: number) => Fields,
  ): Fields | undefined {
    if (index < TRIED) {
      const again = this.#keyOf(index, job);
      if (again !== key) throw changedKey(index, again, key);
    }
    const offset = this.#take(key, index);
    if (offset > 0) return read(offset);
    this.#out.set(index, key);
    return undefined;
  }

  /** Makes the key that of a job. @returns where its line begins, or 0 */
  #take(key: string, index: number): number {
    const offset = (this.#completed === 0 ? undefined : this.#offsets.get(key)) ?? TAKEN;
    const isNew = this.#offsets.set(key, TAKEN);
    if (offset === TAKEN && !isNew) throw new DuplicateKeyError(key, index);
    return offset;
  }

  #keyOf(index: number, job: unknown): string {
    let key: unknown;
    try {
      key = this.#key(job);
    } catch (cause) {
      throw new JournalError(
        `\`key\` threw for job ${index}: ${cause instanceof Error ? cause.message : cause}`,
        { cause },
      );
    }
    if (typeof key === 'string' && key !== '') return key;
    // What it may reject with is no news beside this error.
    if (types.isPromise(key)) key.catch(() => {});
    const got = nameOf(key);
    throw new JournalError(`Expected \`key\` to return a non-empty string for job ${index}, got ${got}`);
  }
}

function changedKey(index: number, key: string, before: string): JournalError {
  return new JournalError(
    `\`key\` returned ${JSON.stringify(key)} for job ${index}, and ${JSON.stringify(before)} before. It must always ` +
      'return the same for one job: is it made of something that changes, or was the job changed meanwhile?',
  );
}

function nameOf(value: unknown): string {
  if (types.isPromise(value)) return 'a Promise: it can not be asynchronous';
  if (value === '') return 'an empty one';
  return value === null ? 'null' : typeof value;
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
