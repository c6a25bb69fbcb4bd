import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CJS, ESM, SAY, saidAs } from '../helpers/cases.js';
import type { Ran } from '../helpers/script.js';
import { project, removeProjects, runIn, script } from '../helpers/script.js';

afterAll(removeProjects);

/** Modules that are named to the constructor, by what they hold. */
const SPECS = [
  ['exports.cjs', 'exports.manager = () => [1]; exports.workerProcess = (n) => n + 1;'],
  ['exports.mjs', 'export const manager = () => [1]; export const worker = (n) => n + 1;'],
  ['default.mjs', 'export default { manager: () => [1], worker: (n) => n + 1 };'],
  ['whole.cjs', 'module.exports = { manager: () => [1], worker: (n) => n + 1 };'],
] as const;

/** A folder and files whose names have to be escaped somewhere. */
const STRANGE = 'a b#c%41日本';
const STRANGE_CJS = 'ma in#%20é.cjs';
const STRANGE_MJS = 'ma in#%20é.mjs';

/** Each of these modules constructs factories and says under its name what they made. */
const ES_MODULES = {
  'iterated.mjs': `${ESM}
    let sum = 0;
    const factory = new ThreadFactory({ manager: () => [1, 2, 3], worker: (n) => n }, { workers: 1 });
    for await (const { result } of factory) sum += result;
    say('iterated', { sum });`,
  'late.mjs': `${ESM}
    const other = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
    const f = new ThreadFactory({ manager: () => [1], worker: (n) => n + late }, { workers: 1 });
    other.start();
    const late = await new Promise((resolve) => setTimeout(resolve, 50, 1));
    say('late', (await f.start()).results);`,
  'named.mjs': `${ESM}
    for (const name of ${JSON.stringify(SPECS.map(([name]) => name))}) {
      const path = './specs/' + name;
      for (const spec of [path, new URL(path, import.meta.url)]) {
        say(name, (await new ThreadFactory(spec, { workers: 1 }).start()).results);
      }
    }`,
};

const ES_ENTRY = `${ESM}
  const a = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n + 1 }, { workers: 1 });
  const b = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n + 10 }, { workers: 1 });
  say('entry', (await a.start()).results);
  say('entry', (await b.start()).results);
  say('entry', { isWorker: ThreadFactory.isWorker });
  for (const file of ${JSON.stringify(Object.keys(ES_MODULES))}) {
    await import('./' + file).catch((e) => say(file, { threw: e.message }));
  }`;

const CJS_MODULES = {
  'lib/report.cjs': `const ThreadFactory = require('threadfactory');
    const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n * 7 }, { workers: 1 });
    exports.report = async () => (await f.start()).results;`,
  'lib/base.cjs': `const { ThreadFactory } = require('threadfactory');
    exports.Mine = class Mine extends ThreadFactory { constructor(spec) { super(spec, { workers: 1 }); } };`,
  'lib/mine.cjs': `const { Mine } = require('./base.cjs');
    const f = new Mine({ manager: () => [2], worker: (n) => n * n });
    exports.report = async () => (await f.start()).results;`,
  'lib/timer.cjs': `const ThreadFactory = require('threadfactory');
    const server = setInterval(() => {}, 1000);
    const results = new Promise((resolve, reject) => setTimeout(() => {
      const f = new ThreadFactory({ manager: () => [1], worker: (n) => n + 1 }, { workers: 1 });
      if (!ThreadFactory.isWorker) f.start().then((s) => resolve(s.results), reject).finally(() => clearInterval(server));
    }, 20));
    exports.report = () => results;`,
};

const CJS_ENTRY = `${CJS}
  say('loaded', { isWorker: ThreadFactory.isWorker });
  const main = require.main === module;
  const f = new ThreadFactory({
    manager: () => [1],
    worker: () => ({
      like: [process.argv[1] === __filename, main, process.env.MINE, ThreadFactory.isWorker],
      flags: process.execArgv,
    }),
  }, { workers: 1 });
  if (!ThreadFactory.isWorker) (async () => {
    const [{ like, flags }] = (await f.start()).results;
    say('like', [like, main]);
    say('flags', flags);
    for (const name of ['report', 'mine', 'timer']) {
      const results = require('./lib/' + name + '.cjs').report();
      say(name, await results.catch((e) => ({ threw: e.message })));
    }
  })();`;

describe('the module that called new ThreadFactory is what the workers load', () => {
  let ofEsModules: Ran;
  let ofCommonJs: Ran;
  beforeAll(async () => {
    const specs = Object.fromEntries(SPECS.map(([name, text]) => [`specs/${name}`, text]));
    const entries = { [STRANGE_MJS]: ES_ENTRY, [STRANGE_CJS]: CJS_ENTRY };
    const folder = await project({ ...entries, ...ES_MODULES, ...CJS_MODULES, ...specs }, STRANGE);
    ofEsModules = await runIn(folder, STRANGE_MJS);
    ofCommonJs = await runIn(folder, STRANGE_CJS, {
      flags: ['--inspect=127.0.0.1:0', '--no-warnings'],
      env: { NODE_OPTIONS: '--inspect-port=0', MINE: 'here' },
    });
  });

  it('as an ES module with top-level await, several factories, one after the other', () => {
    expect(ofEsModules.stderr).toBe('');
    expect(saidAs(ofEsModules, 'entry')).toEqual([[2, 3], [11, 12], { isWorker: false }]);
  });

  it('with a for await loop at top level, whose code after it runs in the manager alone', () => {
    expect(saidAs(ofEsModules, 'iterated')).toEqual([{ sum: 6 }]);
  });

  it('from a folder with spaces, #, % and letters of all kinds', () => {
    for (const { folder, code, said } of [ofEsModules, ofCommonJs]) {
      expect([folder.endsWith(STRANGE), code]).toEqual([true, 0]);
      expect(JSON.stringify(said)).not.toContain('threw');
    }
  });

  it('not the entry: a library module of a server is loaded, never the server', () => {
    // The worker of the entry's own factory did load it.
    expect(saidAs(ofCommonJs, 'loaded')).toEqual([{ isWorker: false }, { isWorker: true }]);
    expect(saidAs(ofCommonJs, 'report')).toEqual([[7, 14]]);
  });

  it('through a subclass with a constructor of its own in another file', () => {
    expect(saidAs(ofCommonJs, 'mine')).toEqual([[4]]);
  });

  it.each(SPECS)('or a spec module that is named, by its path or its URL: %s with %s', (name) => {
    expect(saidAs(ofEsModules, name)).toEqual([[2], [2]]);
  });

  it('also where the factory is constructed after the module was evaluated, by something that keeps it alive', () => {
    expect(saidAs(ofCommonJs, 'timer')).toEqual([[2]]);
  });

  it('and a job runs when all of it has run, though another factory was started before', () => {
    expect(saidAs(ofEsModules, 'late')).toEqual([[2]]);
  });

  it('with argv, cwd and env of the manager, and a main module of its own', () => {
    expect(saidAs(ofCommonJs, 'like')).toEqual([[[true, false, 'here', true], true]]);
  });

  it('without the flags that would break a child', () => {
    expect(saidAs(ofCommonJs, 'flags')).toHaveLength(1);
    expect(ofCommonJs.code).toBe(0);
  });

  it("as its caller was loaded, by a hook of the user's, where its format says nothing", async () => {
    const spec = '{ manager: () => [1], worker: (n) => n + 1 }';
    const folder = await project({
      'hook.cjs': `require.extensions['.foo'] = (module, file) =>
        module._compile(require('node:fs').readFileSync(file, 'utf8').replaceAll('let x: any', 'let x'), file);`,
      'spec.foo': `let x: any; module.exports = ${spec};`,
      'main.foo': `let x: any; ${CJS}
        const one = { workers: 1 };
        const made = [new ThreadFactory(${spec}, one), new ThreadFactory(${spec}, { module: __filename, ...one }), new ThreadFactory('./spec.foo', one)];
        Promise.all(made.map((f) => f.start())).then((all) => say('hooked', all.map((s) => s.results[0])));`,
    });
    const ran = await runIn(folder, 'main.foo', { flags: ['--require', './hook.cjs'] });
    expect(ran.stderr).toBe('');
    expect(saidAs(ran, 'hooked')).toEqual([[2, 2, 2]]);
  });

  it('under the name of a link to it, and where Error is frozen', async () => {
    const folder = await project({
      'main.cjs': `Object.freeze(Error); ${CJS}
        const f = new ThreadFactory({ manager: () => [1], worker: (n) => n + 1 }, { workers: 1 });
        f.start().then((s) => say('linked', s.results));`,
    });
    await symlink(join(folder, 'main.cjs'), join(folder, 'link.cjs'));
    const ran = await runIn(folder, 'link.cjs', { flags: ['--preserve-symlinks-main'] });
    expect(ran.stderr).toBe('');
    expect(saidAs(ran, 'linked')).toEqual([[2]]);
  });

  it('with TypeScript through tsx', async () => {
    const folder = await project({
      'main.mts': `import ThreadFactory from 'threadfactory';
        const spec = { manager: (): number[] => [1, 2], workerProcess: (n: number): number => n * 2 };
        console.log(JSON.stringify((await new ThreadFactory(spec, { workers: 1 }).start()).results));`,
    });
    const ran = await runIn(folder, 'main.mts', { flags: ['--import', import.meta.resolve('tsx')] });
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[2, 4]]);
  });

  it('with TypeScript that a worker transforms otherwise than the manager did, as a test runner does', async () => {
    const folder = await project({
      'lib.ts': `const TF = require('threadfactory');
        exports.f = new TF({ manager: (x: number[]) => x, workerProcess: (n) => n * 3 },
          { workers: 1, execArgv: ['--import', '${import.meta.resolve('tsx')}'] });`,
      // All it does is take the types away.
      'main.cjs': `require.extensions['.ts'] = (module, file) =>
          module._compile(require('node:fs').readFileSync(file, 'utf8').replace(': number[]', ''), file);
        require('./lib.ts').f.start([1, 2]).then((s) => console.log(JSON.stringify(s.results)));`,
    });
    const ran = await runIn(folder, 'main.cjs');
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[3, 6]]);
  });
});

/** Says the code and message of what went wrong. */
const refused = (name: string): string =>
  `.then((s) => say('${name}', s), (e) => say('${name}', { code: e.code, message: e.message }))`;

const WRONG_SPECS = [
  ['{ worker() {} }', 'manager'],
  ['{ manager() {} }', 'workerProcess'],
  ['{ manager() {}, worker() {}, workerProcess() {} }', 'two names'],
  ['{ manager: 1, worker() {} }', 'manager'],
  ['null', 'null'],
  ["'./missing.js'", 'missing.js'],
] as const;

/** In turn: what each says, it says under its name. */
const REFUSED_MODULES = {
  'function.cjs': `${CJS}
    const go = () => new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 }).start()${refused('function')};
    if (!ThreadFactory.isWorker) exports.over = go();`,
  'awaited.mjs': `${ESM}
    const a = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
    await a.start();
    const b = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
    await b.start()${refused('awaited')};`,
  'waiting.mjs': `${ESM}
    if (ThreadFactory.isWorker) await new Promise((resolve) => setTimeout(resolve, 60_000));
    const limits = { startupTimeout: 5000, execArgv: ['--require', './slow.cjs'] };
    const f = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1, ...limits });
    await f.start()${refused('waiting')};`,
  'specs.cjs': `${CJS}
    ${WRONG_SPECS.map(
      ([spec]) =>
        `try { new ThreadFactory(${spec}); } catch (e) { say(${JSON.stringify(spec)}, { code: e.code, message: e.message }); }`,
    ).join('\n')}`,
  'inside.cjs': `${CJS}
    const { readFile } = require('node:fs');
    const inner = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
    const later = (call) => new Promise((resolve, reject) => call(() => inner.start().then(resolve, reject)));
    const jobs = {
      awaited: async () => { await null; return inner.start(); },
      timer: () => later((go) => setTimeout(go, 5)),
      file: () => later((go) => readFile(__filename, go)),
      iterated: async () => { for await (const _ of inner) return; },
    };
    const outer = [1, 0].map((workers) => {
      const f = new ThreadFactory({ manager: () => Object.keys(jobs), worker: (name) => jobs[name]() }, { workers });
      const codes = {};
      f.on('error', (e, { job }) => { codes[job] = e.code; });
      return () => new Promise((resolve) => {
        // A listener is no part of a job, wherever jobs run.
        f.on('finished', () => inner.start().then(({ results }) => say('inside ' + workers, { codes, results })).finally(resolve));
        f.start();
      });
    });
    if (!ThreadFactory.isWorker) exports.over = outer[0]().then(outer[1]);`,
  'deaf.cjs': `${CJS}
    for (const name of ['beforeExit', 'exit', 'message']) process.removeAllListeners(name);
    const make = () => new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
    if (!ThreadFactory.isWorker) exports.over = make().start()${refused('deaf')};`,
  'condition.cjs': `${CJS}
    let f;
    if (!ThreadFactory.isWorker) f = new ThreadFactory({ manager: () => [1], worker: (n) => 'mine ' + n }, { workers: 1 });
    new ThreadFactory({ manager: () => [1], worker: (n) => 'another ' + n });
    if (!ThreadFactory.isWorker) exports.over = f.start()${refused('condition')};`,
  'conditional.cjs': `${CJS}
    const worker = ThreadFactory.isWorker ? (n) => n : () => 'only in workers';
    exports.over = new ThreadFactory({ manager: () => [1], worker }, { workers: 1 }).start()${refused('conditional')};`,
  'throws.cjs': `${CJS}
    const f = new ThreadFactory({ manager: () => [1, 2, 3], worker: (n) => n }, { workers: 1 });
    if (ThreadFactory.isWorker) nothingOfThatName();
    let exits = 0;
    f.on('exit', () => exits++);
    exports.over = f.start().catch((e) =>
      say('throws', { code: e.code, cause: e.cause.name, mine: e.stack.includes('throws.cjs'), few: exits <= 3 }));`,
  'rejects.cjs': `${CJS}
    const f = new ThreadFactory({ manager: () => Array.from({ length: 20 }, (_, i) => i), worker: (n) => n }, { workers: 1 });
    if (ThreadFactory.isWorker) Promise.reject(new RangeError('left behind'));
    let exits = 0;
    f.on('exit', () => exits++);
    exports.over = f.start().catch((e) =>
      say('rejects', { code: e.code, named: e.message.includes('left behind'), few: exits <= 3 }));`,
};

/** Loaded before all else: what comes after it has that much less of its time. */
const SLOW = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);';

const REFUSED_ENTRY = `${CJS}
  if (require.main === module) (async () => {
    await new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 }).start()${refused('main')};
    for (const file of ${JSON.stringify(Object.keys(REFUSED_MODULES))}) {
      const { over } = await import('./' + file);
      await over;
    }
  })();`;

describe('what can not work is a SpecError that says what to move', () => {
  let ran: Ran;
  beforeAll(async () => {
    ran = await runIn(
      await project({ ...REFUSED_MODULES, 'slow.cjs': SLOW, 'main.cjs': REFUSED_ENTRY }),
      'main.cjs',
    );
  });

  it.each([
    ['behind require.main === module', 'main'],
    ['in a function that a worker does not call', 'function'],
    ['where the module removes the listeners of an event that tells so', 'deaf'],
    ['after an awaited start', 'awaited'],
  ])('a factory constructed %s', (_, name) => {
    expect(saidAs(ran, name)).toEqual([
      { code: 'ERR_SPEC', message: expect.stringContaining('top level') as string },
    ]);
    expect(ran.code).toBe(0);
  });

  it('a factory that a worker does not come to in its time, since its module waits for something', () => {
    expect(saidAs(ran, 'waiting')).toEqual([
      { code: 'ERR_SPEC', message: expect.stringContaining('still waiting for something') as string },
    ]);
  });

  it.each([
    ['', "const TF = require('threadfactory');"],
    ['--input-type=module', "import TF from 'threadfactory';"],
  ])('code without a file: -e %s', async (type, load) => {
    const text = `${load} ${SAY} try { new TF({ manager: () => [], worker: () => 1 }) } catch (e) { say('no file', { code: e.code }) }`;
    const flags = [...(type === '' ? [] : [type]), '-e'];
    const evaluated = await runIn(await project({}), text, { flags });
    expect(saidAs(evaluated, 'no file')).toEqual([{ code: 'ERR_SPEC' }]);
  });

  it.each(WRONG_SPECS)('a spec such as %s', (spec, named) => {
    expect(saidAs(ran, spec)).toEqual([
      { code: 'ERR_SPEC', message: expect.stringContaining(named) as string },
    ]);
  });

  it.each([1, 0])(
    'a factory started from inside a job, its callbacks included, with workers: %i',
    (workers) => {
      const codes = { awaited: 'ERR_SPEC', timer: 'ERR_SPEC', file: 'ERR_SPEC', iterated: 'ERR_SPEC' };
      expect(saidAs(ran, `inside ${workers}`)).toEqual([{ codes, results: [1] }]);
    },
  );

  it.each(['', ', { workers: 1 }'])('the library bundled away from its other files%s', async (options) => {
    const index = await readFile(new URL('../../dist/index.cjs', import.meta.url), 'utf8');
    const main = `${SAY} const TF = require('./index.cjs');
      try { new TF({ manager: () => [], worker: () => 1 }${options}) } catch ({ code, message }) { say('alone', { code, message }) }`;
    const alone = await runIn(await project({ 'index.cjs': index, 'main.cjs': main }), 'main.cjs');
    expect(saidAs(alone, 'alone')).toEqual([
      { code: 'ERR_SPEC', message: expect.stringContaining('Mark threadfactory external') as string },
    ]);
  });

  it('another factory in the place of one whose construction depends on a condition', () => {
    expect(saidAs(ran, 'condition')).toEqual([
      { code: 'ERR_SPEC', message: expect.stringContaining('depends on a condition') as string },
    ]);
  });

  it('a function that depends on a condition', () => {
    expect(saidAs(ran, 'conditional')).toEqual([
      { code: 'ERR_SPEC', message: expect.stringContaining('or one of its functions, depends on') as string },
    ]);
  });

  it('a module that throws when it loads fails the run with its own stack after a few tries', () => {
    expect(saidAs(ran, 'throws')).toEqual([
      { code: 'ERR_WORKER_START', cause: 'ReferenceError', mine: true, few: true },
    ]);
  });

  it('so does one that leaves a rejection behind that nobody handles', () => {
    expect(saidAs(ran, 'rejects')).toEqual([{ code: 'ERR_WORKER_START', named: true, few: true }]);
  });

  it('an option in the spec, where it would have no effect', async () => {
    const main = `${SAY} const TF = require('threadfactory');
      try { new TF({ manager: () => [], worker: () => 1, journal: 'run.jsonl' }) } catch ({ code, message }) { say('misplaced', { code, message }) }`;
    const misplaced = await runIn(await project({ 'main.cjs': main }), 'main.cjs');
    expect(saidAs(misplaced, 'misplaced')).toEqual([
      {
        code: 'ERR_OPTION',
        message: '`journal` of the spec is an option: it belongs in the second argument',
      },
    ]);
  });
});

describe('a worker is known as one', () => {
  const main = `${SAY} const TF = require('threadfactory');
    const f = new TF({ manager: () => [1], worker: WORKER }, { workers: 1 });
    if (!TF.isWorker) f.start().then(({ results }) => say('results', results), (error) => say('results', error.code));`;

  it.each([
    ['', 'threadfactory'],
    [', be it with another version of the library', './other/index.cjs'],
  ])('by what is preloaded into it%s', async (_, library) => {
    const preloaded = `require('node:fs').appendFileSync('seen', String(require('${library}').isWorker) + ' ');`;
    const folder = await project({ 'pre.cjs': preloaded, 'main.cjs': main.replace('WORKER', '(n) => n') });
    const other = join(folder, 'other', 'index.cjs');
    await cp(new URL('../../dist', import.meta.url), dirname(other), { recursive: true });
    await writeFile(other, (await readFile(other, 'utf8')).replace(/"\d+\.\d+\.\d+"/, '"9.9.9"'));
    const ran = await runIn(folder, 'main.cjs', { flags: ['--require', './pre.cjs'] });
    expect(saidAs(ran, 'results')).toEqual([[1]]);
    expect(await readFile(join(folder, 'seen'), 'utf8')).toBe('false true ');
  });

  it('by the threads of its jobs, whatever their env, and not by the processes of its jobs', async () => {
    const asks = `const { isWorker } = require('threadfactory');
      const { parentPort } = require('node:worker_threads');
      const said = [isWorker, Object.keys(process.env).filter((name) => name.startsWith('THREADFACTORY'))];
      if (parentPort === null) process.stdout.write(JSON.stringify(said));
      else parentPort.postMessage(said);`;
    const worker = `async (n) => {
      const { Worker } = require('node:worker_threads');
      const { execFileSync } = require('node:child_process');
      const thread = (options) => new Promise((resolve) => new Worker('./asks.cjs', options).once('message', resolve));
      const process_ = JSON.parse(execFileSync(process.execPath, ['asks.cjs'], { encoding: 'utf8' }));
      return [await thread({}), await thread({ env: {}, argv: [], execArgv: [] }), process_];
    }`;
    const folder = await project({ 'asks.cjs': asks, 'main.cjs': main.replace('WORKER', worker) });
    const ran = await runIn(folder, 'main.cjs');
    const [known, unknown] = [
      [true, []],
      [false, []],
    ];
    expect(saidAs(ran, 'results')).toEqual([[[known, known, unknown]]]);
  });

  it('by a thread of a job: what it starts is refused', async () => {
    const starts = `const { parentPort } = require('node:worker_threads');
      const TF = require('threadfactory');
      const factory = new TF({ manager: () => [1], worker: () => 1 });
      const tell = ({ code }) => parentPort.postMessage(code);
      factory.start().catch(tell);
      try { factory[Symbol.asyncIterator](); } catch (error) { tell(error); }`;
    const worker = `() => new Promise((resolve) => {
      const codes = [];
      new (require('node:worker_threads').Worker)('./starts.cjs')
        .on('message', (code) => codes.push(code)).once('exit', () => resolve(codes));
    })`;
    const folder = await project({ 'starts.cjs': starts, 'main.cjs': main.replace('WORKER', worker) });
    const ran = await runIn(folder, 'main.cjs');
    expect(saidAs(ran, 'results')).toEqual([[['ERR_SPEC', 'ERR_SPEC']]]);
  });

  it('by a second copy of the library: what it starts inside a job is refused', async () => {
    const worker = `() => new (require('./copy/index.cjs'))({ manager: () => [1], worker: () => 1 }, { module: './spec.cjs' })
      .start().then(() => 'started', ({ code }) => code)`;
    const folder = await project({
      'spec.cjs': 'exports.manager = () => [1]; exports.worker = () => 1;',
      'main.cjs': main.replace('WORKER', worker),
    });
    await cp(new URL('../../dist', import.meta.url), join(folder, 'copy'), { recursive: true });
    const ran = await runIn(folder, 'main.cjs');
    expect(saidAs(ran, 'results')).toEqual([['ERR_SPEC']]);
  });
});

describe('the library loads', () => {
  it('where the working directory was removed', async () => {
    const folder = await project({
      'main.cjs': `${SAY} require('threadfactory'); say('loaded', true);`,
      'gone/x': '',
    });
    const ran = await runIn(folder, '-c', {
      program: 'sh',
      args: [`cd gone; rm -r ../gone; exec "${process.execPath}" "${folder}/main.cjs"`],
    });
    expect(saidAs(ran, 'loaded')).toEqual([true]);
  });

  it('and runs where a process may have no second thread and there is no setpriv', async () => {
    const main = `${SAY} const TF = require('threadfactory');
      new TF({ manager: () => [1], worker: (n) => n }, { workers: 1 }).start().then(({ results }) => say('results', results));`;
    const folder = await project({ 'main.cjs': main });
    const ran = await runIn(folder, 'main.cjs', {
      flags: [
        '--experimental-permission',
        '--allow-fs-read=*',
        '--allow-fs-write=*',
        '--allow-child-process',
      ],
      env: { PATH: '/nowhere' },
    });
    expect(saidAs(ran, 'results')).toEqual([[1]]);
  });
});

describe('what a script did wrong is said in few words where nobody catches it', () => {
  it.each([
    [
      'new ThreadFactory({ manager: () => [], worker() {} }, { wokers: 1 })',
      'OptionError: Unknown option `wokers`',
    ],
    ['new ThreadFactory({})', 'SpecError: Expected'],
    ['ThreadFactory({})', "TypeError: Class constructor ThreadFactory cannot be invoked without 'new'"],
  ])('%s', async (text, said) => {
    const { stderr } = await script(`const ThreadFactory = require('threadfactory');\n${text};`);
    expect(stderr).toContain(said);
    for (const line of stderr.split('\n')) expect(line.length).toBeLessThan(300);
  });
});
