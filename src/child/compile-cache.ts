/**
 * Keeps compiled code between processes where Node can (22.1 and later): each child compiles the same modules as the
 * one before it. Imported first, so that all that follows is taken from the cache. Node keeps it in a folder of the
 * system's temporary one, and `NODE_DISABLE_COMPILE_CACHE=1` switches it off.
 */

/** The first major version that may have it: a child of an older one would load the module for nothing, most of a millisecond. */
const FIRST_MAJOR = 22;

// Coverage is less precise for code that comes from the cache.
if (
  Number.parseInt(process.versions.node, 10) >= FIRST_MAJOR &&
  process.env['NODE_V8_COVERAGE'] === undefined
) {
  const { enableCompileCache } = require('node:module') as { enableCompileCache?: () => unknown };
  enableCompileCache?.();
}

export {};
