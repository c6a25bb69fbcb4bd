import { readFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { defineConfig, type Options } from 'tsup';
import { version } from './package.json';
import { licences } from './scripts/licences.js';

// `module.exports` becomes the class, with every other export of src/index.ts on it, so that
// `require('threadfactory')` is the class itself. Names of classes are public, but shortened in the bundle.
// Appended after the bundle, whose exports are getters by then.
const CLASS_IS_THE_MODULE = `
{
  const { shared, ...names } = module.exports;
  for (const name in names) Object.defineProperty(names[name], 'name', { value: name, configurable: true });
  module.exports = Object.assign(names.ThreadFactory, names, { default: names.ThreadFactory });
  Object.defineProperty(module.exports, Symbol.for('threadfactory.shared'), { value: shared });
}
`;

// A user's code may replace or delete globals (fake timers, a mocked Date, a polyfill): ours are taken when we load.
// The directive has to come first to be one.
const OWN_GLOBALS = `"use strict";const {${[
  ...[
    'AbortController',
    'AggregateError',
    'Array',
    'ArrayBuffer',
    'BigInt',
    'Buffer',
    'Date',
    'DOMException',
  ],
  ...[
    'Error',
    'EvalError',
    'Float64Array',
    'JSON',
    'Map',
    'Math',
    'Number',
    'Object',
    'Promise',
    'RangeError',
  ],
  ...['ReferenceError', 'Reflect', 'RegExp', 'Set', 'SharedArrayBuffer', 'String', 'Symbol', 'SyntaxError'],
  ...['TypeError', 'Uint8Array', 'URIError', 'URL', 'WeakMap', 'WeakSet', 'process'],
]}}=globalThis;`;

/** One built file. */
const entry = (name: string, source: string, more: Options = {}): Options => ({
  entry: { [name]: source },
  format: 'cjs',
  outExtension: () => ({ js: '.cjs' }),
  outDir: 'dist',
  env: { THREADFACTORY_VERSION: version },
  platform: 'node',
  target: 'node20',
  splitting: false,
  removeNodeProtocol: false,
  silent: true,
  // For the installed size: each of the two finds what the other leaves. Lines are cut where that costs few bytes, so that
  // a stack still points somewhere.
  esbuildOptions: (options) => {
    options.minify = true;
  },
  minify: 'terser',
  terserOptions: {
    compress: { passes: 2, ecma: 2020 },
    toplevel: true,
    format: { max_line_len: 1000 },
  },
  sourcemap: false,
  ...more,
});

/** What `import()` loads when it is asked for is no part of the bundle, but a built file beside it. */
const CHUNKS = ['journal', 'progress', 'report'];
const takeChunks: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'take-chunks',
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/[\w-]+\.js$/ }, ({ path, kind }) => {
      const name = basename(path, '.js');
      if (kind !== 'dynamic-import' || !CHUNKS.includes(name)) return undefined;
      return { path: `./${name}.cjs`, external: true };
    });
    build.onResolve({ filter: /\/engines\/index\.js$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: './bullmq.cjs', external: true } : undefined,
    );
  },
};

/** In the other entries, what `index.cjs` has is taken from there: see scripts/entry.ts. */
/** Modules directly under src but the chunks, and the manager's. */
const IN_INDEX = new RegExp(`^(?!(${CHUNKS.join('|')})$)(manager/)?[\\w-]+$`);
const takeShared: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'take-shared',
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, async ({ path, resolveDir, kind }) => {
      const module = relative('src', join(resolveDir, path)).slice(0, -'.js'.length);
      if (kind === 'entry-point' || !IN_INDEX.test(module)) return undefined;
      return { path: module, namespace: 'shared' };
    });
    build.onResolve({ filter: /^\.\/index\.cjs$/, namespace: 'shared' }, ({ path }) => ({
      path,
      external: true,
    }));
    build.onLoad({ filter: /.*/, namespace: 'shared' }, async ({ path }) => {
      const entry = await readFile('scripts/entry.ts', 'utf8');
      if (!entry.includes(`'../src/${path}.js'`)) {
        return { errors: [{ text: `An entry needs src/${path}.ts: share it in scripts/entry.ts` }] };
      }
      return {
        contents: `module.exports = require('./index.cjs')[Symbol.for('threadfactory.shared')]['${path}'];`,
      };
    });
  },
};

export default defineConfig([
  entry('index', 'scripts/entry.ts', {
    dts: { entry: { index: 'src/index.ts' } },
    banner: { js: OWN_GLOBALS },
    footer: { js: CLASS_IS_THE_MODULE },
    esbuildPlugins: [takeChunks],
  }),
  ...CHUNKS.map((name) => entry(name, `src/${name}.ts`, { esbuildPlugins: [takeShared, licences] })),
  entry('bootstrap', 'src/child/bootstrap.ts', {
    banner: { js: OWN_GLOBALS },
    esbuildPlugins: [takeShared],
  }),
  entry('bullmq', 'src/engines/index.ts', {
    dts: { entry: { bullmq: 'src/engines/index.ts' } },
    esbuildPlugins: [takeShared],
  }),
  entry('cli', 'src/cli.ts', { esbuildPlugins: [takeChunks, takeShared, licences] }),
]);
