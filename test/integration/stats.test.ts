import { afterAll, describe, expect, it } from 'vitest';
import { removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

const HEAD = `const ThreadFactory = require('threadfactory');
const say = (value) => console.log(JSON.stringify(value));`;

describe('what a run cost', () => {
  it('is in its summary: times, workers, retries, crashes, memory', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => ['one', 'other', 20, 20, 'retry', 'crash'],
        worker: (job, { attempt }) => {
          // Each of the two workers has one of them.
          const fs = require('node:fs');
          if (job === 'one' || job === 'other') fs.writeFileSync(job, '');
          while (job === 'one' && !fs.existsSync('other'));
          while (job === 'other' && !fs.existsSync('one'));
          if (job === 'retry' && attempt === 1) throw new Error('again');
          if (job === 'crash' && attempt === 1) process.exit(1);
          const until = performance.now() + (job === 'retry' || job === 'crash' ? 0 : 20);
          while (performance.now() < until);
        },
      }, { workers: 2, retries: 1, batchSize: 1 });
      f.start().then(({ stats }) => say(stats));`);
    const [stats] = ran.said as [
      {
        wait: object;
        run: { p50: number };
        workers: { id: number; jobs: number; utilisation: number; peakRss: number }[];
      } & Record<string, number>,
    ];
    expect(stats).toMatchObject({ retries: 2, crashes: 1, run: { count: 6 }, wait: { count: 6 } });
    expect(stats.run.p50).toBeGreaterThanOrEqual(19);
    expect(stats['throughput']).toBeGreaterThan(0);
    expect(stats['peakRss']).toBeGreaterThan(10_000_000);
    expect(stats.workers.map(({ id }) => id)).toEqual([1, 2]);
    expect(stats.workers.reduce((sum, { jobs }) => sum + jobs, 0)).toBe(6);
    for (const { utilisation, peakRss } of stats.workers) {
      expect(utilisation).toBeGreaterThan(0);
      expect(utilisation).toBeLessThanOrEqual(1);
      expect(peakRss).toBeGreaterThan(10_000_000);
    }
  });

  it('has the peak of a worker, not what its manager was at the fork', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
      if (!ThreadFactory.isWorker) {
        const large = Buffer.alloc(300e6, 1);
        f.start().then(({ stats }) => say([stats.peakRss > large.length, stats.workers[0].peakRss < large.length]));
      }`);
    expect(ran.said).toEqual([[true, true]]);
  });

  it('is told on diagnostics channels, to whoever listens in the process', async () => {
    const ran = await script(`${HEAD}
      const { subscribe, unsubscribe } = require('node:diagnostics_channel');
      const jobs = [];
      const workers = [];
      const onJob = ({ module, index, result, error, ...rest }) => {
        jobs.push([module === __filename, index, result, error?.message, typeof rest.id, typeof rest.duration]);
      };
      const onWorker = ({ event, id, reason, pid }) => workers.push([event, id, reason, typeof pid]);
      subscribe('threadfactory:job', onJob);
      subscribe('threadfactory:worker', onWorker);
      const spec = { manager: () => [1, 2], worker: (n) => { if (n === 2) throw new Error('two'); return n * 10; } };
      const f = new ThreadFactory(spec, { workers: 1 });
      f.on('error', () => {});
      if (!ThreadFactory.isWorker) (async () => {
        await f.start();
        say({ jobs: jobs.splice(0), workers: workers.splice(0) });
        unsubscribe('threadfactory:job', onJob);
        unsubscribe('threadfactory:worker', onWorker);
        await f.start();
        say({ jobs, workers });
      })();`);
    expect(ran.said).toEqual([
      {
        jobs: [
          [true, 0, 10, null, 'number', 'number'],
          [true, 1, null, 'two', 'number', 'number'],
        ],
        workers: [
          ['ready', 1, null, 'number'],
          ['exit', 1, 'finished', 'number'],
        ],
      },
      { jobs: [], workers: [] },
    ]);
  });
});
