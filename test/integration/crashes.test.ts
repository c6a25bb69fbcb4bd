import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('a job that ends its worker', () => {
  it('fails alone after crashRetries, by whatever it does; the others complete once each', async () => {
    const deeds = [
      ['process.exit(0)', { exitCode: 0, signal: null }],
      ['process.exit(137)', { exitCode: 137, signal: null }],
      ['setTimeout(() => process.exit(5), 20)', { exitCode: 5, signal: null }],
      ["process.kill(process.pid, 'SIGKILL')", { exitCode: null, signal: 'SIGKILL' }],
      ["process.kill(process.pid, 'SIGSEGV')", { exitCode: null, signal: 'SIGSEGV' }],
      ['process.abort()', { exitCode: null, signal: 'SIGABRT' }],
      ["setTimeout(() => { throw new Error('late') }, 10)", { exitCode: 1, signal: null }],
      ["Promise.reject(new Error('nobody'))", { exitCode: 1, signal: null }],
      ['process.disconnect()', {}],
      // A last line without an end belongs to its last words, though somebody holds the pipe open for a while.
      [
        "require('node:child_process').spawn('sleep', ['1'], { detached: true, stdio: 'inherit' }).unref(); process.stderr.write('one\\ntwo'); process.exit(9)",
        { exitCode: 9, stderr: 'one\ntwo' },
      ],
    ] as const;
    const ran = await script(`${HEAD}
      const fs = require('node:fs');
      const deeds = [${deeds.map(([deed]) => `() => { ${deed} }`).join()}];
      const f = new ThreadFactory({
        manager: () => Array.from({ length: 5 * deeds.length }, (_, i) => i),
        worker: (n) => { if (n % 5 !== 3) return n; deeds[(n - 3) / 5](); return new Promise(() => {}); },
        workerFinish: () => fs.appendFileSync('finished', process.pid + ' '),
      }, { crashRetries: 1, workers: 2, output: 'ignore' });
      // Where the last of all to end is a crash, no worker may be left to finish.
      fs.writeFileSync('finished', '');
      const seen = [];
      const failed = [];
      const died = new Set();
      f.on('exit', ({ pid, reason }) => { if (reason === 'crashed') died.add(pid); });
      f.on('completed', (c) => seen.push(c.index));
      f.on('error', (e, x) => { failed[(x.index - 3) / 5] = { code: e.code, attempts: x.attempts, pid: typeof e.pid, exitCode: e.exitCode, signal: e.signal, stderr: e.stderr }; });
      f.start().then((s) => say({ failed, total: s.failed, completed: s.completed, once: new Set(seen).size, count: seen.length, finished: fs.readFileSync('finished', 'utf8').trim().split(' ').some((pid) => died.has(Number(pid))) }));`);
    const failed = deeds.map(
      ([, facts]) =>
        expect.objectContaining({
          code: 'ERR_WORKER_CRASH',
          attempts: 2,
          pid: 'number',
          ...facts,
        }) as object,
    );
    const others = 4 * deeds.length;
    expect(ran.said).toEqual([
      { failed, total: deeds.length, completed: others, once: others, count: others, finished: false },
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
      const dies = (n) => { process.once('exit', () => process.kill(process.pid, 'SIGKILL')); return n; };
      const make = (worker, workerFinish) => new ThreadFactory({ manager: () => [1], worker, workerFinish }, { shutdownTimeout: 200 });
      const all = [
        make(dies),
        make(dies, () => {}),
        make((n) => n, () => { throw new RangeError('no flush'); }),
        make((n) => n, () => { for (;;); }),
      ];
      const told = ({ code, signal, message }) => ({ code, signal, where: message.includes('workerFinish'), flush: message === 'no flush' });
      (async () => {
        for (const f of all) await f.start().then((s) => say(s.results), (e) => say(told(e)));
      })();`);
    const killed = { code: 'ERR_WORKER_CRASH', signal: 'SIGKILL', where: true, flush: false };
    expect(ran.said).toEqual([[1], killed, { where: false, flush: true }, killed]);
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
