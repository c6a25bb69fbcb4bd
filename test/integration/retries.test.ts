import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

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
});
