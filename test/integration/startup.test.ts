import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, project, removeProjects, runIn, script } from '../helpers/script.js';

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

  it.each([
    ['rejects', "() => Promise.reject(new TypeError('no db'))", 'no db'],
    ['exits', '() => process.exit(4)', 'exited with code 4'],
    ['hangs beyond startupTimeout', '() => { for (;;); }', 'startupTimeout (400 ms)', 400],
  ] as [string, string, string, number?][])(
    'fails the run when workerStartup %s, after a few tries',
    async (_, startup, text, limit = 30_000) => {
      const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [1, 2], workerStartup: ${startup}, worker: (n) => n }, { workers: 1, startupTimeout: ${limit} });
      let exits = 0;
      f.on('exit', () => exits++);
      f.start().catch((e) => say({ code: e.code, message: e.message, exits }));`);
      expect(ran.said).toEqual([
        { code: 'ERR_WORKER_START', message: expect.stringContaining(text) as string, exits: 3 },
      ]);
    },
  );

  it('fails the run when the module hangs as it loads', async () => {
    const ran = await script(`${HEAD}
      if (ThreadFactory.isWorker) for (;;);
      const f = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1, startupTimeout: 400 });
      f.start().catch((e) => say({ code: e.code, message: e.message }));`);
    expect(ran.said).toEqual([
      { code: 'ERR_WORKER_START', message: expect.stringContaining('startupTimeout (400 ms)') as string },
    ]);
  });

  it('goes on with the workers that do start', async () => {
    const ran = await script(`${HEAD}
      // Only the first that comes here gets through.
      const first = () => { try { require('node:fs').mkdirSync('taken'); return true; } catch { return false; } };
      const f = new ThreadFactory({
        manager: () => [0, 1, 2, 3, 4, 5],
        workerStartup: () => { if (!first()) throw new Error('no room'); },
        worker: (n) => n,
      }, { workers: 3 });
      f.start().then((s) => say(s.results));`);
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[0, 1, 2, 3, 4, 5]]);
  });

  it('waits for process slots and files that are short for a while, and names what is short for ever', async () => {
    const main = `${HEAD}
      const { openSync, closeSync } = require('node:fs');
      const f = new ThreadFactory({
        manager: () => {
          const files = [];
          try { for (;;) files.push(openSync('/dev/null')); } catch {}
          if (process.argv[2] === 'a while') setTimeout(() => files.forEach((file) => closeSync(file)), 150);
          return [1, 2];
        },
        worker: (n) => n,
      }, { workers: 2 });
      f.start().then((s) => say(s.results), (e) => say({ code: e.code, cause: e.cause.code }));`;
    const folder = await project({ 'main.cjs': main });
    const said = [];
    for (const how of ['a while', 'ever']) {
      const ran = await runIn(folder, '-c', {
        program: 'sh',
        args: [`ulimit -n 128; exec "${process.execPath}" main.cjs "${how}"`],
      });
      said.push(...ran.said);
    }
    expect(said).toEqual([[1, 2], { code: 'ERR_WORKER_START', cause: 'EMFILE' }]);
  });
});
