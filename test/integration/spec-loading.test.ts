import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { project, removeProjects, runIn, script } from '../helpers/script.js';

afterAll(removeProjects);

const SAY = 'const say = (x) => console.log(JSON.stringify(x));\n';
const CJS = `const ThreadFactory = require('threadfactory');\n${SAY}`;
const ESM = `import ThreadFactory from 'threadfactory';\n${SAY}`;

describe('the module that called new ThreadFactory is what the workers load', () => {
  it('as an ES module with top-level await, several factories, one after the other', async () => {
    const ran = await script(
      `${ESM}
      const a = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n + 1 });
      const b = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n + 10 });
      say((await a.start()).results);
      say((await b.start()).results);
      say({ isWorker: ThreadFactory.isWorker });`,
      { file: 'main.mjs' },
    );
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[2, 3], [11, 12], { isWorker: false }]);
  });

  it('with a for await loop at top level, whose code after it runs in the manager alone', async () => {
    const ran = await script(
      `${ESM}
      let sum = 0;
      for await (const { result } of new ThreadFactory({ manager: () => [1, 2, 3], worker: (n) => n })) sum += result;
      say({ sum });`,
      { file: 'main.mjs' },
    );
    expect(ran.said).toEqual([{ sum: 6 }]);
  });

  it('from a folder with spaces, #, % and letters of all kinds', async () => {
    for (const [file, head] of [
      ['ma in#%20é.cjs', CJS],
      ['ma in#%20é.mjs', ESM],
    ] as const) {
      const folder = await project(
        {
          [file]: `${head} new ThreadFactory({ manager: () => [1], worker: (n) => n }).start().then((s) => say(s.results));`,
        },
        'a b#c%41日本',
      );
      const ran = await runIn(folder, file);
      expect(ran.stderr).toBe('');
      expect(ran.said).toEqual([[1]]);
    }
  });

  it('not the entry: a library module of a server is loaded, never the server', async () => {
    const folder = await project({
      'server.cjs': `${SAY} say({ server: true }); require('./lib/report.cjs').report().then(say);`,
      'lib/report.cjs': `const ThreadFactory = require('threadfactory');
        const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n * 7 });
        exports.report = async () => (await f.start()).results;`,
    });
    const ran = await runIn(folder, 'server.cjs');
    expect(ran.said).toEqual([{ server: true }, [7, 14]]);
  });

  it('through a subclass with a constructor of its own in another file', async () => {
    const folder = await project({
      'base.cjs': `const { ThreadFactory } = require('threadfactory');
        exports.Mine = class Mine extends ThreadFactory { constructor(spec) { super(spec, { workers: 1 }); } };`,
      'main.cjs': `const { Mine } = require('./base.cjs');\n${SAY}
        new Mine({ manager: () => [2], worker: (n) => n * n }).start().then((s) => say(s.results));`,
    });
    expect((await runIn(folder, 'main.cjs')).said).toEqual([[4]]);
  });

  it.each([
    ['exports.manager = () => [1]; exports.workerProcess = (n) => n + 1;', 'spec.cjs'],
    ['export const manager = () => [1]; export const worker = (n) => n + 1;', 'spec.mjs'],
    ['export default { manager: () => [1], worker: (n) => n + 1 };', 'spec.mjs'],
    ['module.exports = { manager: () => [1], worker: (n) => n + 1 };', 'spec.cjs'],
  ])('or a spec module that is named: %s', async (text, name) => {
    const folder = await project({
      [`specs/${name}`]: text,
      'main.mjs': `${ESM}
        say((await new ThreadFactory('./specs/${name}').start()).results);
        say((await new ThreadFactory(new URL('./specs/${name}', import.meta.url)).start()).results);`,
    });
    const ran = await runIn(folder, 'main.mjs');
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[2], [2]]);
  });

  it('also where the factory is constructed after the module was evaluated, by something that keeps it alive', async () => {
    const ran = await script(`${CJS}
      const server = setInterval(() => {}, 1000);
      setTimeout(() => {
        const f = new ThreadFactory({ manager: () => [1], worker: (n) => n + 1 });
        if (!ThreadFactory.isWorker) f.start().then((s) => say(s.results)).finally(() => clearInterval(server));
      }, 20);`);
    expect(ran.said).toEqual([[2]]);
  });

  it('and a job runs when all of it has run, though another factory was started before', async () => {
    const folder = await project({
      'main.mjs': `${ESM}
        const other = new ThreadFactory({ manager: () => [1], worker: (n) => n });
        const f = new ThreadFactory({ manager: () => [1], worker: (n) => n + late });
        other.start();
        const late = await new Promise((resolve) => setTimeout(resolve, 50, 1));
        say((await f.start()).results);`,
    });
    expect((await runIn(folder, 'main.mjs')).said).toEqual([[2]]);
  });

  it("as its caller was loaded, by a hook of the user's, where its format says nothing", async () => {
    const spec = '{ manager: () => [1], worker: (n) => n + 1 }';
    const folder = await project({
      'hook.cjs': `require.extensions['.foo'] = (module, file) =>
        module._compile(require('node:fs').readFileSync(file, 'utf8').replaceAll('let x: any', 'let x'), file);`,
      'spec.foo': `let x: any; module.exports = ${spec};`,
      'main.foo': `let x: any; ${CJS}
        const made = [new ThreadFactory(${spec}), new ThreadFactory(${spec}, { module: __filename }), new ThreadFactory('./spec.foo')];
        Promise.all(made.map((f) => f.start())).then((all) => say(all.map((s) => s.results[0])));`,
    });
    const ran = await runIn(folder, 'main.foo', { flags: ['--require', './hook.cjs'] });
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[2, 2, 2]]);
  });

  it('under the name of a link to it, and where Error is frozen', async () => {
    const folder = await project({
      'main.cjs': `Object.freeze(Error); ${CJS}
        new ThreadFactory({ manager: () => [1], worker: (n) => n + 1 }).start().then((s) => say(s.results));`,
    });
    await symlink(join(folder, 'main.cjs'), join(folder, 'link.cjs'));
    const ran = await runIn(folder, 'link.cjs', { flags: ['--preserve-symlinks-main'] });
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[2]]);
  });

  it('with TypeScript through tsx', async () => {
    const folder = await project({
      'main.mts': `import ThreadFactory from 'threadfactory';
        const f = new ThreadFactory({ manager: (): number[] => [1, 2], workerProcess: (n: number): number => n * 2 });
        console.log(JSON.stringify((await f.start()).results));`,
    });
    const ran = await runIn(folder, 'main.mts', { flags: ['--import', import.meta.resolve('tsx')] });
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[2, 4]]);
  });

  it('with argv, cwd and env of the manager, and a main module of its own', async () => {
    const ran = await script(
      `${CJS}
      const main = require.main === module;
      const f = new ThreadFactory({ manager: () => [1], worker: () => [process.argv[1] === __filename, main, process.env.MINE, ThreadFactory.isWorker] });
      f.start().then((s) => say([s.results[0], main]));`,
      { env: { MINE: 'here' } },
    );
    expect(ran.said).toEqual([[[true, false, 'here', true], true]]);
  });

  it('without the flags that would break a child', async () => {
    const ran = await script(
      `${CJS} new ThreadFactory({ manager: () => [1, 2], worker: () => process.execArgv.join(' ') }).start().then((s) => say(s.results));`,
      { flags: ['--inspect=127.0.0.1:0', '--no-warnings'], env: { NODE_OPTIONS: '--inspect-port=0' } },
    );
    expect(ran.said).toHaveLength(1);
    expect(ran.code).toBe(0);
  });
});

describe('what can not work is a SpecError that says what to move', () => {
  const failing = `.then(say, (e) => say({ code: e.code, message: e.message }))`;

  it.each([
    [
      'behind require.main === module',
      'main.cjs',
      `${CJS} if (require.main === module) new ThreadFactory({ manager: () => [1], worker: (n) => n }).start()${failing};`,
    ],
    [
      'in a function that a worker does not call',
      'main.cjs',
      `${CJS} const go = () => new ThreadFactory({ manager: () => [1], worker: (n) => n }).start()${failing};
       if (!ThreadFactory.isWorker) go();`,
    ],
    [
      'after an awaited start',
      'main.mjs',
      `${ESM} const a = new ThreadFactory({ manager: () => [1], worker: (n) => n });
       await a.start();
       const b = new ThreadFactory({ manager: () => [1], worker: (n) => n });
       await b.start()${failing};`,
    ],
  ])('a factory constructed %s', async (_, file, text) => {
    const ran = await script(text, { file });
    expect(ran.said).toEqual([{ code: 'ERR_SPEC', message: expect.stringContaining('top level') as string }]);
    expect(ran.code).toBe(0);
  });

  it('code without a file', async () => {
    const folder = await project({});
    const ran = await runIn(folder, '-e', {
      flags: [],
      env: {},
    });
    expect(ran.code).not.toBe(0);
    const text = `try { new (require('threadfactory'))({ manager: () => [], worker: () => 1 }) } catch (e) { console.log(JSON.stringify({ code: e.code })) }`;
    const evaluated = await runIn(folder, text, { flags: ['-e'] });
    expect(evaluated.said).toEqual([{ code: 'ERR_SPEC' }]);
    const asModule = await runIn(
      folder,
      `import TF from 'threadfactory'; ${text.replace(/require\(.*?\)/, 'TF')}`,
      {
        flags: ['--input-type=module', '-e'],
      },
    );
    expect(asModule.said).toEqual([{ code: 'ERR_SPEC' }]);
  });

  it.each([
    ['{ worker() {} }', 'manager'],
    ['{ manager() {} }', 'workerProcess'],
    ['{ manager() {}, worker() {}, workerProcess() {} }', 'two names'],
    ['{ manager: 1, worker() {} }', 'manager'],
    ['null', 'null'],
    ["'./missing.js'", 'missing.js'],
  ])('a spec such as %s', async (spec, named) => {
    const ran = await script(
      `${CJS} try { new ThreadFactory(${spec}) } catch (e) { say({ code: e.code, message: e.message }) }`,
    );
    expect(ran.said).toEqual([{ code: 'ERR_SPEC', message: expect.stringContaining(named) as string }]);
  });

  it.each([2, 0])(
    'a factory started from inside a job, its callbacks included, with %i workers',
    async (workers) => {
      const ran = await script(`${CJS}
      const { readFile } = require('node:fs');
      const inner = new ThreadFactory({ manager: () => [1], worker: (n) => n });
      const later = (call) => new Promise((resolve, reject) => call(() => inner.start().then(resolve, reject)));
      const jobs = {
        awaited: async () => { await null; return inner.start(); },
        timer: () => later((go) => setTimeout(go, 5)),
        file: () => later((go) => readFile(__filename, go)),
        iterated: async () => { for await (const _ of inner) return; },
      };
      const f = new ThreadFactory({ manager: () => Object.keys(jobs), worker: (name) => jobs[name]() }, { workers: ${workers} });
      const codes = {};
      f.on('error', (e, { job }) => { codes[job] = e.code; });
      // A listener is no part of a job, wherever jobs run.
      f.on('finished', () => inner.start().then(({ results }) => say({ codes, results })));
      f.start();`);
      const codes = { awaited: 'ERR_SPEC', timer: 'ERR_SPEC', file: 'ERR_SPEC', iterated: 'ERR_SPEC' };
      expect(ran.said).toEqual([{ codes, results: [1] }]);
    },
  );

  it('another factory in the place of one whose construction depends on a condition', async () => {
    const ran = await script(`${CJS}
      let f;
      if (require.main === module) f = new ThreadFactory({ manager: () => [1], worker: (n) => 'mine ' + n });
      new ThreadFactory({ manager: () => [1], worker: (n) => 'another ' + n });
      if (require.main === module) f.start().catch((e) => say({ code: e.code, message: e.message }));`);
    expect(ran.said).toEqual([
      { code: 'ERR_SPEC', message: expect.stringContaining('depends on a condition') as string },
    ]);
  });

  it('a module that throws when it loads fails the run with its own stack after a few tries', async () => {
    const ran = await script(`${CJS}
      const f = new ThreadFactory({ manager: () => [1, 2, 3], worker: (n) => n });
      if (ThreadFactory.isWorker) nothingOfThatName();
      let exits = 0;
      f.on('exit', () => exits++);
      f.start().catch((e) => say({ code: e.code, cause: e.cause.name, mine: e.stack.includes('main.cjs'), few: exits < 8 }));`);
    expect(ran.said).toEqual([{ code: 'ERR_WORKER_START', cause: 'ReferenceError', mine: true, few: true }]);
  });
});
