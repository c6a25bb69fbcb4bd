import { createRequire } from 'node:module';

/** TypeScript, required: an `import` of it first looks through its nine megabytes for the names that it exports. */
export const ts = createRequire(import.meta.url)('typescript') as typeof import('typescript');
