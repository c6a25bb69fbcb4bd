import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('output', () => {
  it('is marked by whole lines with the worker, ten megabytes before an exit included', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1],
        worker: () => { process.stdout.write('é'.repeat(10) + '\\n'); for (let i = 0; i < 10000; i++) process.stdout.write('x'.repeat(1000) + '\\n'); process.stdout.write('last'); },
      }, { output: 'prefix' });
      f.start();`);
    const lines = ran.stdout.split('\n');
    expect(lines[0]).toBe(`[1] ${'é'.repeat(10)}`);
    expect(lines).toHaveLength(10003);
    expect(lines[10001]).toBe('[1] last');
  });
});

describe('last words', () => {
  it('a large result right before a worker leaves is not cut off', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [1, 2, 3], worker: () => Buffer.alloc(3e6, 7) }, { maxJobsPerWorker: 1, workers: 1 });
      f.start().then((s) => say(s.results.map((b) => b.length)));`);
    expect(ran.said).toEqual([[3e6, 3e6, 3e6]]);
  });
});
