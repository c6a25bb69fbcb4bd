import { afterAll, describe, expect, it } from 'vitest';
import { fact, oneManager } from '../helpers/one-manager.js';
import { removeProjects } from '../helpers/script.js';

afterAll(removeProjects);

const manager = oneManager();

describe('recycling', () => {
  fact(
    manager,
    'recycles a worker after so many jobs, with workerFinish and unique numbers',
    `const f = new ThreadFactory({
      manager: () => [1, 2, 3, 4],
      worker: () => process.pid,
      workerFinish: ({ id }) => say({ finish: id }),
    }, { workers: 1, maxJobsPerWorker: 2 });
    return () => f.start().then((s) => say({ pids: new Set(s.results).size }));`,
    [{ finish: 1 }, { finish: 1 }, { pids: 2 }],
  );

  fact(
    manager,
    'gives a number to one living worker at a time, with several of them',
    `const f = new ThreadFactory({ manager: () => Array.from({ length: 8 }, (_, i) => i), worker: (n) => n }, { workers: 2, maxJobsPerWorker: 2 });
    const living = new Map();
    let twice = false;
    f.on('ready', ({ id, pid }) => { twice ||= living.has(id) || id > 2; living.set(id, pid); });
    f.on('exit', ({ id, pid }) => { if (living.get(id) === pid) living.delete(id); });
    return () => f.start().then((s) => say({ twice, left: living.size, completed: s.completed }));`,
    [{ twice: false, left: 0, completed: 8 }],
  );

  const heavy = manager.add(`
    const kept = [];
    const f = new ThreadFactory({
      manager: () => [1, 2, 3, 4],
      worker: () => { kept.push(Buffer.alloc(40 * 2 ** 20, 1)); return process.pid; },
      workerFinish: () => say({ finish: kept.length }),
    }, { workers: 1, maxMemoryPerWorker: 120 * 2 ** 20 });
    const reasons = [];
    f.on('exit', ({ reason }) => reasons.push(reason));
    return () => f.start().then((s) => say({ pids: new Set(s.results).size, reasons }));`);
  it('recycles a worker whose memory is over its limit, memory outside of the heap included', async () => {
    const said = await heavy();
    const last = said.at(-1) as { pids: number; reasons: string[] };
    expect(last.pids).toBeGreaterThan(1);
    expect(last.reasons.slice(0, -1)).toEqual(Array.from({ length: last.pids - 1 }, () => 'recycled'));
    expect(said).toHaveLength(last.reasons.length + 1);
  });

  fact(
    manager,
    'goes on where what a job left behind throws before workerFinish begins',
    `const { existsSync, writeFileSync } = require('node:fs');
    const recycled = require('node:path').join(__dirname, 'recycled');
    const f = new ThreadFactory({
      manager: () => [0, 1],
      worker: (n) => {
        // Nothing is heard meanwhile, and workerFinish not begun.
        if (n === 0) setImmediate(() => { while (!existsSync(recycled)); throw new Error('late'); });
      },
      workerFinish: () => say('finished'),
    }, { workers: 1, maxJobsPerWorker: 1 });
    f.on('completed', () => setImmediate(() => writeFileSync(recycled, '')));
    const reasons = [];
    f.on('exit', ({ reason }) => reasons.push(reason));
    return () => f.start().then((s) => say([s.completed, s.failed, reasons]));`,
    ['finished', [2, 0, ['recycled', 'recycled']]],
  );

  it('leaves a manager that ends by itself', async () => {
    expect((await manager.whole()).code).toBe(0);
  });
});
