import { pathToFileURL } from 'node:url';
import type { ModuleRef } from '../protocol.js';

/**
 * Loads the user's module the way the manager's process did: a CommonJS caller by `require`, an ES module by
 * `import()`; a spec module that was only named by whichever its format asks for.
 */
export async function loadModule({ loader, id }: ModuleRef): Promise<unknown> {
  if (loader === 'require') return require(id);
  if (loader === 'import') return import(id);
  return import(pathToFileURL(id).href);
}
