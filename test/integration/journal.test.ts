import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { project, removeProjects, runIn } from '../helpers/script.js';

afterAll(removeProjects);

const HEAD = `const ThreadFactory = require('threadfactory');\nconst say = (x) => console.log(JSON.stringify(x));\n`;

it('a run that was killed goes on where it was, with the results as they were', async () => {
  const folder = await project({
    'main.cjs': `${HEAD}
      const f = new ThreadFactory({
        manager: () => Array.from({ length: 40 }, (_, i) => i),
        worker: (n) => new Map([[n, new Date(n)]]),
      }, { journal: 'run.jsonl', batchSize: 1, workers: 2 });
      f.on('completed', ({ done }) => { if (done === 20 && process.env.KILL) process.kill(process.pid, 'SIGKILL'); });
      f.start().then((s) => say({
        all: s.completed + s.skipped, skipped: s.skipped >= 20,
        same: s.results.every((m, i) => m instanceof Map && m.get(i).getTime() === i),
      }));`,
  });
  expect((await runIn(folder, 'main.cjs', { env: { KILL: '1' } })).signal).toBe('SIGKILL');
  expect((await runIn(folder, 'main.cjs')).said).toEqual([{ all: 40, skipped: true, same: true }]);
});

it('a journal that can not take the line of a retry fails the run, and nothing is thrown past it', async () => {
  const folder = await project({
    'main.cjs': `${HEAD}
      process.on('uncaughtException', (e) => say({ uncaught: e.message }));
      const f = new ThreadFactory({
        manager: () => [1],
        worker: () => { throw new Error('x'.repeat(2000)); },
      }, { journal: 'run.jsonl', retries: 1000, workers: 1 });
      f.on('error', () => {});
      f.start().then(() => say('resolved'), (e) => say({ code: e.code }));`,
  });
  // A file may have 8 KiB; a write beyond it is an error instead of a signal.
  const limited = `trap '' XFSZ; ulimit -f 8; exec "$0" main.cjs`;
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', limited, process.execPath], {
    cwd: folder,
  });
  expect(stdout.trim()).toBe('{"code":"ERR_JOURNAL"}');
});
