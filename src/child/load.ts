import { pathToFileURL } from 'node:url';
import type { ModuleRef } from '../protocol.js';

/** What Node says of an ES module that `require` can't have. */
const NOT_FOR_REQUIRE = ['ERR_REQUIRE_ESM', 'ERR_REQUIRE_ASYNC_MODULE'];

/** Loads the user's module: by `require` or `import()`, and by the other where it turns out to be an ES module. */
export async function loadModule({ loader, id }: ModuleRef): Promise<unknown> {
  if (loader === 'import') return import(id);
  try {
    return require(id);
  } catch (error) {
    const code = String((error as { code?: unknown } | null | undefined)?.code);
    if (!NOT_FOR_REQUIRE.includes(code)) throw error;
    return import(pathToFileURL(id).href);
  }
}
