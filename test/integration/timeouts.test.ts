import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('timeout', () => {
  it('ends whatever hangs by killing its worker, deaf to SIGTERM or not; its neighbours complete uncharged', async () => {
    const ran = await script(`${HEAD}
      const deeds = {
        loop() { for (;;); },
        wait() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); },
        stopped() { process.kill(process.pid, 'SIGSTOP'); },
        execSync() { require('node:child_process').execSync('exec /bin/sleep 600'); },
        deaf() { process.on('SIGTERM', () => {}); for (;;); },
      };
      const names = Object.keys(deeds);
      const f = new ThreadFactory({
        manager: () => names.flatMap((name) => ['before', name, 'after']),
        worker: (name) => { deeds[name]?.(); return name; },
      }, { timeout: 300, workers: names.length, batchSize: 3 });
      const failed = {};
      const attempts = new Set();
      let killed = 0;
      f.on('error', (e, { job, attempts }) => { failed[job] = [e.code, attempts]; });
      f.on('completed', ({ attempt }) => attempts.add(attempt));
      f.on('exit', ({ reason }) => { if (reason === 'timeout') killed++; });
      f.start().then((s) => say({ failed, attempts: [...attempts], killed: killed >= names.length, results: s.results }));`);
    const names = ['loop', 'wait', 'stopped', 'execSync', 'deaf'];
    expect(ran.said).toEqual([
      {
        failed: Object.fromEntries(names.map((name) => [name, ['ERR_JOB_TIMEOUT', 1]])),
        attempts: [1],
        killed: true,
        results: names.flatMap(() => ['before', null, 'after']),
      },
    ]);
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

  it('charges none of the jobs that a neighbour in a synchronous loop kept from ending', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [0, 1, 2, 3],
        worker: async (n) => { await new Promise((r) => setTimeout(r, 10 + n)); if (n === 3) for (;;); await new Promise((r) => setTimeout(r, 50)); return n; },
      }, { timeout: 300, workers: 1, concurrency: 4 });
      f.on('error', (e, x) => say({ code: e.code, index: x.index, attempts: x.attempts }));
      f.start().then((s) => say(s.results));`);
    expect(ran.said).toEqual([{ code: 'ERR_JOB_TIMEOUT', index: 3, attempts: 1 }, [0, 1, 2, null]]);
  });

  it('ends a worker that an earlier job left in a loop before it could begin the next', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [0, 1, 2],
        worker: (n, { attempt }) => { if (n === 0) setImmediate(() => { for (;;); }); return n; },
      }, { timeout: 100, startupTimeout: 3000, workers: 1, batchSize: 1 });
      f.on('exit', ({ reason }) => say({ reason }));
      f.start().then((s) => say(s.results));`);
    expect(ran.said).toEqual([{ reason: 'timeout' }, { reason: 'finished' }, [0, 1, 2]]);
  });
});
