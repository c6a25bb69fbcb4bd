import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXAMPLES, installExamples } from '../helpers/examples.js';
import { hasRedis, WITHOUT_REDIS } from '../helpers/redis.js';
import { type Ran, runIn } from '../helpers/script.js';

const MINUTE = 60_000;

let temporary = '';

beforeAll(async () => {
  temporary = await mkdtemp(join(tmpdir(), 'threadfactory-examples-'));
  await installExamples();
}, 3 * MINUTE);

afterAll(async () => {
  await rm(temporary, { recursive: true, force: true });
});

/** Runs an example's script with an argument or without, its output in a folder of its own. */
async function example(script: string, env: Record<string, string>, argument?: string): Promise<Ran> {
  const clean = { AWS_ENDPOINT_URL_S3: undefined, BUCKET: undefined, PREFIX: undefined, LIMIT: undefined };
  const options = { env: { ...process.env, ...clean, OUT: join(temporary, script), ...env } };
  return argument === undefined
    ? await runIn(EXAMPLES, script, options)
    : await runIn(EXAMPLES, argument, { ...options, flags: [script] });
}

/** A folder with these files. */
async function folderOf(name: string, files: Record<string, string>): Promise<string> {
  const folder = join(temporary, name);
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  return folder;
}

/** The whole text of the files in a folder whose names match. */
async function textOf(folder: string, name: RegExp): Promise<string> {
  const files = (await readdir(folder)).filter((file) => name.test(file));
  return (await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))).join('');
}

describe('the examples', () => {
  it('s3-logs: finds the rows with error 505 in every file of the prefix, over several pages of the listing', async () => {
    const ran = await example('s3-logs/index.cjs', { FILES: '5', ROWS: '800', PAGE_SIZE: '2' });
    expect(ran.stderr).toBe('');
    expect(ran.code).toBe(0);
    const [, found, rows, files] =
      /^(\d+) rows with error 505 among (\d+) in (\d+) files/m.exec(ran.stdout) ?? [];
    expect([rows, files]).toEqual(['4000', '5']);
    expect(ran.stdout).toContain(`Right: ${found} were generated, ${found} are in the output`);
    const output = await textOf(join(temporary, 's3-logs/index.cjs'), /^output-\d+\.ldjson$/);
    const errors = output
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { error: number }).error);
    expect(errors).toEqual(new Array(Number(found)).fill(505));
    expect(errors.length).toBeGreaterThan(5);
  });

  it.skipIf(!hasRedis)(
    `cluster: two machines find the same, one of them killed (${WITHOUT_REDIS} else)`,
    async () => {
      const ran = await example('cluster/run.cjs', { FILES: '4', ROWS: '300' });
      expect(ran.code).toBe(0);
      expect(ran.stdout).toMatch(/^Right: (\d+) were generated, \1 were found/m);
      expect(ran.stdout).toContain('beta was killed');
    },
  );

  it('run.cjs: one process and all workers find the same, and the speed-up is told', async () => {
    const ran = await example('run.cjs', { FILES: '3', ROWS: '300' });
    expect(ran.stderr).toBe('');
    expect(ran.code).toBe(0);
    const rights = ran.stdout.match(/^Right: (\d+) were generated, \1 are in the output$/gm) ?? [];
    expect(rights).toHaveLength(2);
    expect(rights[0]).toBe(rights[1]);
    expect(ran.stdout).toMatch(
      /s in one process, [\d.]+ s with threadfactory: [\d.]+ times as fast on \d+ cores\n$/,
    );
  });

  it('minify: a file that does not parse is told by name and the others are minified', async () => {
    const folder = await folderOf('scripts', {
      'one.js': '/* a comment */ var   one  =  1 ;\n',
      'deep/two.js': 'export const two = 1 + 1;\n',
      'deep/three.js': 'exports.three = function (number) { return number + 3; };\n',
      'deep/broken.js': 'const fine = 1;\nconst = 4;\n',
      'other.txt': 'no script',
    });
    const ran = await example('minify/index.cjs', {}, folder);
    expect(ran.stderr).toMatch(/^deep\/broken\.js:2:6: .+\n$/);
    expect(ran.code).toBe(0);
    const out = join(temporary, 'minify/index.cjs');
    const bytes = async (root: string): Promise<number> => {
      const sizes = ['one.js', 'deep/two.js', 'deep/three.js'].map(
        async (file) => (await stat(join(root, file))).size,
      );
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    };
    const [before, after] = [await bytes(folder), await bytes(out)];
    expect(ran.stdout).toContain(`3 files minified, 1 failed, from ${before} to ${after} bytes`);
    expect(after).toBeLessThan(before);
  });

  it('word-count: the words of all markdown files are summed, most frequent first', async () => {
    const folder = await folderOf('texts', {
      'README.md': '# Apples\nApples and pears, and *apples*.\n',
      'deep/notes.MD': 'Pears, and nüsse.\n',
      'code.js': 'apples apples apples',
    });
    const ran = await example('word-count/index.mjs', {}, folder);
    expect(ran.stderr).toBe('');
    expect(ran.code).toBe(0);
    expect(
      ran.stdout
        .split('\n')
        .map((line) => line.trim())
        .slice(0, 4),
    ).toEqual(['3 and', '3 apples', '2 pears', '1 nüsse']);
    expect(ran.stdout).toContain('9 words, 4 different ones, in 2 files');
  });

  it('thumbnails: every image becomes a thumbnail, and a file that is none fails alone', async () => {
    const ran = await example('thumbnails/index.cjs', { IMAGES: '1' });
    expect(ran.stderr).toBe('');
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/^1 photographs drawn/m);
    expect(ran.stdout.match(/, 320 × 213, \d+ bytes$/gm)).toHaveLength(1);
    expect(ran.stdout).toMatch(/^1 thumbnails in .+, 0 failed/m);

    const drawn = join(temporary, 'thumbnails/index.cjs/drawn');
    await copyFile(join(drawn, '0000.jpg'), join(drawn, '0001.jpg'));
    await writeFile(join(drawn, 'broken.png'), 'no image');
    const again = await example('thumbnails/index.cjs', { OUT: join(temporary, 'again') }, drawn);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/^broken\.png: .+\n$/);
    expect(again.stdout).toMatch(/^2 thumbnails in .+, 1 failed/m);
    const made = await readdir(join(temporary, 'again/thumbnails'));
    expect(made.sort()).toEqual(['0000.webp', '0001.webp']);
  });

  it('resume: a run that was killed goes on, with every file in the end and the recorded ones not run again', async () => {
    const ran = await example('resume/index.cjs', { LIMIT: '120' });
    expect(ran.stderr).toBe('');
    expect(ran.code).toBe(0);
    const [, before] = /^Ended by SIGKILL; (\d+) of 120 files were compressed$/m.exec(ran.stdout) ?? [];
    const [, now, skipped] = /^ {2}(\d+) compressed now, (\d+) before:/m.exec(ran.stdout) ?? [];
    const [, right, once, twice] =
      /; (\d+) of 120 files are right, (\d+) of them from the first start, (\d+) compressed twice$/m.exec(
        ran.stdout,
      ) ?? [];
    expect(Number(right)).toBe(120);
    expect(Number(now) + Number(skipped)).toBe(120);
    expect(Number(skipped)).toBeGreaterThanOrEqual(40);
    expect(Number(once) + Number(twice)).toBe(Number(before));
    expect(Number(once)).toBeGreaterThanOrEqual(Number(skipped));
  });
});
