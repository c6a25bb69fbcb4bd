import { afterAll, describe, expect, it } from 'vitest';
import { fact, oneManager } from '../helpers/one-manager.js';
import { HANG, removeProjects } from '../helpers/script.js';

afterAll(removeProjects);

const manager = oneManager();

describe('timeout', () => {
  const names = ['loop', 'wait', 'stopped', 'execSync', 'deaf'];
  fact(
    manager,
    'ends whatever hangs by killing its worker, deaf to SIGTERM or not; its neighbours complete uncharged',
    `${HANG}
    const deeds = {
      loop() { for (;;); },
      wait() { hang(); },
      stopped() { process.kill(process.pid, 'SIGSTOP'); },
      execSync() { require('node:child_process').execSync('exec /bin/sleep 600'); },
      deaf() { process.on('SIGTERM', () => {}); hang(); },
    };
    const names = ${JSON.stringify(names)};
    const f = new ThreadFactory({
      manager: () => names.flatMap((name) => ['before', name, 'after']),
      worker: (name) => { deeds[name]?.(); return name; },
    }, { timeout: 300, workers: 2, batchSize: 3 });
    const failed = {};
    const attempts = new Set();
    let killed = 0;
    f.on('error', (e, { job, attempts }) => { failed[job] = [e.code, attempts]; });
    f.on('completed', ({ attempt }) => attempts.add(attempt));
    f.on('exit', ({ reason }) => { if (reason === 'timeout') killed++; });
    return () => f.start().then((s) => say({ failed, attempts: [...attempts], killed: killed >= names.length, results: s.results }));`,
    [
      {
        failed: Object.fromEntries(names.map((name) => [name, ['ERR_JOB_TIMEOUT', 1]])),
        attempts: [1],
        killed: true,
        results: names.flatMap(() => ['before', null, 'after']),
      },
    ],
  );

  fact(
    manager,
    'fires the signal of an asynchronous job, which may end by itself and keep its worker',
    `const f = new ThreadFactory({
      manager: () => [1, 2],
      worker: (n, { signal }) => n === 2 ? n : new Promise((resolve) => signal.addEventListener('abort', () => resolve('too late'))),
    }, { timeout: 100, workers: 1 });
    f.on('error', (e) => say({ code: e.code }));
    f.on('exit', (e) => say({ reason: e.reason }));
    return () => f.start().then((s) => say(s.results));`,
    [{ code: 'ERR_JOB_TIMEOUT' }, { reason: 'finished' }, [null, 2]],
  );

  fact(
    manager,
    'charges none of the jobs that a neighbour which blocks its process kept from ending',
    `${HANG}
    const f = new ThreadFactory({
      manager: () => [0, 1, 2, 3],
      worker: async (n) => { await new Promise((r) => setTimeout(r, 10 + n)); if (n === 3) hang(); await new Promise((r) => setTimeout(r, 50)); return n; },
    }, { timeout: 300, workers: 1, concurrency: 4 });
    f.on('error', (e, x) => say({ code: e.code, index: x.index, attempts: x.attempts }));
    return () => f.start().then((s) => say(s.results));`,
    [{ code: 'ERR_JOB_TIMEOUT', index: 3, attempts: 1 }, [0, 1, 2, null]],
  );

  fact(
    manager,
    'ends a worker that an earlier job left blocked before it could begin the next',
    `${HANG}
    const f = new ThreadFactory({
      manager: () => [0, 1, 2],
      worker: (n, { attempt }) => { if (n === 0) setImmediate(hang); return n; },
    }, { timeout: 100, startupTimeout: 3000, workers: 1, batchSize: 1 });
    f.on('exit', ({ reason }) => say({ reason }));
    return () => f.start().then((s) => say(s.results));`,
    [{ reason: 'timeout' }, { reason: 'finished' }, [0, 1, 2]],
  );

  it('leaves a manager that ends by itself', async () => {
    const ran = await manager.whole();
    expect([ran.stderr, ran.code]).toEqual(['', 0]);
  });
});
