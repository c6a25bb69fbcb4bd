import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('recycling', () => {
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
});
