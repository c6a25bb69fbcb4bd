import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import type { Node } from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAJORS, nodeOfMajor } from '../helpers/nodes.js';
import { ts } from '../helpers/typescript.js';

const ROOT = resolve(import.meta.dirname, '../..');
const MAX_INSTALLED_BYTES = 500_000;

const SPEC = `{
  manager: (input) => Array.from({ length: input }, (_, index) => index),
  workerStartup: async () => ({ base: 100 }),
  workerProcess: async (job, { local }) => {
    if (job === 3) throw new TypeError('three', { cause: new Map([[3, 3n]]) });
    return { sum: local.base + job, pid: process.pid };
  },
  managerFinish: ({ results }) => results.reduce((sum, result) => sum + (result?.sum ?? 0), 0),
}`;

const REPORT = `(summary, errors) => ({
  total: summary.total,
  completed: summary.completed,
  value: summary.value,
  inWorkers: summary.results.every((result) => result === undefined || result.pid !== process.pid),
  errors: errors.map((error) => [error instanceof TypeError, error.message, error.cause?.get(3) === 3n]),
  node: Number(process.versions.node.split('.')[0]),
})`;

const BODY = `
const factory = new ThreadFactory(${SPEC}, { workers: 1 });
const errors = [];
const report = ${REPORT};
factory.on('error', (error) => errors.push(error));
`;

const SCRIPTS: Record<string, string> = {
  'main.cjs': `
const ThreadFactory = require('threadfactory');
${BODY}
factory.start(10).then((summary) => console.log(JSON.stringify(report(summary, errors))));
`,
  'main.mjs': `
import { createRequire } from 'node:module';
import ThreadFactory, * as names from 'threadfactory';
${BODY}
const summary = await factory.start(10);
const required = createRequire(import.meta.url)('threadfactory');
const doors = {
  one: required === ThreadFactory,
  different: Object.keys(required).filter((name) => required[name] !== names[name]),
  missing: Object.keys(names).filter((name) => !Object.hasOwn(required, name)),
  misnamed: Object.entries(names).filter(([name, it]) => name !== 'default' && name !== it.name),
};
console.log(JSON.stringify({ ...report(summary, errors), doors }));
`,
};

const TYPED = `{
  manager: () => [1, 2, 3],
  workerProcess: (job, context) => job * context.index,
}, { workers: 1 });
factory.on('completed', ({ result }) => result.toFixed());
`;

const SOURCES: Record<string, string> = {
  'consumer.cts': `
import ThreadFactory = require('threadfactory');
const factory = new ThreadFactory(${TYPED}
export const running: Promise<ThreadFactory.Summary<number, number, undefined>> = factory.start();
`,
  'consumer.mts': `
import ThreadFactory, { SpecError, type Summary } from 'threadfactory';
const factory = new ThreadFactory(${TYPED}
const summary: Summary<number, number, undefined> = await factory.start();
if (summary.failed > 0) throw new SpecError('no');
`,
};

interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const run = promisify(execFile);

/** An asynchronous one turns what it throws into a rejection: that is meant. */
function isOwnFunction(node: Node): boolean {
  if (ts.isParenthesizedExpression(node)) return isOwnFunction(node.expression);
  if (!ts.isFunctionExpression(node) && !ts.isArrowFunction(node)) return false;
  return !node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword);
}

let folder = '';
let packed: Packed;

async function packInto(target: string): Promise<Packed> {
  // Without scripts: what is packed is what the build before the tests made.
  const flags = ['pack', '--json', '--ignore-scripts', '--pack-destination', target];
  const { stdout } = await run('npm', flags, { cwd: ROOT });
  const [first] = JSON.parse(stdout) as Packed[];
  if (first === undefined) throw new Error(`npm pack said ${stdout}`);
  return first;
}

beforeAll(async () => {
  // As the compiler names it, where the temporary folder is a link.
  folder = await realpath(await mkdtemp(join(tmpdir(), 'threadfactory-package-')));
  packed = await packInto(folder);
  const files = { 'package.json': '{ "private": true }\n', ...SCRIPTS, ...SOURCES };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const flags = ['install', '--no-audit', '--no-fund', '--no-package-lock', '--offline'];
  await run('npm', [...flags, join(folder, packed.filename)], { cwd: folder });
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the packed tarball', () => {
  it('holds what was built, its papers and nothing else', () => {
    expect(packed.files.map(({ path }) => path).sort()).toEqual(
      [
        ...['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'],
        ...['cluster.md', 'how-it-works.md', 'migrating.md', 'recipes.md', 'stats.md'].map(
          (name) => `docs/${name}`,
        ),
        ...['bootstrap.cjs', 'index.cjs', 'index.d.cts', 'index.d.mts', 'index.mjs'].map(
          (name) => `dist/${name}`,
        ),
        ...['LICENSES.txt', 'cli.cjs', 'manager.cjs', 'progress.cjs', 'report.cjs', 'report.html'].map(
          (name) => `dist/${name}`,
        ),
        ...['bullmq.cjs', 'bullmq.d.cts', 'bullmq.d.mts', 'bullmq.mjs', 'journal.cjs'].map(
          (name) => `dist/${name}`,
        ),
        ...['inline.cjs', 'runner.cjs'].map((name) => `dist/${name}`),
      ].sort(),
    );
  });

  it(`takes less than ${MAX_INSTALLED_BYTES / 1000} KB installed, with no dependency`, async () => {
    expect(packed.unpackedSize).toBeLessThan(MAX_INSTALLED_BYTES);
    const installed = await readdir(join(folder, 'node_modules'));
    expect(installed).toEqual(['.bin', '.package-lock.json', 'threadfactory']);
  });

  it('says what to install for more than one machine, where it is not there', async () => {
    const engine = `require('threadfactory/bullmq').bullmq({ connection: { host: '127.0.0.1' }, name: 'n' })`;
    await writeFile(
      join(folder, 'cluster.cjs'),
      `const ThreadFactory = require('threadfactory');
      const factory = new ThreadFactory({ manager: () => [1], workerProcess: () => 1 }, { engine: ${engine} });
      factory.start().catch(({ code, message }) => console.log(code, message));`,
    );
    const { stdout } = await run(process.execPath, ['cluster.cjs'], { cwd: folder });
    expect(stdout).toMatch(/^ERR_ENGINE_MISSING .*npm install bullmq ioredis/);
  });

  it('installs the command', async () => {
    const { stdout } = await run(join(folder, 'node_modules', '.bin', 'threadfactory'), ['--help']);
    expect(stdout).toContain('Usage: threadfactory COMMAND');
  });

  describe('has a core', () => {
    const read = (name: string) =>
      readFile(join(folder, 'node_modules', 'threadfactory', 'dist', `${name}.cjs`), 'utf8');
    const core = () => Promise.all(['index', 'manager', 'bootstrap', 'runner', 'inline'].map(read));

    it('of less than 130 KB: the rest is loaded where it is asked for', async () => {
      const size = (await core()).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
      expect(size).toBeLessThan(130_000);
      expect(size).toBeGreaterThan(100_000);
    });

    it('that makes no function for a single call, which costs it a closure each time', async () => {
      for (const text of await core()) {
        const inLine: string[] = [];
        // What is not in a function runs once.
        const visit = (node: Node, inside: boolean): void => {
          if (inside && ts.isCallExpression(node) && isOwnFunction(node.expression))
            inLine.push(node.getText());
          ts.forEachChild(node, (child) => visit(child, inside || ts.isFunctionLike(node)));
        };
        visit(ts.createSourceFile('core.cjs', text, ts.ScriptTarget.Latest, true), false);
        expect(inLine).toEqual([]);
      }
    });
  });

  it('gives publint nothing to say', async () => {
    const { buffer: tarball } = await readFile(join(folder, packed.filename));
    const { messages } = await publint({ pack: { tarball }, level: 'suggestion', strict: true });
    expect(messages).toEqual([]);
  });

  it('has the right types for every way to resolve it, as attw sees it', async () => {
    const cli = resolve(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    const { stdout } = await run(process.execPath, [cli, join(folder, packed.filename), '--format', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ analysis: { packageName: 'threadfactory' }, problems: {} });
    expect(JSON.parse(stdout).analysis.problems).toEqual([]);
  });

  it('compiles in a strict project that checks the declarations themselves', () => {
    const program = ts.createProgram(
      Object.keys(SOURCES).map((name) => join(folder, name)),
      {
        target: ts.ScriptTarget.ES2022,
        lib: ['lib.es2022.d.ts'],
        module: ts.ModuleKind.NodeNext,
        noEmit: true,
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        types: ['node'],
        typeRoots: [resolve(ROOT, 'node_modules/@types')],
      },
    );
    // All that is in the folder, the package with it: Node's declarations are not ours to check, and take three times as long.
    const ours = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(folder));
    expect(ours.map(({ fileName }) => basename(fileName))).toEqual(
      expect.arrayContaining(['consumer.cts', 'consumer.mts', 'index.d.cts', 'index.d.mts']),
    );
    const wrong = [
      ...program.getOptionsDiagnostics(),
      ...program.getGlobalDiagnostics(),
      ...ours.flatMap((file) => [
        ...program.getSyntacticDiagnostics(file),
        ...program.getSemanticDiagnostics(file),
      ]),
    ];
    const host = { getCanonicalFileName: String, getCurrentDirectory: () => folder, getNewLine: () => '\n' };
    expect(ts.formatDiagnostics(wrong, host)).toBe('');
  });
});

describe.each(MAJORS)('on Node %i', (major) => {
  let node = '';

  beforeAll(async () => {
    node = await nodeOfMajor(major);
  });

  const say = async (script: string): Promise<unknown> => {
    const { stdout, stderr } = await run(node, [script], { cwd: folder });
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  };

  const found = {
    total: 10,
    completed: 9,
    value: 942,
    inWorkers: true,
    errors: [[true, 'three', true]],
    node: major,
  };

  it('an ordinary script runs its jobs in workers', async () => {
    expect(await say('main.cjs')).toEqual(found);
  });

  it('so does an ES module, for which `require` and `import` give one class, with the same names', async () => {
    const doors = { one: true, different: [], missing: [], misnamed: [] };
    expect(await say('main.mjs')).toEqual({ ...found, doors });
  });
});

it('TypeScript runs as it stands where Node strips its types: on 24', async () => {
  const script = `
import ThreadFactory from 'threadfactory';
interface Job { readonly n: number }
const factory = new ThreadFactory({
  manager: (): Job[] => [{ n: 1 }, { n: 2 }],
  workerProcess: ({ n }: Job): [number, boolean] => [n * 10, ThreadFactory.isWorker],
});
console.log(JSON.stringify((await factory.start()).results));
`;
  await writeFile(join(folder, 'stripped.mts'), script);
  const { stdout } = await run(await nodeOfMajor(24), ['stripped.mts'], { cwd: folder });
  expect(JSON.parse(stdout)).toEqual([
    [10, true],
    [20, true],
  ]);
});
