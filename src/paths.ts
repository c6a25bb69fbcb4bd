import { dirname, join } from 'node:path';

/**
 * The built files of the library, found from one place at the root of `src`: bundling flattens folders, so a relative
 * path from a nested file would point outside `dist`.
 */

/** A bundler that makes an ES module of this file takes its name away. */
const file = typeof __filename === 'undefined' ? '' : __filename;

/** This library's own file, whose frames are no caller's; empty where nobody knows. */
export const SELF: string = file;

/** What the children run first. */
export const BOOTSTRAP: string = file === '' ? 'bootstrap.cjs' : join(dirname(file), 'bootstrap.cjs');

/** The page that a report is put into. */
export const REPORT_PAGE: string = file === '' ? 'report.html' : join(dirname(file), 'report.html');

/** The folder in which Node resolved this process's own flags, as far as it can still be known. */
export const STARTED_IN: string = startedIn();

/** Nobody knows where the folder was removed. */
function startedIn(): string {
  try {
    return process.cwd();
  } catch {
    return '/';
  }
}
