import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('workers that can not start', () => {
  it('fails the run when workerStartup always fails, and when the program does not exist', async () => {
    const ran = await script(`${HEAD}
      const spec = { manager: () => [1, 2], workerStartup: () => { throw new TypeError('no db'); }, worker: (n) => n };
      const f = new ThreadFactory(spec, { workers: 2 });
      const g = new ThreadFactory(spec, { execPath: '/no/such/node' });
      (async () => {
        for (const x of [f, g]) await x.start().catch((e) => say({ code: e.code, cause: e.cause?.message }));
      })();`);
    expect(ran.said).toEqual([
      { code: 'ERR_WORKER_START', cause: 'no db' },
      { code: 'ERR_WORKER_START', cause: expect.stringContaining('ENOENT') as string },
    ]);
  });
});
