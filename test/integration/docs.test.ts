import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { project, removeProjects, runIn } from '../helpers/script.js';
import { commandProject, shell } from '../helpers/shell.js';

afterAll(removeProjects);

/** The snippets of a page that are marked `js run NAME`, by name. */
function snippetsOf(page: string): ReadonlyMap<string, string> {
  const text = readFileSync(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  const found = text.matchAll(/```js run ([\w-]+)\n([\s\S]*?)```/g);
  return new Map([...found].map(([, name = '', code = '']) => [name, code]));
}

/** As much of other people's packages as the snippets use. */
const PACKAGES = {
  'node_modules/sharp/index.js': `
const { copyFileSync } = require('node:fs');
module.exports = (from) => ({
  rotate() { return this; },
  resize() { return this; },
  toFile: async (to) => {
    if (from.includes('broken')) throw new Error('unsupported image format');
    copyFileSync(from, to);
    return { size: 1 };
  },
});
module.exports.concurrency = () => {};`,
  'node_modules/@aws-sdk/client-s3/index.js': `
const { gzipSync } = require('node:zlib');
exports.S3Client = class {
  async send({ input }) {
    const text = input.Bucket + '/' + input.Key + ' 505 \\nfine 200 \\nagain 505 \\n';
    return { Body: { transformToByteArray: async () => gzipSync(text) } };
  }
};
exports.GetObjectCommand = class { constructor(input) { this.input = input; } };
exports.paginateListObjectsV2 = async function* (_, { Prefix }) {
  yield { Contents: [{ Key: Prefix + 'a.gz' }, { Key: Prefix + 'b.gz' }] };
  yield {};
};`,
  'node_modules/pg/index.js': `
let open = 0;
exports.Client = class {
  async connect() { open += 1; }
  async end() { open -= 1; }
  async query(sql, [first]) {
    if (open !== 1) throw new Error(open + ' connections in one process');
    if (sql.startsWith('SELECT id')) return { rows: [1, 2, 3].filter((id) => id > first).map((id) => ({ id })) };
    return { rows: [{ total: 10 }] };
  }
};`,
};

interface Case {
  readonly name: string;
  readonly args?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: NodeJS.ProcessEnv;
  /** Lines of standard output, in any order. */
  readonly prints: readonly string[];
}

const PAGES: Readonly<Record<string, readonly Case[]>> = {
  'recipes.md': [
    {
      name: 'images',
      files: { 'photos/a.jpg': '', 'photos/broken.PNG': '', 'photos/notes.txt': '' },
      prints: ['1 done, 1 failed'],
    },
    { name: 's3', env: { BUCKET: 'mine' }, prints: ['4 lines'] },
    {
      name: 'crawl',
      args: ['data:text/html,<title>one</title>', 'data:text/html,none'],
      prints: [
        "data:text/html,<title>one</title> { status: 200, title: 'one' }",
        "data:text/html,none { status: 200, title: '' }",
      ],
    },
    { name: 'rows', prints: ['3 orders'] },
    { name: 'maths', prints: ['17984 primes'] },
    { name: 'programs', args: ['one', 'two'], files: { one: 'a\n', two: 'a\nb\n' }, prints: ['[ 1, 2 ]'] },
    { name: 'nightly', files: { 'a.log': 'a', 'b.log': 'b', 'c.txt': 'c' }, prints: ['2 new, 0 known'] },
  ],
  'stats.md': [
    { name: 'stats', prints: ['4 true true true'] },
    { name: 'channels', prints: ['worker 1 ready', 'a A', 'b B', 'worker 1 exit'] },
  ],
  'migrating.md': [
    { name: 'piscina', prints: ["[ 'A.CSV', 'B.CSV' ]"] },
    { name: 'workerpool', prints: ['[ 55, 6765 ]'] },
    { name: 'p-map', prints: ["[ 'a.example', 'b.example' ]"] },
  ],
};

describe.each(Object.entries(PAGES))('docs/%s', (page, cases) => {
  const snippets = snippetsOf(page);
  /** Run by the command, below. */
  const elsewhere = page === 'migrating.md' ? ['parallel'] : [];

  it('marks as many snippets as are run here', () => {
    expect([...snippets.keys()]).toEqual([...cases.map(({ name }) => name), ...elsewhere]);
  });

  it.each(cases)('the snippet $name runs', async ({ name, args = [], files = {}, env = {}, prints }) => {
    const folder = await project({ ...PACKAGES, ...files, 'main.cjs': snippets.get(name) ?? '' });
    const ran = await runIn(folder, 'main.cjs', { args, env });
    const lines = ran.stdout.trimEnd().split('\n');
    expect({ code: ran.code, lines: lines.sort() }).toEqual({ code: 0, lines: [...prints].sort() });
    // What the display says where there is no terminal, and the failures that a snippet prints.
    expect(ran.stderr).toMatch(/^(threadfactory: .*\n|broken.PNG: unsupported image format\n)*$/);
  });
});

it('the module of docs/migrating.md runs by the command that stands there', async () => {
  const page = readFileSync(new URL('../../docs/migrating.md', import.meta.url), 'utf8');
  const [, command = ''] = /^ls \*\.png \| npx (threadfactory run .*)$/m.exec(page) ?? [];
  const folder = await commandProject({
    'shrink.js': snippetsOf('migrating.md').get('parallel') ?? '',
    'a.png': '12345',
  });
  const ran = await shell(folder, `ls *.png | ${command} --json`);
  expect({ ...ran, lines: ran.lines }).toMatchObject({
    stderr: '',
    status: 0,
    lines: [{ index: 0, job: 'a.png', result: 5 }],
  });
});
