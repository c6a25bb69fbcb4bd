import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { npmEnvironment } from './npm.js';

export const EXAMPLES = resolve(import.meta.dirname, '../../examples');

/** Installs the examples' own dependencies where that was not done. */
export async function installExamples(): Promise<void> {
  if (existsSync(join(EXAMPLES, 'node_modules/.package-lock.json'))) return;
  await promisify(execFile)('npm', ['--prefix', EXAMPLES, 'ci'], { env: npmEnvironment() });
}
