/**
 * What goes into which built file, and how they share it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Options } from 'tsup';

type Plugin = NonNullable<Options['esbuildPlugins']>[number];

/**
 * The modules under src that a built file has for all the others, which take them from there: what two of them need is
 * shipped once, and a job's `instanceof SerializationError` is about the class that the worker's side throws.
 */
const HELD = {
  /** What every process needs: the public names, and how values, errors and messages travel. */
  index: [
    ...[
      'apply',
      'attempt',
      'call-site',
      'clock',
      'codec',
      'describe',
      'error-wire',
      'errors',
      'factory',
      'inside',
      'module-ref',
    ],
    ...[
      'nearest',
      'option-checks',
      'options',
      'paths',
      'peak-rss',
      'plain-copy',
      'proc-status',
      'protocol',
      'registry',
      'serializer',
      'shared-file',
    ],
    ...['spec', 'wire', 'child/load'],
  ],
  /** What a worker would only take time to load. */
  manager: [
    ...[
      'conductor',
      'cpu-quota',
      'flags',
      'histogram',
      'listeners',
      'manager/batch',
      'manager/crash',
      'manager/endings',
      'manager/fork',
      'manager/pace',
    ],
    ...['manager/pdeathsig', 'manager/pool', 'manager/queue', 'manager/retry', 'manager/scheduler'],
    ...['manager/tally', 'manager/window'],
  ],
  /** What a manager loads only where it is its own worker. */
  runner: ['child/runner'],
} as const;
type Holder = keyof typeof HELD;

const holderOf = (module: string): Holder | undefined =>
  (Object.keys(HELD) as Holder[]).find((name) => (HELD[name] as readonly string[]).includes(module));

/** What the others take from it, in the text of a bundle. */
const sharedOf = (holder: Holder): string =>
  holder === 'index'
    ? "require('./index.cjs')[Symbol.for('threadfactory.shared')]"
    : `require('./${holder}.cjs').shared`;

/** What `import()` loads when it is asked for is no part of the bundle, but a built file beside it. */
export const CHUNKS = ['inline', 'journal', 'progress', 'report'];

/** A module directly under src, or the manager's, that is no file of its own: more than one might need it. */
const COMMON = /^(manager\/)?[\w-]+$/;

const textOf = (module: string): string => readFileSync(`src/${module}.ts`, 'utf8');

/** What each module under src imports, or passes on, from others. */
const IMPORTS = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length))
  .flatMap((by) => {
    const statements = textOf(by).matchAll(/^(?:import|export) \{([^}]*)\} from '(\..*)\.js';/gm);
    return Array.from(statements, ([, names = '', path = '']) => ({
      by,
      from: relative('src', join('src', dirname(by), path)),
      names: names.split(',').map((name) => name.trim()),
    }));
  });

/** The names of the values that a held module exports, and that built files other than its holder want. */
function exportsOf(module: string): { readonly functions: string[]; readonly others: string[] } {
  const holder = holderOf(module);
  const imports = IMPORTS.filter(({ by, from }) => from === module && holderOf(by) !== holder);
  const wanted = new Set(imports.flatMap(({ names }) => names));
  const names = (pattern: RegExp): string[] =>
    Array.from(textOf(module).matchAll(pattern), ([, list = '']) => list.split(', '))
      .flat()
      .filter((name) => wanted.has(name));
  return {
    functions: names(/^export (?:async )?function\*? (\w+)/gm),
    others: [...names(/^export (?:abstract )?(?:class|const) (\w+)/gm), ...names(/^export \{ ([^}]*) \}/gm)],
  };
}

/** Which of the held files has a common module that no other may have. */
const owners = new Map<string, string>();

/** How one built file gets at what is in the others. */
export const takeShared = (built: string): Plugin => ({
  name: 'take-shared',
  setup(build) {
    build.onResolve({ filter: /^\.\.?\/.*\.js$/ }, ({ path, resolveDir, kind }) => {
      const module = relative('src', join(resolveDir, path)).slice(0, -'.js'.length);
      if (kind === 'dynamic-import') {
        if (CHUNKS.includes(module)) return { path: module, namespace: 'chunk' };
        if (module === 'engines/index') return { path: 'bullmq', namespace: 'chunk' };
      }
      const holder = holderOf(module);
      if (holder === built) return undefined;
      // Whatever stays with the public names is loaded by all; what the manager alone needs, when it is first called.
      if (holder !== undefined) return { path: module, namespace: built === 'index' ? 'late' : 'shared' };
      if (!COMMON.test(module) || CHUNKS.includes(module)) return undefined;
      // One of the held files may have it for itself.
      const owner = built in HELD ? (owners.get(module) ?? built) : undefined;
      if (owner !== undefined) owners.set(module, owner);
      if (owner === built) return undefined;
      return {
        errors: [{ text: `${built} needs src/${module}.ts: name the built file that holds it in HELD` }],
      };
    });
    build.onResolve({ filter: /^\.\/\w+\.cjs$/ }, ({ path }) => ({ path, external: true }));
    // By `require`: Node's loader for `import()` takes longer than most of them.
    build.onLoad({ filter: /.*/, namespace: 'chunk' }, ({ path }) => ({
      contents: `module.exports = require('./${path}.cjs');`,
    }));
    build.onLoad({ filter: /.*/, namespace: 'shared' }, ({ path }) => {
      const { functions, others } = exportsOf(path);
      // By name: each becomes a constant of the bundle, where a namespace would be asked through two getters.
      const names = [...functions, ...others].join();
      const holder = `import held from 'held:${holderOf(path)}';`;
      return { contents: `${holder}\nexport const { ${names} } = held['${path}'];` };
    });
    // Asked for once by each bundle: Node takes its time to find even what it has loaded.
    build.onResolve({ filter: /^held:/ }, ({ path }) => ({
      path: path.slice('held:'.length),
      namespace: 'holder',
    }));
    build.onLoad({ filter: /.*/, namespace: 'holder' }, ({ path }) => ({
      contents: `export default ${sharedOf(path as Holder)};`,
    }));
    build.onLoad({ filter: /.*/, namespace: 'late' }, ({ path }) => {
      const held = `${sharedOf(holderOf(path) as Holder)}['${path}']`;
      const { functions } = exportsOf(path);
      const late = functions.map(
        (name) => `export let ${name} = (...given) => (${name} = ${held}.${name})(...given);`,
      );
      return { contents: late.join('\n') };
    });
  },
});

/** Adds to the entry of a built file what the others take from it, without the getters of a namespace. */
export const giveShared = (built: Holder): Plugin => ({
  name: 'give-shared',
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path, resolveDir, kind }) =>
      kind === 'entry-point' ? { path: join(resolveDir, path), pluginData: 'entry' } : undefined,
    );
    build.onLoad({ filter: /.*/ }, ({ path, pluginData }) => {
      if (pluginData !== 'entry') return undefined;
      const imports = HELD[built].map((module, at) => {
        const { functions, others } = exportsOf(module);
        const names = [...functions, ...others];
        const renamed = names.map((name) => `${name} as ${name}_${at}`).join();
        return {
          text: `import { ${renamed} } from ${JSON.stringify(`${join(process.cwd(), 'src', module)}.js`)};`,
          entry: `'${module}': { ${names.map((name) => `${name}: ${name}_${at}`).join()} }`,
        };
      });
      return {
        loader: 'ts',
        contents: [
          readFileSync(path, 'utf8'),
          ...imports.map(({ text }) => text),
          `export const shared = { ${imports.map(({ entry }) => entry).join()} };`,
        ].join('\n'),
        resolveDir: dirname(path),
      };
    });
  },
});
