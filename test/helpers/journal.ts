import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Clock } from '../../src/clock.js';
import type { JournalIo } from '../../src/journal/io.js';
import { nodeIo } from '../../src/journal/io.js';
import type { Journal, JournalOptions, JournalRecord } from '../../src/journal.js';
import { openJournal } from '../../src/journal.js';

/** What `useJournals` gives to the tests of a file. */
export interface Journals {
  /** A folder of the test, removed after it. */
  folder(): string;
  /** A path in it. */
  path(): string;
  /** Opens a journal there; closed after the test if it was not before. */
  open(options?: Partial<JournalOptions>, io?: JournalIo, clock?: Clock): Journal;
  /** Closes what is open and opens it again. */
  reopen(options?: Partial<JournalOptions>): Journal;
  /** The text of the file. */
  text(): string;
  /** Its lines, parsed. */
  lines(): Record<string, unknown>[];
}

/** Journals in a temporary folder for each test of a file. */
export function useJournals(): Journals {
  let folder: string | undefined;
  let opened: Journal[] = [];
  const closeAll = (): void => {
    for (const journal of opened) journal.close();
    opened = [];
  };
  afterEach(() => {
    closeAll();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    folder = undefined;
  });
  const journals: Journals = {
    folder: () => {
      folder ??= mkdtempSync(join(tmpdir(), 'threadfactory-journal-'));
      return folder;
    },
    path: () => join(journals.folder(), 'run.jsonl'),
    open: (options = {}, io = nodeIo, clock?: Clock) => {
      const given = {
        path: journals.path(),
        module: '/app/job.js',
        key: undefined,
        fsync: false,
        ...options,
      };
      const journal = openJournal(given, io, clock);
      opened.push(journal);
      return journal;
    },
    reopen: (options) => {
      closeAll();
      return journals.open(options);
    },
    text: () => readFileSync(journals.path(), 'utf8'),
    lines: () =>
      journals
        .text()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
  };
  return journals;
}

const ABOUT = { id: 1, startedAt: 1_764_000_000_000, duration: 1.5 };

/** A record of a job that completed. */
export function completed(index: number, job: unknown, result: unknown): JournalRecord {
  return { ...ABOUT, index, job, attempt: 1, result };
}

/** A record of a job that failed. */
export function failed(index: number, job: unknown, error: unknown): JournalRecord {
  return { ...ABOUT, index, job, attempts: 1, error };
}

/** Tells the journal of a job that is about to be handed out, then that it completed. */
export function run(journal: Journal, index: number, job: unknown, result: unknown): void {
  journal.recall(index, job);
  journal.record([completed(index, job, result)]);
}
