import { afterAll, describe, expect, it } from 'vitest';
import { HANG, HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

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

  it('rejects with the reason of the signal whenever it is aborted, tells no error, and no worker is left', async () => {
    const ran = await script(`${HEAD}
      const { existsSync, writeFileSync } = require('node:fs');
      ${HANG}
      const never = () => new Promise(() => {});
      const abort = (name) => controllers[name].abort(reasons[name]);
      const make = (name, spec) => {
        controllers[name] = new AbortController();
        reasons[name] = new Error(name);
        return new ThreadFactory({ manager: () => [1, 2], worker: (n) => n, ...spec }, { signal: controllers[name].signal, workers: 1 });
      };
      const [controllers, reasons] = [{}, {}];
      const all = {
        before: make('before'),
        manager: make('manager', { manager: () => { setTimeout(abort, 0, 'manager'); return never(); } }),
        startup: make('startup', { workerStartup: () => { writeFileSync('up', ''); return never(); } }),
        loop: make('loop', { worker: (_, { progress }) => { progress(1); hang(); } }),
        // As fetch does with its signal.
        told: make('told', { worker: (_, { progress, signal }) => new Promise((_, reject) => { progress(1); signal.addEventListener('abort', () => reject(new Error('told'))); }) }),
        managerFinish: make('managerFinish', { managerFinish: () => { setTimeout(abort, 0, 'managerFinish'); return never(); } }),
        after: make('after'),
      };
      (async () => {
        const said = {};
        for (const [name, f] of Object.entries(all)) {
          f.on('finished', () => { said[name] = 'finished'; }).on('error', (e) => { said[name] = e.message; });
          f.once('progress', () => abort(name));
          if (name === 'before') abort(name);
          const timer = setInterval(() => { if (name === 'startup' && existsSync('up')) abort(name); }, 10);
          await f.start().catch((e) => { said[name] ??= e === reasons[name]; });
          clearInterval(timer);
          if (name === 'after') abort(name);
          said[name] = [said[name], require('node:events').getEventListeners(controllers[name].signal, 'abort').length];
        }
        say(said);
      })();`);
    const rejected = [true, 0];
    expect(ran.said.at(-1)).toEqual({
      before: rejected,
      manager: rejected,
      startup: rejected,
      loop: rejected,
      told: rejected,
      managerFinish: rejected,
      after: ['finished', 0],
    });
    expect(ran.code).toBe(0);
  });
});
