import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { HEAD, project, removeProjects, runIn } from '../helpers/script.js';

afterAll(removeProjects);

/** Jobs and results that JSON does not hold: 100 KB each way, an error with bytes, and progress. */
const PROGRAM = (options: string): string => `${HEAD}
const f = new ThreadFactory({
  manager: () => Array.from({ length: 12 }, (_, i) => Buffer.alloc(100_000, i)),
  worker: (bytes, { index, progress }) => {
    if (index === 7) throw Object.assign(new Error('no'), { bytes });
    progress(new Map([[index, bytes.length]]));
    return bytes;
  },
}, ${options});
let heard = 0;
f.on('progress', ({ index, data }) => { heard += data.get(index); });
f.on('error', (error, job) => say([job.index, error.message, error.bytes?.equals(Buffer.alloc(100_000, 7))]));
f.start().then(({ results, completed }) =>
  say([completed, heard, results.every((one, i) => i === 7 || one.equals(Buffer.alloc(100_000, i)))]));`;

/** What it says. */
const SAID = [
  [7, 'no', true],
  [11, 1_100_000, true],
];

it.each([
  ['closes what it does not know', 'exec 4>&- 5>&-'],
  ['has a file of its own where the second would be', 'exec 5<>app.db'],
  ['has files of its own in the place of both', 'exec 4<>app.log 5<>app.db'],
])('bytes arrive though a program in between %s, and nothing is written to its files', async (_, does) => {
  const folder = await project({
    wrapper: `#!/bin/sh\n${does}\nexec "${process.execPath}" "$@"\n`,
    'app.db': 'data',
    'app.log': 'log',
    'main.cjs': `require('node:fs').chmodSync('wrapper', 0o755);${PROGRAM("{ execPath: './wrapper', workers: 1 }")}`,
  });
  expect((await runIn(folder, 'main.cjs')).said).toEqual(SAID);
  expect(await readFile(join(folder, 'app.db'), 'utf8')).toBe('data');
  expect(await readFile(join(folder, 'app.log'), 'utf8')).toBe('log');
});

it('bytes arrive where no file can be opened for them', async () => {
  const folder = await project({
    // As on a system that has neither a memory file system nor a temporary folder to write to.
    'no-files.cjs': `
      const fs = require('node:fs');
      const { openSync } = fs;
      fs.openSync = (path, flags, ...rest) => {
        if (path === '/dev/shm' || flags === 'wx+') throw Object.assign(new Error('EROFS'), { code: 'EROFS' });
        return openSync(path, flags, ...rest);
      };`,
    'main.cjs': `require('./no-files.cjs');${PROGRAM('{ workers: 1 }')}`,
  });
  const ran = await runIn(folder, 'main.cjs', { env: { TMPDIR: join(folder, 'missing') } });
  expect(ran.said).toEqual(SAID);
});

it('bytes arrive though the file is full', async () => {
  const folder = await project({
    // A disk that has room for the first page only.
    'full.cjs': `
      const fs = require('node:fs');
      fs.writevSync = () => { throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }); };`,
    'main.cjs': `require('./full.cjs');${PROGRAM('{ workers: 1 }')}`,
  });
  expect((await runIn(folder, 'main.cjs')).said).toEqual(SAID);
});

it('several large results of one report arrive in as many messages as they need', async () => {
  const folder = await project({
    'main.cjs': `${HEAD}
      const MB = 1024 * 1024;
      const f = new ThreadFactory(
        { manager: () => [1, 2, 3], worker: async (n) => Buffer.alloc(25 * MB, n) },
        { workers: 1, concurrency: 3, batchSize: 3 },
      );
      f.start().then(({ results }) => say(results.map((one) => [one.length / MB, one[0], one.at(-1)])));`,
  });
  expect((await runIn(folder, 'main.cjs')).said).toEqual([
    [
      [25, 1, 1],
      [25, 2, 2],
      [25, 3, 3],
    ],
  ]);
});

it.each(['workers: 1', 'workers: 0', 'workers: 1, concurrency: 4'])(
  'each result is what it was when its job ended, though the next one returns the same object (%s)',
  async (options) => {
    const ran = await runIn(
      await project({
        'main.cjs': `${HEAD}
        const bytes = Buffer.alloc(4);
        const row = { n: 0 };
        const map = new Map();
        const spec = {
          manager: () => Array.from({ length: 300 }, (_, i) => i),
          worker: (n) => {
            bytes.writeUInt32LE(n);
            row.n = n;
            map.set('n', n);
            return [bytes, row, map][n % 3];
          },
        };
        const numberIn = (result) => (Buffer.isBuffer(result) ? result.readUInt32LE() : result instanceof Map ? result.get('n') : result.n);
        const right = ({ results }) => results.filter((result, i) => numberIn(result) === i).length;
        const f = new ThreadFactory(spec, { ${options}, batchSize: 100, journal: 'run.jsonl' });
        (async () => {
          say([right(await f.start()), right(await f.start())]);
        })();`,
      }),
      'main.cjs',
    );
    expect(ran.said).toEqual([[300, 300]]);
  },
);
