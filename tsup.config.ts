import { defineConfig, type Options } from 'tsup';
import { version } from './package.json';

// `module.exports` becomes the class, with every other export of src/index.ts on it, so that
// `require('threadfactory')` is the class itself. Appended after the bundle, whose exports are getters by then.
const CLASS_IS_THE_MODULE =
  'const { ThreadFactory: theClass } = module.exports;\n' +
  'module.exports = Object.assign(theClass, module.exports, { default: theClass });\n';

/** Each entry is one self-contained file: a child loads its bootstrap and nothing of the manager. */
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
  // For the installed size. Lines are kept short, so that a stack still points somewhere.
  minify: true,
  esbuildOptions: (options) => {
    options.lineLimit = 120;
  },
  sourcemap: false,
  ...more,
});

export default defineConfig([
  entry('index', 'src/index.ts', { dts: true, footer: { js: CLASS_IS_THE_MODULE } }),
  entry('bootstrap', 'src/child/bootstrap.ts'),
]);
