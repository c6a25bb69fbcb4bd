import { afterAll, describe, expect, it } from 'vitest';
import { HANG, HEAD, project, removeProjects, runIn, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('workers that can not start', () => {
  it('fail the run after a few tries, with the stack of what went wrong', async () => {
    const ran = await script(`${HEAD}
      const make = (workerStartup, options) => new ThreadFactory({ manager: () => [1, 2], workerStartup, worker: (n) => n }, { workers: 1, ...options });
      function openDatabase() { throw new TypeError('no db'); }
      ${HANG}
      const all = {
        throws: make(() => openDatabase()),
        rejects: make(async () => openDatabase()),
        exits: make(() => process.exit(4)),
        hangs: make(hang, { startupTimeout: 400 }),
        isNoProgram: make(undefined, { execPath: '/no/such/node' }),
        isFolder: make(undefined, { execPath: '/tmp' }),
      };
      Promise.all(Object.entries(all).map(async ([name, f]) => {
        let exits = 0;
        f.on('exit', () => exits++);
        const { code, message, stack, cause } = await f.start().catch((e) => e);
        return [name, { code, message, cause: cause?.message, where: stack.includes('openDatabase'), exits }];
      })).then((said) => say(Object.fromEntries(said)));`);
    const contains = (text: string) => expect.stringContaining(text) as string;
    const failed = { code: 'ERR_WORKER_START', where: false, exits: 3 };
    const thrown = { ...failed, message: contains('no db'), cause: 'no db', where: true };
    expect(ran.said).toEqual([
      {
        throws: thrown,
        rejects: thrown,
        exits: { ...failed, message: contains('exited with code 4') },
        hangs: { ...failed, message: contains('startupTimeout (400 ms)') },
        isNoProgram: { ...failed, message: contains('ENOENT'), cause: contains('ENOENT'), exits: 0 },
        isFolder: { ...failed, message: contains('EACCES'), cause: contains('EACCES'), exits: 0 },
      },
    ]);
  });

  it('fail the run with the error that nobody caught while their module loads', async () => {
    const ran = await script(
      `import ThreadFactory from 'threadfactory';
      function readConfig() { throw new TypeError('no config'); }
      if (ThreadFactory.isWorker) { setTimeout(readConfig); await new Promise((resolve) => setTimeout(resolve, 20_000)); }
      const f = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1, output: 'ignore' });
      await f.start().catch(({ code, message, stack }) => console.log(JSON.stringify([code, message.includes('no config'), stack.includes('readConfig')])));`,
      { file: 'main.mjs' },
    );
    expect(ran.said).toEqual([['ERR_WORKER_START', true, true]]);
  });

  it('fail the run when the module hangs as it loads', async () => {
    const ran = await script(`${HEAD}
      ${HANG}
      if (ThreadFactory.isWorker) hang();
      const f = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1, startupTimeout: 400 });
      f.start().catch((e) => say({ code: e.code, message: e.message }));`);
    expect(ran.said).toEqual([
      { code: 'ERR_WORKER_START', message: expect.stringContaining('startupTimeout (400 ms)') as string },
    ]);
  });

  it('leave the run to the workers that do start', async () => {
    const ran = await script(`${HEAD}
      // Only the first that comes here gets through.
      const first = () => { try { require('node:fs').mkdirSync('taken'); return true; } catch { return false; } };
      const f = new ThreadFactory({
        manager: () => [0, 1, 2, 3],
        workerStartup: () => { if (!first()) throw new Error('no room'); },
        worker: (n) => n,
      }, { workers: 2 });
      f.start().then((s) => say(s.results));`);
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[0, 1, 2, 3]]);
  });

  it('are waited for while process slots or files are short; what is short for ever is named', async () => {
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
      }, { workers: 1 });
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

  it('are forked though no file could be opened when it was asked how to end them with us', async () => {
    const main = `${HEAD}
      const { openSync, closeSync } = require('node:fs');
      const inline = new ThreadFactory({ manager: () => [], worker: (n) => n }, { workers: 0 });
      const f = new ThreadFactory({ manager: async () => { await new Promise(setImmediate); return [1, 2]; }, worker: (n) => n }, { workers: 1 });
      (async () => {
        if (ThreadFactory.isWorker) return;
        // All of the library is loaded by then.
        await inline.start();
        const files = [];
        try { for (;;) files.push(openSync('/dev/null')); } catch {}
        const run = f.start();
        setTimeout(() => files.forEach((file) => closeSync(file)), 150);
        say((await run).results);
      })();`;
    const folder = await project({ 'main.cjs': main });
    const ran = await runIn(folder, '-c', {
      program: 'sh',
      args: [`ulimit -n 128; exec "${process.execPath}" main.cjs`],
    });
    expect([ran.said, ran.stderr]).toEqual([[[1, 2]], '']);
  });
});
