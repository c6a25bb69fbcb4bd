import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ModuleRef } from './protocol.js';

/**
 * One module has several names: a path and a `file:` URL, a link and what it points to. And which loader it needs is
 * decided by its format, not by how it was named: test runners give a plain path for an ES module.
 */

/** What a module's name is counted under: the path, with the query and hash that make it another module. */
export function moduleKey(id: string): string {
  if (!id.startsWith('file:')) return id;
  const url = new URL(id);
  return fileURLToPath(url) + url.search + url.hash;
}

/** Whether two names are one module's: Node may load what a link points to in place of the link. */
export function isSameModule(one: string, other: string): boolean {
  const [a, b] = [moduleKey(one), moduleKey(other)];
  return a === b || (existsSync(a) && existsSync(b) && realpathSync(a) === realpathSync(b));
}

/**
 * How Node takes a file: by its extension, else by the `type` of the nearest package.json.
 * @returns undefined where neither decides, so that whoever loads it may
 */
export function formatOf(path: string): 'module' | 'commonjs' | undefined {
  const extension = extname(path);
  if (extension === '.mjs' || extension === '.mts') return 'module';
  if (extension === '.cjs' || extension === '.cts') return 'commonjs';
  for (let folder = dirname(path), last = ''; folder !== last; last = folder, folder = dirname(folder)) {
    const type = typeIn(join(folder, 'package.json'));
    if (type !== 'none') return type;
  }
  return undefined;
}

/** `'none'` where there is no such package.json. */
function typeIn(file: string): 'module' | 'commonjs' | undefined | 'none' {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // None there: the next folder up is asked. One that can't be read says no more than none.
    return 'none';
  }
  try {
    const { type } = JSON.parse(text) as { type?: unknown };
    return type === 'module' || type === 'commonjs' ? type : undefined;
  } catch {
    // Node itself says what is wrong with it, when the module is loaded.
    return undefined;
  }
}

/**
 * A file as something to load.
 * @param path absolute
 * @param fallback the loader where the format does not decide
 */
export function refOf(path: string, fallback: ModuleRef['loader']): ModuleRef {
  const format = formatOf(path);
  const loader = format === undefined ? fallback : format === 'module' ? 'import' : 'require';
  return { loader, id: loader === 'import' ? pathToFileURL(path).href : path };
}
