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

  it('gives a number to one living worker at a time, with several of them', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => Array.from({ length: 12 }, (_, i) => i), worker: (n) => n }, { workers: 2, maxJobsPerWorker: 2 });
      const living = new Map();
      let twice = false;
      f.on('ready', ({ id, pid }) => { twice ||= living.has(id) || id > 2; living.set(id, pid); });
      f.on('exit', ({ id, pid }) => { if (living.get(id) === pid) living.delete(id); });
      f.start().then((s) => say({ twice, left: living.size, completed: s.completed }));`);
    expect(ran.said).toEqual([{ twice: false, left: 0, completed: 12 }]);
  });

  it('recycles a worker whose memory is over its limit, memory outside of the heap included', async () => {
    const ran = await script(`${HEAD}
      const kept = [];
      const f = new ThreadFactory({
        manager: () => [1, 2, 3, 4],
        worker: () => { kept.push(Buffer.alloc(60 * 2 ** 20, 1)); return process.pid; },
        workerFinish: () => say({ finish: kept.length }),
      }, { workers: 1, maxMemoryPerWorker: 150 * 2 ** 20 });
      const reasons = [];
      f.on('exit', ({ reason }) => reasons.push(reason));
      f.start().then((s) => say({ pids: new Set(s.results).size, reasons }));`);
    const said = ran.said as Record<string, unknown>[];
    const last = said.pop() as { pids: number; reasons: string[] };
    expect(last.pids).toBeGreaterThan(1);
    expect(last.reasons.slice(0, -1)).toEqual(Array.from({ length: last.pids - 1 }, () => 'recycled'));
    expect(said).toHaveLength(last.reasons.length);
  });
});
