import * as nodeModule from 'node:module';

/**
 * Keeps compiled code between processes where Node can (22.1 and later): each child compiles the same modules as the
 * one before it. Imported first, so that all that follows is taken from the cache. Node keeps it in a folder of the
 * system's temporary one, and `NODE_DISABLE_COMPILE_CACHE=1` switches it off.
 */
const { enableCompileCache } = nodeModule as { enableCompileCache?: () => unknown };

// Coverage is less precise for code that comes from the cache.
if (process.env['NODE_V8_COVERAGE'] === undefined) enableCompileCache?.();
