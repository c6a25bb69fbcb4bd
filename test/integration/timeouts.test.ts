import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

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
