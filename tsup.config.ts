import { defineConfig, type Options } from 'tsup';
import { version } from './package.json';
import { CHUNKS, giveShared, takeShared } from './scripts/bundles.js';
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

/** Loaded where they are asked for. */
const SIDE = ['progress', 'report', 'cli', 'bullmq'];

/** Of the globals, and of what another one has for it, a built file takes what it names: esbuild takes no reading of a property away. */
const takeNamed: NonNullable<Options['plugins']>[number] = {
  name: 'take-named',
  renderChunk: (code) => {
    const isNamed = (name: string): boolean =>
      code.split(new RegExp(`(?<![\\w$])${name.replace('$', '\\$')}(?![\\w$])`)).length > 2;
    const taking = /\{([\w$:,]+)\}(?==(?:globalThis;|require\(|(?!this\b)\w+(?:\.\w+|\["[\w/-]+"\])))/g;
    return {
      code: code.replace(taking, (_, all: string) => {
        const named = all.split(',').filter((one) => isNamed(one.slice(one.indexOf(':') + 1)));
        return `{${named}}`;
      }),
    };
  },
};

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
  // For the installed size: each of the two finds what the other leaves, and terser has the shorter names.
  esbuildOptions: (options) => {
    options.minifySyntax = true;
    options.minifyWhitespace = true;
    // Which is written as 1/0.
    options.define = { ...options.define, 'Number.POSITIVE_INFINITY': 'Infinity' };
  },
  minify: 'terser',
  terserOptions: {
    // A function that is called in one place is no closure to be made for each call there: that cost a skewed run 4 %.
    compress: { passes: 2, ecma: 2020, reduce_funcs: false },
    // What V8 says of a call without `new` has the name in the text.
    mangle: { reserved: ['ThreadFactory'] },
    toplevel: true,
    // Text of one byte a character is compiled faster; what no run has to load is smaller as it is.
    // Lines are cut where that costs few bytes, so that a stack still points somewhere; of an error that nobody catches Node
    // prints the line, and what the user did wrong is thrown in `index`.
    format: { max_line_len: name === 'index' ? 200 : 1000, ascii_only: !SIDE.includes(name) },
  },
  sourcemap: false,
  plugins: [takeNamed],
  ...more,
});

export default defineConfig([
  entry('index', 'src/index.ts', {
    dts: { entry: { index: 'src/index.ts' } },
    banner: { js: OWN_GLOBALS },
    footer: { js: CLASS_IS_THE_MODULE },
    esbuildPlugins: [giveShared('index'), takeShared('index')],
  }),
  ...(['manager', 'runner'] as const).map((name) =>
    entry(name, 'scripts/held.ts', {
      banner: { js: SHARED_GLOBALS },
      esbuildPlugins: [giveShared(name), takeShared(name)],
    }),
  ),
  ...CHUNKS.map((name) =>
    entry(name, `src/${name}.ts`, {
      // It takes the place of a worker, beside code of the user's that may have replaced them.
      ...(name === 'inline' ? { banner: { js: SHARED_GLOBALS } } : {}),
      esbuildPlugins: [takeShared(name), licences],
    }),
  ),
  entry('bootstrap', 'src/child/bootstrap.ts', {
    banner: { js: OWN_GLOBALS },
    esbuildPlugins: [takeShared('bootstrap')],
  }),
  entry('bullmq', 'src/engines/index.ts', {
    dts: { entry: { bullmq: 'src/engines/index.ts' } },
    esbuildPlugins: [takeShared('bullmq')],
  }),
  entry('cli', 'src/cli.ts', { esbuildPlugins: [takeShared('cli'), licences] }),
]);
