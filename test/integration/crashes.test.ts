import { afterAll, describe, expect, it } from 'vitest';
import { fact, oneManager } from '../helpers/one-manager.js';
import { HANG, removeProjects } from '../helpers/script.js';

afterAll(removeProjects);

const manager = oneManager();

describe('a job that ends its worker', () => {
  const deeds = [
    ['process.exit(0)', { exitCode: 0, signal: null }],
    ['setTimeout(() => process.exit(5), 20)', { exitCode: 5, signal: null }],
    ["process.kill(process.pid, 'SIGKILL')", { exitCode: null, signal: 'SIGKILL' }],
    ["process.kill(process.pid, 'SIGSEGV')", { exitCode: null, signal: 'SIGSEGV' }],
    ['process.abort()', { exitCode: null, signal: 'SIGABRT' }],
    ["setTimeout(() => { throw new Error('late') }, 10)", { exitCode: 1, signal: null }],
    ["Promise.reject(new Error('nobody'))", { exitCode: 1, signal: null }],
    ['process.disconnect()', {}],
    // A last line without an end belongs to its last words, though somebody holds the pipe open for a while.
    [
      "require('node:child_process').spawn('sleep', ['1'], { detached: true, stdio: 'inherit' }).unref(); process.stderr.write('one\\ntwo'); process.exit(137)",
      { exitCode: 137, signal: null, stderr: 'one\ntwo' },
    ],
  ] as const;
  type Deed = (typeof deeds)[number];

  /** A run in which every fifth job is such a deed, and what it comes to. */
  const among = (these: readonly Deed[], options: string): string => `
    const fs = require('node:fs');
    const deeds = [${these.map(([deed]) => `() => { ${deed} }`).join()}];
    const f = new ThreadFactory({
      manager: () => Array.from({ length: 5 * deeds.length }, (_, i) => i),
      worker: (n) => { if (n % 5 !== 3) return n; deeds[(n - 3) / 5](); return new Promise(() => {}); },
      workerFinish: () => fs.appendFileSync('finished', process.pid + ' '),
    }, { ${options}, workers: 1, output: 'ignore' });
    const seen = [];
    const failed = [];
    const died = new Set();
    f.on('exit', ({ pid, reason }) => { if (reason === 'crashed') died.add(pid); });
    f.on('completed', (c) => seen.push(c.index));
    f.on('error', (e, x) => { failed[(x.index - 3) / 5] = { code: e.code, attempts: x.attempts, pid: typeof e.pid, exitCode: e.exitCode, signal: e.signal, stderr: e.stderr }; });
    return async () => {
      // Where the last of all to end is a crash, no worker may be left to finish.
      fs.writeFileSync('finished', '');
      const s = await f.start();
      say({ failed, total: s.failed, completed: s.completed, once: new Set(seen).size, count: seen.length, finished: fs.readFileSync('finished', 'utf8').trim().split(' ').some((pid) => died.has(Number(pid))) });
    };`;
  const outcome = (these: readonly Deed[], attempts: number): object => {
    const failed = these.map(([, facts]) => {
      const told = { code: 'ERR_WORKER_CRASH', attempts, pid: 'number', ...facts };
      return expect.objectContaining(told) as object;
    });
    const others = 4 * these.length;
    return { failed, total: these.length, completed: others, once: others, count: others, finished: false };
  };

  fact(
    manager,
    'fails alone, by whatever it does; the others complete once each',
    among(deeds, 'crashRetries: 0, batchSize: 1'),
    [outcome(deeds, 1)],
  );

  const some = [deeds[0], deeds[2], deeds[5]];
  fact(
    manager,
    'fails alone after crashRetries, whatever was in its batch; the others complete once each',
    among(some, 'crashRetries: 1, batchSize: 5'),
    [outcome(some, 2)],
  );

  fact(
    manager,
    'by process.exit lets none run again that had ended before it in the same batch',
    `const f = new ThreadFactory({
      manager: () => [0, 1, 2, 3, 4, 5],
      worker: (n) => {
        say(n);
        if (n === 3) process.exit(1);
      },
    }, { workers: 1, crashRetries: 0, batchSize: 6 });
    f.on('error', () => {});
    return () => f.start().then((s) => say([s.completed, s.failed]));`,
    [0, 1, 2, 3, 3, 4, 5, [5, 1]],
  );

  fact(
    manager,
    'because its heap is full is named as such',
    `const f = new ThreadFactory({
      manager: () => [1],
      worker: () => { const all = []; for (;;) all.push(new Array(100_000).fill('x' + all.length)); },
    }, { crashRetries: 0, output: 'ignore', execArgv: ['--max-old-space-size=32'] });
    f.on('error', (e) => say({ code: e.code, message: e.message, stderr: e.stderr.length > 0 }));
    return () => f.start();`,
    [{ code: 'ERR_WORKER_CRASH', message: expect.stringContaining('out of memory') as string, stderr: true }],
  );

  fact(
    manager,
    'after it has resolved does not charge the innocent job that runs by then',
    `const f = new ThreadFactory({
      manager: () => [0, 1, 2],
      worker: (n) => {
        if (n === 0) { setTimeout(() => { throw new Error('late') }, 30); return n; }
        return new Promise((r) => setTimeout(r, 120, n));
      },
    }, { workers: 1, crashRetries: 0, batchSize: 1, output: 'ignore' });
    f.on('completed', (c) => say([c.index, c.attempt]));
    return () => f.start().then((s) => say({ failed: s.failed }));`,
    [[0, 1], [1, 1], [2, 1], { failed: 0 }],
  );

  fact(
    manager,
    'after it has resolved sends the jobs it had not begun back at once, without a worker for each',
    `const f = new ThreadFactory({
      manager: () => Array.from({ length: 40 }, (_, i) => i),
      worker: (n) => {
        if (n === 0) setTimeout(() => { throw new Error('late') }, 20);
        return n === 1 ? new Promise((r) => setTimeout(r, 60, n)) : n;
      },
    }, { workers: 1, crashRetries: 0, batchSize: 20, output: 'ignore' });
    let workers = 0;
    f.on('ready', () => workers++);
    return () => f.start().then((s) => say({ failed: s.failed, completed: s.completed, few: workers <= 4 }));`,
    [{ failed: 0, completed: 40, few: true }],
  );

  const killed = (why: string) => ({
    code: 'ERR_WORKER_CRASH',
    signal: 'SIGKILL',
    where: true,
    flush: false,
    why,
  });
  fact(
    manager,
    'after the last job fails the run only where workerFinish was still to run',
    `${HANG}
    const dies = (n) => { process.once('exit', () => process.kill(process.pid, 'SIGKILL')); return n; };
    const make = (worker, workerFinish) => new ThreadFactory({ manager: () => [1], worker, workerFinish }, { shutdownTimeout: 200 });
    const all = [
      make(dies),
      make(dies, () => {}),
      make((n) => n, () => { throw new RangeError('no flush'); }),
      make((n) => n, hang),
    ];
    const told = ({ code, signal, message }) => ({ code, signal, where: message.includes('workerFinish'), flush: message === 'no flush', why: /\\((.*?)[,)]/.exec(message)?.[1] });
    return async () => {
      for (const f of all) await f.start().then((s) => say(s.results), (e) => say(told(e)));
    };`,
    [
      [1],
      killed('by somebody'),
      { where: false, flush: true },
      killed('it took longer than `shutdownTimeout`'),
    ],
  );

  fact(
    manager,
    'wherever it is in the list, and when every job is such a one',
    `const spec = (poison, jobs) => ({ manager: () => jobs, worker: (n) => poison(n) ? process.exit(n) : n });
    const f = new ThreadFactory(spec((n) => n === 0 || n === 59, Array.from({ length: 60 }, (_, i) => i)), { crashRetries: 0, workers: 1 });
    const g = new ThreadFactory(spec(() => true, [0, 1, 2]), { crashRetries: 0, workers: 2, batchSize: 1 });
    return async () => {
      for (const x of [f, g]) {
        x.on('error', () => {});
        const { completed, failures } = await x.start();
        say({ completed, failed: failures.map((one) => [one.index, one.error.exitCode]).sort((a, b) => a[0] - b[0]) });
      }
    };`,
    [
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
        ],
      },
    ],
  );

  it('leaves a manager that ends by itself', async () => {
    expect((await manager.whole()).code).toBe(0);
  });
});
