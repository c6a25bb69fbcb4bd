import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('a run that is over', () => {
  it('has left no listener on the AbortSignal or the process, and no handle', async () => {
    const ran = await script(`${HEAD}
      const { getEventListeners } = require('node:events');
      const { signal } = new AbortController();
      const f = new ThreadFactory({ manager: () => [1, 2, 3], worker: (n) => n }, { signal, handleSignals: true, workers: 2 });
      const count = () => [getEventListeners(signal, 'abort').length, ...process.eventNames().sort().map((name) => String(name) + process.listenerCount(name))];
      (async () => {
        await null;
        const before = count();
        for (let run = 0; run < 2; run++) await f.start();
        // What the streams' own ends leave is gone a turn later.
        await new Promise(setImmediate);
        say({ same: count().join() === before.join(), left: process.getActiveResourcesInfo().filter((name) => !/Wrap$|Immediate/.test(name)) });
      })();`);
    expect(ran.said).toEqual([{ same: true, left: [] }]);
    expect(ran.code).toBe(0);
  });

  it.each([
    ['forked workers', 1],
    ['workers: 0', 0],
  ])('held on to no job and no result of theirs with keepResults: false and %s', async (_, workers) => {
    const ran = await script(
      `${HEAD}
      let made = [];
      const f = new ThreadFactory({
        manager: function* () { for (let n = 0; n < 200; n++) { const job = { n }; made.push(new WeakRef(job)); yield job; } },
        worker: ({ n }) => { if (n % 50 === 7) throw new Error('no'); return { n }; },
      }, { workers: ${workers}, keepResults: false });
      f.on('completed', ({ result }) => made.push(new WeakRef(result))).on('error', () => {});
      f.start().then(async (summary) => {
        // What a WeakRef was made for lives to the end of its turn, and what a turn left on the stack to the one after.
        for (let turn = 0; turn < 3; turn++) { await new Promise(setImmediate); gc(); }
        // Of the jobs that failed the summary tells.
        say({ made: made.length, kept: made.filter((one) => one.deref() !== undefined).length, failures: summary.failures.length });
      });`,
      { flags: ['--expose-gc'] },
    );
    expect(ran.said).toEqual([{ made: 396, kept: 4, failures: 4 }]);
  });
});

describe('the async context of whoever called start()', () => {
  it('is that of every listener and of managerFinish', async () => {
    const ran = await script(`${HEAD}
      const { AsyncLocalStorage } = require('node:async_hooks');
      const als = new AsyncLocalStorage();
      const seen = new Set();
      const note = (name) => () => seen.add(name + ' ' + als.getStore());
      const make = () => {
        const f = new ThreadFactory({
          manager: () => [1, 2, 3, 4],
          worker: (n, { attempt, progress }) => { progress(n); if (n === 2 || (n === 3 && attempt === 1)) throw new Error('no'); if (n === 4) process.exit(1); return n; },
          managerFinish: note('managerFinish'),
        }, { workers: 1, retries: { limit: 1, delay: 1 }, crashRetries: 0 });
        for (const name of ['ready', 'progress', 'completed', 'retry', 'error', 'exit', 'finished']) f.on(name, note(name));
        return f;
      };
      const [f, g] = [make(), make()];
      Promise.all([als.run('one', () => f.start()), als.run('two', () => g.start())]).then(() => say([...seen].sort()));`);
    const names = ['completed', 'error', 'exit', 'finished', 'managerFinish', 'progress', 'ready', 'retry'];
    expect(ran.said).toEqual([names.flatMap((name) => [`${name} one`, `${name} two`])]);
  });
});
