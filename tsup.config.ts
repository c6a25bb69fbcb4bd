import { readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { defineConfig, type Options } from 'tsup';
import { version } from './package.json';
import { licences } from './scripts/licences.js';

// A user's code may replace or delete globals (fake timers, a mocked Date, a polyfill): ours are taken when the first of our
// files loads, and the others take them from there. The directive has to come first to be one.
const GLOBALS = [
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
].join();
const OWN_GLOBALS = `"use strict";const {${GLOBALS}}=globalThis;`;
const SHARED_GLOBALS = `"use strict";const {${GLOBALS}}=require('./index.cjs')[globalThis.Symbol.for('threadfactory.shared')].globals;`;

// `module.exports` becomes the class, with every other export of src/index.ts on it, so that
// `require('threadfactory')` is the class itself. Names of classes are public, but shortened in the bundle.
// Appended after the bundle, whose exports are getters by then.
const CLASS_IS_THE_MODULE = `
{
  const { shared, ...names } = module.exports;
  for (const name in names) Object.defineProperty(names[name], 'name', { value: name, configurable: true });
  module.exports = Object.assign(names.ThreadFactory, names, { default: names.ThreadFactory });
  Object.defineProperty(module.exports, Symbol.for('threadfactory.shared'), { value: { ...shared, globals: { ${GLOBALS} } } });
}
`;

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
    // Text of one byte a character is compiled faster.
    format: { max_line_len: 1000, ascii_only: true },
  },
  sourcemap: false,
  ...more,
});

/** What `import()` loads when it is asked for is no part of the bundle, but a built file beside it. */
const CHUNKS = ['journal', 'manager', 'progress', 'report'];
const takeChunks: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'take-chunks',
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/[\w-]+\.js$/ }, ({ path, kind }) => {
      const name = basename(path, '.js');
      if (kind !== 'dynamic-import' || !CHUNKS.includes(name)) return undefined;
      return { path: name, namespace: 'chunk' };
    });
    // By `require`: Node's loader for `import()` takes longer than most of them.
    build.onResolve({ filter: /.*/, namespace: 'chunk' }, ({ path }) => ({ path, external: true }));
    build.onLoad({ filter: /.*/, namespace: 'chunk' }, ({ path }) => ({
      contents: `module.exports = require('./${path}.cjs');`,
    }));
    build.onResolve({ filter: /\/engines\/index\.js$/ }, ({ kind }) =>
      kind === 'dynamic-import' ? { path: 'bullmq', namespace: 'chunk' } : undefined,
    );
  },
};

/** The modules under src that a built file has for the others: see scripts/entry.ts and scripts/manager.ts. */
const held = (entry: string): ReadonlySet<string> =>
  new Set(
    [...readFileSync(entry, 'utf8').matchAll(/from '\.\.\/src\/(.*)\.js'/g)].map(([, path = '']) => path),
  );
const HELD = { index: held('scripts/entry.ts'), manager: held('scripts/manager.ts') };

/** The names of the values that a module under src exports. */
function exportsOf(module: string): string[] {
  const source = readFileSync(`src/${module}.ts`, 'utf8');
  const declared = source.matchAll(/^export (?:abstract |async )?(?:class|const|function\*?|let) (\w+)/gm);
  const passedOn = source.matchAll(/^export \{ ([^}]*) \}/gm);
  return [
    ...[...declared].map(([, name = '']) => name),
    ...[...passedOn].flatMap(([, names = '']) => names.split(', ')),
  ];
}

/** Modules directly under src but the chunks, and the manager's: no other built file has them. */
const HELD_ONLY = new RegExp(`^(?!(${CHUNKS.join('|')})$)(manager/)?[\\w-]+$`);

/** In the other files, what one of those two has is taken from there. */
const takeShared = (entry?: 'manager'): NonNullable<Options['esbuildPlugins']>[number] => ({
  name: 'take-shared',
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, resolveDir, kind }) => {
      const module = relative('src', join(resolveDir, path)).slice(0, -'.js'.length);
      if (kind === 'entry-point') return undefined;
      if (HELD.index.has(module)) return { path: module, namespace: 'shared', pluginData: 'index' };
      if (entry === 'manager') return undefined;
      if (HELD.manager.has(module)) return { path: module, namespace: 'shared', pluginData: 'manager' };
      if (!HELD_ONLY.test(module)) return undefined;
      const text = `An entry needs src/${module}.ts: share it in scripts/entry.ts or scripts/manager.ts`;
      return { errors: [{ text }] };
    });
    build.onResolve({ filter: /^\.\/\w+\.cjs$/, namespace: 'shared' }, ({ path }) => ({
      path,
      external: true,
    }));
    build.onLoad({ filter: /.*/, namespace: 'shared' }, ({ path, pluginData }) => {
      const holder =
        pluginData === 'index'
          ? "require('./index.cjs')[Symbol.for('threadfactory.shared')]"
          : "require('./manager.cjs').shared";
      // By name: each becomes a constant of the bundle, where a namespace would be asked through two getters.
      return { contents: `export const { ${exportsOf(path).join()} } = ${holder}['${path}'];` };
    });
  },
});

export default defineConfig([
  entry('index', 'scripts/entry.ts', {
    dts: { entry: { index: 'src/index.ts' } },
    banner: { js: OWN_GLOBALS },
    footer: { js: CLASS_IS_THE_MODULE },
    esbuildPlugins: [takeChunks],
  }),
  entry('manager', 'scripts/manager.ts', {
    banner: { js: SHARED_GLOBALS },
    esbuildPlugins: [takeShared('manager')],
  }),
  ...CHUNKS.filter((name) => name !== 'manager').map((name) =>
    entry(name, `src/${name}.ts`, { esbuildPlugins: [takeShared(), licences] }),
  ),
  entry('bootstrap', 'src/child/bootstrap.ts', {
    banner: { js: OWN_GLOBALS },
    esbuildPlugins: [takeShared()],
  }),
  entry('bullmq', 'src/engines/index.ts', {
    dts: { entry: { bullmq: 'src/engines/index.ts' } },
    esbuildPlugins: [takeShared()],
  }),
  entry('cli', 'src/cli.ts', { esbuildPlugins: [takeChunks, takeShared(), licences] }),
]);
