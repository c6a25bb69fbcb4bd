import { afterAll, describe, expect, it } from 'vitest';
import { allGone, lives, project, removeProjects, runIn, script } from '../helpers/script.js';

afterAll(removeProjects);

const HEAD = `const ThreadFactory = require('threadfactory');\nconst say = (x) => console.log(JSON.stringify(x));\n`;

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
});

describe('timeout', () => {
  it.each([
    ['a synchronous loop', 'for (;;);'],
    ['Atomics.wait', 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);'],
    ['a stopped process', "process.kill(process.pid, 'SIGSTOP');"],
  ])('ends %s by killing the worker; its neighbours complete uncharged', async (_, deed) => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [0, 1, 2, 3, 4, 5],
        worker: (n) => { if (n === 2) { ${deed} } return n; },
      }, { timeout: 300, workers: 1 });
      f.on('error', (e, x) => say({ code: e.code, index: x.index, attempts: x.attempts }));
      f.on('exit', (e) => { if (e.reason === 'timeout') say({ killed: true }); });
      f.start().then((s) => say(s.results));`);
    expect(ran.said).toContainEqual({ code: 'ERR_JOB_TIMEOUT', index: 2, attempts: 1 });
    expect(ran.said).toContainEqual({ killed: true });
    expect(ran.said.at(-1)).toEqual([0, 1, null, 3, 4, 5]);
  });

  it('fires the signal of an asynchronous job, which may end by itself and keep its worker', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1, 2],
        worker: (n, { signal }) => n === 2 ? n : new Promise((resolve) => signal.addEventListener('abort', () => resolve('too late'))),
      }, { timeout: 100, workers: 1 });
      f.on('error', (e) => say({ code: e.code }));
      f.on('exit', (e) => say({ reason: e.reason }));
      f.start().then((s) => say(s.results));`);
    expect(ran.said).toEqual([{ code: 'ERR_JOB_TIMEOUT' }, { reason: 'finished' }, [null, 2]]);
  });
});

describe('retries, bail and abort', () => {
  it('runs a job that threw again after its delay, and says so', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1],
        worker: (n, { attempt }) => { if (attempt < 3) throw new Error('not yet'); return attempt; },
      }, { retries: { limit: 5, delay: (attempt) => attempt * 10, when: (e) => e.message === 'not yet' } });
      f.on('retry', (e, r) => say({ retry: e.message, attempt: r.attempt, delay: r.delay }));
      f.start().then((s) => say(s.results));`);
    expect(ran.said).toEqual([
      { retry: 'not yet', attempt: 1, delay: 10 },
      { retry: 'not yet', attempt: 2, delay: 20 },
      [3],
    ]);
  });

  it('runs a job again whose delay ends while the scheduler takes its step', async () => {
    // Every look at the clock takes half a millisecond: a delay of one or two ends between two looks.
    const ran = await script(`
      const now = performance.now.bind(performance);
      let looks = 0;
      performance.now = () => now() + looks++ / 2;
      ${HEAD}
      const f = new ThreadFactory({
        manager: () => [1, 2, 3],
        worker: (n, { attempt }) => { if (attempt < 4) throw new Error('not yet'); return attempt; },
      }, { workers: 0, batchSize: 1, retries: { limit: 3, delay: (attempt) => attempt / 2 + 0.5 } });
      f.start().then((s) => say(s.results));`);
    expect(ran.said).toEqual([[4, 4, 4]]);
  });

  it('bails after so many failures and leaves the rest unsettled', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => Array.from({ length: 1000 }, (_, i) => i),
        worker: (n) => new Promise((_, reject) => setTimeout(reject, 5, new Error('no'))),
        managerFinish: () => say('never'),
      }, { bail: 3, workers: 1 });
      f.on('error', () => {});
      f.start().then((s) => say({ stopped: s.stopped, few: s.failed >= 3 && s.failed < 20 }));`);
    expect(ran.said).toEqual([{ stopped: 'bail', few: true }]);
  });

  it.each([
    ['before the start', 'ac.abort(reason); const p = f.start();'],
    ['during the run', "f.once('ready', () => ac.abort(reason)); const p = f.start();"],
  ])('rejects with the reason of the signal when aborted %s, with no worker left', async (_, how) => {
    const ran = await script(`${HEAD}
      const ac = new AbortController();
      const reason = new Error('enough');
      const f = new ThreadFactory({ manager: () => [1, 2], worker: () => { for (;;); } }, { signal: ac.signal });
      f.on('finished', () => say('finished')).on('error', () => say('error'));
      (async () => {
        ${how}
        await p.catch((e) => say({ same: e === reason }));
        say({ listeners: require('node:events').getEventListeners(ac.signal, 'abort').length });
      })();`);
    expect(ran.said).toEqual([{ same: true }, { listeners: 0 }]);
    expect(ran.code).toBe(0);
  });

  it('recycles a worker after so many jobs, with workerFinish and unique numbers', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1, 2, 3, 4, 5, 6],
        worker: () => process.pid,
        workerFinish: ({ id }) => say({ finish: id }),
      }, { workers: 1, maxJobsPerWorker: 2 });
      f.start().then((s) => say({ pids: new Set(s.results).size }));`);
    expect(ran.said).toEqual([{ finish: 1 }, { finish: 1 }, { finish: 1 }, { pids: 3 }]);
  });

  it('fails the run when workerStartup always fails, and when the program does not exist', async () => {
    const ran = await script(`${HEAD}
      const spec = { manager: () => [1, 2], workerStartup: () => { throw new TypeError('no db'); }, worker: (n) => n };
      const f = new ThreadFactory(spec, { workers: 2 });
      const g = new ThreadFactory(spec, { execPath: '/no/such/node' });
      (async () => {
        for (const x of [f, g]) await x.start().catch((e) => say({ code: e.code, cause: e.cause?.message }));
      })();`);
    expect(ran.said).toEqual([
      { code: 'ERR_WORKER_START', cause: 'no db' },
      { code: 'ERR_WORKER_START', cause: expect.stringContaining('ENOENT') as string },
    ]);
  });
});

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

  it('two SIGINTs: the first finishes in good order with code 130', async () => {
    let asked = false;
    const folder = await project({
      'main.cjs': `${HEAD}
        const f = new ThreadFactory({
          manager: () => Array.from({ length: 1000 }, (_, i) => i),
          worker: (n) => new Promise((r) => setTimeout(r, 20, n)),
          workerFinish: () => say({ finish: true }),
        }, { handleSignals: true, workers: 1 });
        f.once('completed', () => say({ go: true }));
        f.start().then((s) => say({ stopped: s.stopped }));`,
    });
    const ran = await runIn(folder, 'main.cjs', {
      onOutput: (text, pid) => {
        if (asked || !text.includes('go')) return;
        asked = true;
        process.kill(pid, 'SIGINT');
      },
    });
    expect(ran.said).toEqual([{ go: true }, { finish: true }, { stopped: 'interrupt' }]);
    expect(ran.code).toBe(130);
  });
});

describe('output', () => {
  it('is marked by whole lines with the worker, ten megabytes before an exit included', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1],
        worker: () => { process.stdout.write('é'.repeat(10) + '\\n'); for (let i = 0; i < 10000; i++) process.stdout.write('x'.repeat(1000) + '\\n'); process.stdout.write('last'); },
      }, { output: 'prefix' });
      f.start();`);
    const lines = ran.stdout.split('\n');
    expect(lines[0]).toBe(`[1] ${'é'.repeat(10)}`);
    expect(lines).toHaveLength(10003);
    expect(lines[10001]).toBe('[1] last');
  });

  it('a large result right before a worker leaves is not cut off', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [1, 2, 3], worker: () => Buffer.alloc(3e6, 7) }, { maxJobsPerWorker: 1, workers: 1 });
      f.start().then((s) => say(s.results.map((b) => b.length)));`);
    expect(ran.said).toEqual([[3e6, 3e6, 3e6]]);
  });
});
