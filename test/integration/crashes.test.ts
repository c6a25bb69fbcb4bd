import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('a job that ends its worker', () => {
  it.each([
    ['process.exit(0)', { exitCode: 0, signal: null }],
    ['process.exit(137)', { exitCode: 137, signal: null }],
    ['setTimeout(() => process.exit(5), 20)', { exitCode: 5, signal: null }],
    ["process.kill(process.pid, 'SIGKILL')", { exitCode: null, signal: 'SIGKILL' }],
    ["process.kill(process.pid, 'SIGSEGV')", { exitCode: null, signal: 'SIGSEGV' }],
    ['process.abort()', { exitCode: null, signal: 'SIGABRT' }],
    ["setTimeout(() => { throw new Error('late') }, 10)", { exitCode: 1, signal: null }],
    ["Promise.reject(new Error('nobody'))", { exitCode: 1, signal: null }],
    ['process.disconnect()', {}],
  ])('by %s fails alone after crashRetries; the others complete once each', async (deed, facts) => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => Array.from({ length: 40 }, (_, i) => i),
        worker: (n) => { if (n !== 11) return n; ${deed}; return new Promise(() => {}); },
      }, { crashRetries: 1, workers: 2, output: 'ignore' });
      const seen = [];
      f.on('completed', (c) => seen.push(c.index));
      f.on('error', (e, x) => say({ code: e.code, index: x.index, attempts: x.attempts, pid: typeof e.pid, exitCode: e.exitCode, signal: e.signal }));
      f.start().then((s) => say({ completed: s.completed, failed: s.failed, once: new Set(seen).size === seen.length, count: seen.length }));`);
    expect(ran.said).toEqual([
      expect.objectContaining({
        code: 'ERR_WORKER_CRASH',
        index: 11,
        attempts: 2,
        pid: 'number',
        ...facts,
      }) as object,
      { completed: 39, failed: 1, once: true, count: 39 },
    ]);
  });

  it('because its heap is full is named as such', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1],
        worker: () => { const all = []; for (;;) all.push(new Array(1000).fill('x' + all.length)); },
      }, { crashRetries: 0, output: 'ignore', execArgv: ['--max-old-space-size=32'] });
      f.on('error', (e) => say({ code: e.code, message: e.message, stderr: e.stderr.length > 0 }));
      f.start();`);
    expect(ran.said).toEqual([
      { code: 'ERR_WORKER_CRASH', message: expect.stringContaining('out of memory') as string, stderr: true },
    ]);
  });

  it('after it has resolved does not charge the innocent job that runs by then', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [0, 1, 2],
        worker: (n) => {
          if (n === 0) { setTimeout(() => { throw new Error('late') }, 30); return n; }
          return new Promise((r) => setTimeout(r, 120, n));
        },
      }, { workers: 1, crashRetries: 0, batchSize: 1, output: 'ignore' });
      f.on('completed', (c) => say([c.index, c.attempt]));
      f.start().then((s) => say({ failed: s.failed }));`);
    expect(ran.said).toEqual([[0, 1], [1, 1], [2, 1], { failed: 0 }]);
  });

  it('after it has resolved sends the jobs it had not begun back at once, without a worker for each', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => Array.from({ length: 40 }, (_, i) => i),
        worker: (n) => {
          if (n === 0) setTimeout(() => { throw new Error('late') }, 20);
          return n === 1 ? new Promise((r) => setTimeout(r, 60, n)) : n;
        },
      }, { workers: 1, crashRetries: 0, batchSize: 20, output: 'ignore' });
      let workers = 0;
      f.on('ready', () => workers++);
      f.start().then((s) => say({ failed: s.failed, completed: s.completed, few: workers <= 4 }));`);
    expect(ran.said).toEqual([{ failed: 0, completed: 40, few: true }]);
  });

  it('after the last job fails the run only where workerFinish was still to run', async () => {
    const ran = await script(`${HEAD}
      const spec = { manager: () => [1], worker: (n) => { process.once('exit', () => process.kill(process.pid, 'SIGKILL')); return n; } };
      const f = new ThreadFactory(spec);
      const g = new ThreadFactory({ ...spec, workerFinish: () => {} });
      (async () => {
        for (const x of [f, g]) await x.start().then((s) => say(s.results), (e) => say({ code: e.code, signal: e.signal, where: e.message.includes('workerFinish') }));
      })();`);
    expect(ran.said).toEqual([[1], { code: 'ERR_WORKER_CRASH', signal: 'SIGKILL', where: true }]);
  });

  it('wherever it is in the list, and when every job is such a one', async () => {
    const ran = await script(`${HEAD}
      const spec = (poison) => ({ manager: () => Array.from({ length: 60 }, (_, i) => i), worker: (n) => poison(n) ? process.exit(n) : n });
      const f = new ThreadFactory(spec((n) => n === 0 || n === 59), { crashRetries: 0, workers: 2 });
      const g = new ThreadFactory({ ...spec(() => true), manager: () => [0, 1, 2, 3] }, { crashRetries: 0, workers: 2 });
      (async () => {
        for (const x of [f, g]) {
          x.on('error', () => {});
          const { completed, failures } = await x.start();
          say({ completed, failed: failures.map((one) => [one.index, one.error.exitCode]).sort((a, b) => a[0] - b[0]) });
        }
      })();`);
    expect(ran.said).toEqual([
      {
        completed: 58,
        failed: [
          [0, 0],
          [59, 59],
        ],
      },
      {
        completed: 0,
        failed: [
          [0, 0],
          [1, 1],
          [2, 2],
          [3, 3],
        ],
      },
    ]);
  });
});
