import { readFile, realpath, writeFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { OptionError } from './errors.js';
import { readJournal } from './journal.js';
import { REPORT_PAGE } from './paths.js';
import { VERSION } from './registry.js';
import { aggregate } from './report/aggregate.js';
import type { ReportData } from './report/data.js';

/** Where the page holds a report's data. */
const SLOT = 'id="data">{}</script>';

/**
 * Makes one self-contained HTML page from a journal: what was run when and by which worker, how long it took, and what
 * failed. The page asks no network for anything. The journal is read once, and may be that of a run that is still on.
 *
 * @param journalPath a file that the option `journal` wrote
 * @param outPath the page; overwritten if it exists
 * @throws JournalError if the journal can't be read, is none, or is damaged
 * @throws OptionError if the page can't be written, or would take the journal's place
 */
export async function writeReport(journalPath: string, outPath: string): Promise<void> {
  await refuseSame(journalPath, outPath);
  const data: ReportData = {
    version: VERSION,
    journal: basename(journalPath),
    generatedAt: Date.now(),
    ...aggregate(readJournal(journalPath)),
  };
  const page = await readFile(REPORT_PAGE, 'utf8');
  try {
    await writeFile(outPath, fill(page, data));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OptionError(`The report can not be written to ${outPath}: ${reason}. Choose another path.`);
  }
}

/** The page with the data in its place. Inside a script element only `<` can end it or begin a comment. */
function fill(page: string, data: ReportData): string {
  const json = JSON.stringify(data).replaceAll('<', '\\u003c');
  return page.replace(SLOT, () => SLOT.replace('{}', () => json));
}

async function refuseSame(journalPath: string, outPath: string): Promise<void> {
  const [journal, out] = await Promise.all([real(journalPath), real(outPath)]);
  if (journal !== out) return;
  throw new OptionError(
    `Expected the path of the report to be another one than the journal's, got ${outPath} for both.`,
  );
}

/** A path that does not exist is what it says. */
async function real(path: string): Promise<string> {
  return await realpath(path).catch(() => resolve(path));
}
