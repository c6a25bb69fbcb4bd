import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const BIN = join(ROOT, 'node_modules/.bin');
/** Other Node versions come as npm packages and are kept between runs. */
const NODES = join(ROOT, 'node_modules/.cache/threadfactory-nodes');

let folder = '';
let tarball = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'threadfactory-pack-'));
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], {
    cwd: ROOT,
  });
  tarball = join(folder, stdout.trim().split('\n').at(-1) ?? '');
  await mkdir(join(folder, 'empty'));
  await writeFile(join(folder, 'empty/package.json'), '{ "private": true }');
  await run('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: join(folder, 'empty') });
  const body = `const factor = 2;
    const factory = new ThreadFactory({ manager: () => [1, 2, 3], workerProcess: (n) => n * factor });`;
  const print = 'console.log(JSON.stringify(summary.results));';
  await writeFile(
    join(folder, 'empty/main.cjs'),
    `const ThreadFactory = require('threadfactory'); ${body}
     factory.start().then(async (summary) => { ${print} console.log(ThreadFactory === (await import('threadfactory')).default); });`,
  );
  await writeFile(
    join(folder, 'empty/main.mjs'),
    `import ThreadFactory, { SpecError } from 'threadfactory'; ${body}
     const summary = await factory.start(); ${print} console.log(typeof SpecError === 'function');`,
  );
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function node(major: number): Promise<string> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  const home = join(NODES, String(major));
  const binary = join(home, 'node_modules', `node${major}`, 'bin/node');
  if (await stat(binary).catch(() => undefined)) return binary;
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'package.json'), '{ "private": true }');
  const wanted = `node${major}@npm:node-${process.platform}-${process.arch}@${major}`;
  await run('npm', ['install', '--no-audit', '--no-fund', wanted], { cwd: home });
  return binary;
}

describe('the packed tarball in an empty project', () => {
  it.each([20, 22, 24, 26])('runs from CommonJS and from an ES module on Node %i', async (major) => {
    const binary = await node(major);
    for (const file of ['main.cjs', 'main.mjs']) {
      const { stdout } = await run(binary, [file], { cwd: join(folder, 'empty') });
      expect(stdout).toBe('[2,4,6]\ntrue\n');
    }
  });

  it('passes publint and attw', async () => {
    const copy = join(folder, 'published');
    await cp(join(folder, 'empty/node_modules/threadfactory'), copy, { recursive: true });
    await run(join(BIN, 'publint'), ['--strict', copy]);
    await run(join(BIN, 'attw'), [tarball]);
  });

  it('is small: under 150 KB installed', async () => {
    const home = join(folder, 'empty/node_modules/threadfactory');
    const files = await readdir(home, { recursive: true, withFileTypes: true });
    const sizes = await Promise.all(
      files.filter((file) => file.isFile()).map((file) => stat(join(file.parentPath, file.name))),
    );
    expect(sizes.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(150 * 1024);
  });
});
