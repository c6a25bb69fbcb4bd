import { join } from 'node:path';

/**
 * The built files of the library, found from one place at the root of `src`: bundling flattens folders, so a relative
 * path from a nested file would point outside `dist`.
 */

/** This library's own file, whose frames are no caller's. */
export const SELF: string = __filename;

/** What the children run first. */
export const BOOTSTRAP: string = join(__dirname, 'bootstrap.cjs');

/** The page that a report is put into. */
export const REPORT_PAGE: string = join(__dirname, 'report.html');
