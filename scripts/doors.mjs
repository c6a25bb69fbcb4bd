/**
 * What the bundler can't write: the ES module beside the one implementation, and declarations for both doors.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const CLASS = 'ThreadFactory';

/**
 * Expects in `folder` `index.cjs`, whose `module.exports` is the class with every name on it, and `index.d.ts`: all
 * declarations rolled up, with one `export { … }` at the end. Leaves `index.mjs`, `index.d.mts` and `index.d.cts`.
 */
export async function addDoors(folder) {
  const rolledUp = join(folder, 'index.d.ts');
  const { declarations, names } = splitExports(tabbed(await readFile(rolledUp, 'utf8')));
  const others = names.filter((name) => name !== CLASS);
  const values = others.filter((name) => !name.startsWith('type '));
  compare(values, join(folder, 'index.cjs'));
  const write = (name, text) => writeFile(join(folder, name), text);
  await write('index.d.cts', commonJsDeclarations(declarations, others));
  await write('index.d.mts', `export { default, ${names.join(', ')} } from './index.cjs';\n`);
  await write('index.mjs', esModule(values));
  await rm(rolledUp);
}

/**
 * The second door of an entry without a class of its own: expects `NAME.cjs` and `NAME.d.ts`, leaves `NAME.mjs`,
 * `NAME.d.cts` and `NAME.d.mts`.
 */
export async function addNamedDoors(folder, name) {
  const at = (extension) => join(folder, `${name}${extension}`);
  const declarations = tabbed(await readFile(at('.d.ts'), 'utf8'));
  const names = Object.keys(createRequire(import.meta.url)(at('.cjs')));
  await writeFile(at('.d.cts'), declarations);
  await writeFile(at('.d.mts'), `export * from './${name}.cjs';\n`);
  const list = names.join(', ');
  await writeFile(at('.mjs'), `import entry from './${name}.cjs';\n\nexport const { ${list} } = entry;\n`);
  await rm(at('.d.ts'));
}

/** For the installed size: one tab a level. */
function tabbed(text) {
  return text.replace(/^(?: {4})+/gm, (spaces) => '\t'.repeat(spaces.length / 4));
}

/** A class and a namespace of one name are one entity for TypeScript, as they are one object at run time. */
function commonJsDeclarations(declarations, others) {
  const names = [CLASS, `${CLASS} as default`, ...others].map((name) => `\n    ${name},`).join('');
  return `${declarations}\ndeclare namespace ${CLASS} {\n  export {${names}\n  };\n}\n\nexport = ${CLASS};\n`;
}

function esModule(values) {
  return `import ${CLASS} from './index.cjs';

export default ${CLASS};
export { ${CLASS} };
export const { ${values.join(', ')} } = ${CLASS};
`;
}

/** Takes the closing `export { A, type B }` off a declaration file. */
function splitExports(text) {
  const found = /\nexport \{([^{}]*)\};\s*$/.exec(text);
  if (found === null) throw new Error('index.d.ts does not end in one `export { … }`.');
  const names = found[1]
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const renamed = names.find((name) => name.includes(' as '));
  if (renamed !== undefined)
    throw new Error(`src/index.ts must export names as they are, got \`${renamed}\`.`);
  if (!names.includes(CLASS)) throw new Error(`src/index.ts must export \`${CLASS}\`.`);
  return { declarations: text.slice(0, found.index + 1), names };
}

/** What is declared as a value must be one, and the other way round. */
function compare(declared, bundlePath) {
  const bundle = createRequire(import.meta.url)(bundlePath);
  if (typeof bundle !== 'function' || bundle.default !== bundle || bundle[CLASS] !== bundle) {
    throw new Error('index.cjs does not export the class itself.');
  }
  const present = Object.keys(bundle).filter((name) => name !== 'default' && name !== CLASS);
  const odd = [...declared, ...present].filter(
    (name) => !(declared.includes(name) && present.includes(name)),
  );
  if (odd.length > 0) throw new Error(`Declared or exported, but not both: ${odd.join(', ')}.`);
}
