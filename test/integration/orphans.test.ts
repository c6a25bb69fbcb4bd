import { afterAll, describe, expect, it } from 'vitest';
import { allGone, HEAD, lives, project, removeProjects, runIn, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('no worker outlives its manager', () => {
  it.each([
    ['a SIGKILL', "process.kill(process.pid, 'SIGKILL')"],
    ['process.exit', 'process.exit(3)'],
    ['an uncaught error', "setTimeout(() => { throw new Error('mine') })"],
  ])('after %s, busy workers included, with or without setpriv', async (_, deed) => {
    for (const path of [process.env['PATH'] ?? '', '/nowhere']) {
      const folder = await project({
        'main.cjs': `${HEAD}
          const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => { if (n === 1) for (;;); return new Promise(() => {}); } }, { workers: 2, output: 'ignore' });
          const pids = [];
          f.on('ready', ({ pid }) => { if (pids.push(pid) === 2) { say(pids); setTimeout(() => { ${deed} }, 200); } });
          f.start().catch(() => {});`,
      });
      const ran = await runIn(folder, 'main.cjs', { env: { PATH: path } });
      const pids = ran.said[0] as number[];
      expect(pids).toHaveLength(2);
      await allGone(pids);
    }
  });

  it('after a SIGKILL at the moment a worker begins to load, with or without setpriv', async () => {
    for (const path of [process.env['PATH'] ?? '', '/nowhere']) {
      const folder = await project({
        'main.cjs': `${HEAD}
          if (ThreadFactory.isWorker) { require('node:fs').writeSync(1, '[' + process.pid + ']\\n'); for (;;); }
          new ThreadFactory({ manager: () => [1], worker: (n) => n }).start();`,
      });
      let killed = false;
      const ran = await runIn(folder, 'main.cjs', {
        env: { PATH: path },
        onOutput: (text, pid) => {
          if (killed || !text.includes(']')) return;
          killed = true;
          process.kill(pid, 'SIGKILL');
        },
      });
      await allGone(ran.said[0] as number[]);
    }
  });
});

describe('subprocesses of a worker', () => {
  it('processes that a job started go with a worker that is killed', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1],
        worker: (_, { progress }) => { progress(require('node:child_process').spawn('sleep', ['1000']).pid); for (;;); },
      }, { timeout: 200 });
      f.on('progress', ({ data }) => say({ grandchild: data })).on('error', () => {});
      f.start();`);
    const [{ grandchild }] = ran.said as [{ grandchild: number }];
    await allGone([grandchild]);
    expect(lives(grandchild)).toBe(false);
  });
});
