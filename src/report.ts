import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { JournalError, OptionError } from './errors.js';
import { REPORT_PAGE } from './paths.js';
import { VERSION } from './registry.js';
import { aggregate } from './report/aggregate.js';
import type { ReportData } from './report/data.js';

/** Where the page holds a report's data. */
const SLOT = 'id="data">{}</script>';

/** In the head of every report, of any version. */
const TITLE = '<title>threadfactory report</title>';
const DOCTYPE = Buffer.from('<!doctype html>');
/** Bytes of a file in which that would be. */
const HEAD = 4096;

/**
 * Makes one self-contained HTML page from a journal: what was run when and by which worker, how long it took, and what
 * failed. The page asks no network for anything. The journal is read once, and may be that of a run that is still on.
 *
 * @param journalPath a file that the option `journal` wrote
 * @throws JournalError if the journal can't be read, is none, is damaged, or has not begun
 */
export async function reportOf(journalPath: string): Promise<string> {
  // Built into a file of its own, for runs, which has all of this.
  const { readJournal } = await import('./journal.js');
  const data: ReportData = {
    version: VERSION,
    journal: basename(journalPath),
    generatedAt: Date.now(),
    ...aggregate(readJournal(journalPath)),
  };
  // A header says at least which module it is.
  if (data.module === '')
    throw new JournalError(`Nothing is in the journal ${journalPath} yet: wait for its run to begin.`);
  const page = await readFile(REPORT_PAGE, 'utf8');
  // Inside a script element only `<` can end it or begin a comment.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return page.replace(SLOT, () => SLOT.replace('{}', () => json));
}

/**
 * Writes that page to a file: a new one, or in place of an earlier report.
 *
 * @throws JournalError as `reportOf` does
 * @throws OptionError if it can't be written, or would take the place of another file, such as the journal
 */
export async function writeReport(journalPath: string, outPath: string): Promise<void> {
  const refuse = (cause: unknown): never => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OptionError(
      `The report can not be written to ${outPath}: ${reason}. Choose another path: -o FILE`,
    );
  };
  const isOther = await holdsOther(outPath).catch(refuse);
  if (isOther) refuse('that file is there already and is no earlier report, so it is left as it is');
  const page = await reportOf(journalPath);
  await writeFile(outPath, page).catch(refuse);
}

/** Whether something would be lost with a file: it is no report. A pipe or a device holds nothing. */
async function holdsOther(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isFile() !== true || stats.size === 0) return false;
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(HEAD));
    return !(buffer.includes(TITLE) && buffer.subarray(0, DOCTYPE.length).equals(DOCTYPE));
  } finally {
    await file.close();
  }
}
