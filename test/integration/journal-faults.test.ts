import { execFile, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { HANG, project, removeProjects, runIn, script } from '../helpers/script.js';

afterAll(removeProjects);

const HEAD = `const ThreadFactory = require('threadfactory');
const fs = require('node:fs');
const say = (x) => console.log(JSON.stringify(x));
const lines = () => fs.readFileSync('run.jsonl', 'utf8').trimEnd().split('\\n').slice(1).map((line) => JSON.parse(line));
`;

describe('a journal of a run with faults', () => {
  it('tells of crashes, retries and failures, and the next run tries those jobs again and no others', async () => {
    const folder = await project({
      'main.cjs': `${HEAD}
        ${HANG}
        const sick = process.env.SICK === '1';
        const f = new ThreadFactory({
          manager: () => ['fine', 'dies', 'hangs', 'throws', 'fine too'],
          workerProcess: (job) => {
            fs.appendFileSync('ran.log', job + '\\n');
            if (sick && job === 'dies') process.kill(process.pid, 'SIGKILL');
            if (sick && job === 'hangs') hang();
            if (sick && job === 'throws') throw new RangeError('thrown');
            return job + ' done';
          },
        }, { journal: 'run.jsonl', workers: 2, batchSize: 1, retries: 1, crashRetries: 1, timeout: sick ? 100 : undefined });
        f.on('error', () => {});
        f.start().then(({ completed, failed, skipped, results, failures }) => {
          const count = (type) => lines().filter((line) => line.type === type).length;
          say({
            completed, failed, skipped, results, crashes: count('crash'), retries: count('retry'),
            codes: failures.map(({ error }) => error.code ?? error.name).sort(),
          });
        });`,
    });
    const [first] = (await runIn(folder, 'main.cjs', { env: { SICK: '1' } })).said;
    expect(first).toEqual({
      ...{ completed: 2, failed: 3, skipped: 0, crashes: 2, retries: 3 },
      codes: ['ERR_JOB_TIMEOUT', 'ERR_WORKER_CRASH', 'RangeError'],
      results: ['fine done', null, null, null, 'fine too done'],
    });
    const second = await runIn(folder, 'main.cjs', { env: { SICK: '0' } });
    expect(second.said).toEqual([
      {
        ...{ completed: 3, failed: 0, skipped: 2, crashes: 2, retries: 3, codes: [] },
        results: ['fine done', 'dies done', 'hangs done', 'throws done', 'fine too done'],
      },
    ]);
  });

  it('is refused to a second process while the first runs, and free when that was killed', async () => {
    const folder = await project({
      'main.cjs': `${HEAD}
        const f = new ThreadFactory({
          manager: () => [1, 2],
          workerProcess: (n) => (n === 2 && process.env.WAIT ? new Promise(() => {}) : n),
        }, { journal: 'run.jsonl', workers: 1, batchSize: 1 });
        f.on('completed', ({ job }) => say({ pid: process.pid, job }));
        f.start().then(
          ({ completed, skipped }) => say({ completed, skipped }),
          ({ code, message }) => say({ code, message }),
        );`,
    });
    let pid = 0;
    let second: ReturnType<typeof runIn> | undefined;
    const first = await runIn(folder, 'main.cjs', {
      env: { WAIT: '1' },
      onOutput: (_, manager) => {
        pid = manager;
        second ??= runIn(folder, 'main.cjs').finally(() => process.kill(manager, 'SIGKILL'));
      },
    });
    expect(first.signal).toBe('SIGKILL');
    expect((await second)?.said).toEqual([
      { code: 'ERR_JOURNAL', message: expect.stringMatching(new RegExp(`in use by process ${pid},.*Wait`)) },
    ]);
    const third = await runIn(folder, 'main.cjs');
    expect(third.said.at(-1)).toEqual({ completed: 1, skipped: 1 });
  });
});

describe('a path that can not be a journal fails the run before anything starts', () => {
  it('and says what to do', async () => {
    const ran = await script(`${HEAD}
      const start = (journal) => new ThreadFactory({ manager: () => [1], workerProcess: (n) => n }, { journal, workers: 1 })
        .on('ready', () => say('a worker started')).start();
      if (!ThreadFactory.isWorker) (async () => {
        fs.writeFileSync('locked.jsonl', '', { mode: 0o444 });
        fs.mkdirSync('locked', { mode: 0o555 });
        fs.chmodSync('..', 0o755);
        // Root may do everything.
        if (process.getuid?.() === 0) process.seteuid(65534);
        const paths = ['.', 'missing/run.jsonl', 'main.cjs/run.jsonl', 'locked.jsonl', 'locked/run.jsonl', '/dev/full', 'main.cjs'];
        for (const path of paths) await start(path).catch(({ code, message }) => say([path, code, message]));
      })();`);
    expect(ran.stderr).toBe('');
    const error = (path: string, advice: RegExp): unknown[] => [
      path,
      'ERR_JOURNAL',
      expect.stringMatching(advice),
    ];
    expect(ran.said).toEqual([
      error('.', /EISDIR.*give the path of a file/),
      error('missing/run.jsonl', /ENOENT.*create it first/),
      error('main.cjs/run.jsonl', /ENOTDIR.*no folder/),
      error('locked.jsonl', /EACCES.*allowed to read and write/),
      error('locked/run.jsonl', /EACCES.*allowed to read and write/),
      error('/dev/full', /(must be a regular file|EACCES)/),
      error('main.cjs', /(not a journal of threadfactory|EACCES)/),
    ]);
  });
});

/** Runs a shell in which a small disk is mounted at \`disk\`, for nobody else to see. */
async function onSmallDisk(folder: string, commands: string): Promise<unknown[]> {
  const all = `mkdir disk && mount -t tmpfs -o size=64k none disk && ${commands}`;
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['-rm', 'bash', '--norc', '-c', all, process.execPath],
    {
      cwd: folder,
    },
  );
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', tmpdir()]).status === 0;

describe.skipIf(!canMount)(
  'a full disk (needs a tmpfs of its own: Linux, and the right to mount one)',
  () => {
    it('fails the run with one error, lets running jobs end, loses nothing recorded, and the next run goes on', async () => {
      const folder = await project({
        'main.cjs': `${HEAD}
        const f = new ThreadFactory({
          manager: () => Array.from({ length: 100 }, (_, i) => i),
          workerProcess: (n) => 'x'.repeat(2000) + n,
          workerStartup: () => fs.appendFileSync('started.log', 'x'),
          workerFinish: () => fs.appendFileSync('finished.log', 'x'),
        }, { journal: 'disk/run.jsonl', workers: 2, batchSize: 1, fsync: 10 });
        const errors = [];
        f.on('error', ({ code, message }) => errors.push([code, message]));
        f.start().catch(() => {}).finally(() => {
          const { completed, failed, skipped, results } = f.summary;
          const right = results.filter((result, i) => result === 'x'.repeat(2000) + i).length;
          say({ errors, completed, failed, skipped, right, orderly: fs.readFileSync('finished.log', 'utf8') === fs.readFileSync('started.log', 'utf8') });
        });`,
      });
      const [full, after] = await onSmallDisk(
        folder,
        '"$0" main.cjs && mount -o remount,size=1m disk && "$0" main.cjs',
      );
      const { completed } = full as { completed: number };
      expect(completed).toBeGreaterThan(20);
      expect(completed).toBeLessThan(35);
      expect(full).toEqual({
        errors: [['ERR_JOURNAL', expect.stringMatching(/ENOSPC.*disk is full.*make room/)]],
        ...{ completed, failed: 0, skipped: 0, right: completed, orderly: true },
      });
      expect(after).toEqual({
        errors: [],
        ...{ completed: 100 - completed, failed: 0, skipped: completed, right: 100, orderly: true },
      });
    });
  },
);
