import { afterAll, describe, expect, it } from 'vitest';
import { fact, oneManager } from '../helpers/one-manager.js';
import { HEAD, type Ran, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

const manager = oneManager();

describe('a run', () => {
  const five = manager.add(`
    const factor = 3;
    const f = new ThreadFactory({
      manager: async (input) => { say({ manager: input }); return [1, 2, 3, 4]; },
      workerStartup: ({ id }) => { say({ startup: id }); return { base: 10 }; },
      workerProcess: (n, { id, local, index, attempt }) => local.base + n * factor + index * 100 + attempt * 1000,
      workerFinish: ({ id, local }) => say({ finish: id, base: local.base }),
      managerFinish: (s) => { say({ managerFinish: s.completed }); return 'value'; },
    }, { workers: 2 });
    f.on('finished', (s) => say({ finished: s.value, same: s === f.summary }));
    return () => f.start('in').then((s) => say({ results: s.results, total: s.total, value: s.value, stopped: s.stopped }));`);
  it('calls the five functions in order, once each where it should', async () => {
    const said = (await five()) as Record<string, unknown>[];
    expect(said[0]).toEqual({ manager: 'in' });
    const started = said.filter((line) => 'startup' in line).map((line) => line['startup']);
    const finished = said.filter((line) => 'finish' in line).map((line) => line['finish']);
    // A worker that was still starting when the last job ended has neither begun nor anything to finish.
    expect(started.length).toBeGreaterThan(0);
    expect(finished.sort()).toEqual(started.sort());
    expect(new Set(started).size).toBe(started.length);
    expect(said.slice(-3)).toEqual([
      { managerFinish: 4 },
      { finished: 'value', same: true },
      { results: [1013, 1116, 1219, 1322], total: 4, value: 'value', stopped: false },
    ]);
  });

  // The first starts up when the second has begun to, and the second when the first, which ran both jobs, finishes.
  const starting = manager.add(`
    const { existsSync, writeFileSync } = require('node:fs');
    const appears = async (file) => { while (!existsSync(file)) await new Promise((r) => setTimeout(r, 5)); };
    const f = new ThreadFactory({
      manager: () => [1, 2],
      workerStartup: async ({ id }) => {
        say({ startup: id });
        if (id === 2) writeFileSync('starting-2', '');
        await appears(id === 1 ? 'starting-2' : 'finishing-1');
      },
      worker: (n, { id }) => [n, id],
      workerFinish: ({ id }) => {
        if (id === 1) writeFileSync('finishing-1', '');
        say({ finish: id });
      },
    }, { workers: 2, batchSize: 1 });
    return () => f.start().then((s) => say(s.results));`);
  it('lets a worker finish that was still starting up when the last job ended', async () => {
    const said = (await starting()) as Record<string, number>[];
    const ids = (hook: string): unknown[] => said.flatMap((line) => line[hook] ?? []).sort();
    expect([ids('startup'), ids('finish')]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(said.at(-1)).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  // The list is the manager's alone: one of them shows that its jobs reach a worker.
  for (const [kind, list, workers] of [
    ['a Set', 'new Set([1, 2, 3])', 0],
    ['a generator', '(function* () { yield 1; yield 2; yield 3; })()', 0],
    ['an async generator', '(async function* () { yield 1; yield 2; yield 3; })()', 1],
    ['a Readable', "require('node:stream').Readable.from([1, 2, 3])", 0],
    ['a promise of an array', 'Promise.resolve([1, 2, 3])', 0],
  ] as const) {
    fact(
      manager,
      `takes jobs from ${kind}`,
      `const f = new ThreadFactory({ manager: () => ${list}, worker: (n) => n * 2 }, { workers: ${workers} });
      return () => f.start().then((s) => say(s.results));`,
      [[2, 4, 6]],
    );
  }

  fact(
    manager,
    'finishes a list of no jobs without forking',
    `const f = new ThreadFactory({ manager: () => [], worker: () => 1 });
    f.on('exit', () => say({ forked: true }));
    return () => f.start().then((s) => say({ total: s.total, results: s.results }));`,
    [{ total: 0, results: [] }],
  );

  fact(
    manager,
    'forks no more workers than there are jobs',
    `const f = new ThreadFactory({ manager: function* () { yield 1; yield 2; }, worker: (n) => n }, { workers: 5 });
    let exits = 0;
    f.on('exit', () => exits++).on('finished', () => say({ exits }));
    return () => f.start();`,
    [{ exits: 2 }],
  );

  fact(
    manager,
    'rejects with a SpecError when manager returns no list',
    `const f = new ThreadFactory({ manager: () => 'abc', worker: (n) => n });
    return () => f.start().catch((e) => say({ code: e.code, message: e.message }));`,
    [{ code: 'ERR_SPEC', message: expect.stringContaining('list of jobs') as string }],
  );

  fact(
    manager,
    'ends cleanly when the list throws midway',
    `const f = new ThreadFactory({ manager: function* () { yield 1; yield 2; throw new Error('half'); }, worker: (n) => n });
    return () => f.start().catch((e) => say({ message: e.message }));`,
    [{ message: 'half' }],
  );

  fact(
    manager,
    'rejects with all failures when nobody listens for error, after finished',
    `const worker = (n) => { if (n > 1) throw new RangeError('no ' + n); return n; };
    const f = new ThreadFactory({ manager: () => [1, 2, 3], worker }, { workers: 1 });
    f.on('finished', () => say({ finished: true }));
    return () => f.start().catch((e) => say({ name: e.name, code: e.code, errors: e.errors.map((x) => x.name + x.message).sort(), results: e.summary.results, message: e.message }));`,
    [
      { finished: true },
      {
        name: 'AggregateError',
        code: 'ERR_JOBS_FAILED',
        errors: ['RangeErrorno 2', 'RangeErrorno 3'],
        results: [1, null, null],
        message:
          "2 of 3 jobs failed. Listen for 'error' to deal with them one by one. The first, job 1: no 2",
      },
    ],
  );

  fact(
    manager,
    'resolves when an error listener was told of every failure',
    `const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => { if (n > 1) throw null; return n; } }, { workers: 1 });
    f.on('error', (e, failure) => say({ code: e.code, cause: e.cause, failure }));
    return () => f.start().then((s) => say({ failed: s.failed }));`,
    [
      {
        code: 'ERR_THROWN',
        cause: null,
        failure: { index: 1, job: 2, id: expect.any(Number) as number, attempts: 1 },
      },
      { failed: 1 },
    ],
  );

  fact(
    manager,
    'runs again with new input after it has settled, and refuses a second start meanwhile',
    `const f = new ThreadFactory({ manager: (n) => [n, n + 1], worker: (n) => n * 2 }, { workers: 1 });
    return async () => {
      const first = f.start(1);
      await f.start(5).catch((e) => say({ code: e.code }));
      say((await first).results);
      say((await f.start(10)).results);
    };`,
    [{ code: 'ERR_RUNNING' }, [2, 4], [20, 22]],
  );

  fact(
    manager,
    'runs once, however many iterators were made of it',
    `let lists = 0;
    const f = new ThreadFactory({ manager: () => [++lists], worker: (n) => n });
    return async () => {
      const [first, second] = [f[Symbol.asyncIterator](), f[Symbol.asyncIterator]()];
      const [one, two] = await Promise.allSettled([first.next(), second.next()]);
      say([one.value.value.result, two.reason.code]);
      say(await first.next());
      say({ lists });
    };`,
    [[1, 'ERR_RUNNING'], { done: true }, { lists: 1 }],
  );

  for (const workers of [2, 0]) {
    fact(
      manager,
      `lets managerFinish await stop(), which has nothing left to stop, with ${workers} workers`,
      `const managerFinish = async () => { await f.stop(); return 'done'; };
      const f = new ThreadFactory({ manager: () => [1], worker: (n) => n, managerFinish }, { workers: ${workers} });
      return () => f.start().then(({ value, stopped }) => say({ value, stopped }));`,
      [{ value: 'done', stopped: false }],
    );
  }

  fact(
    manager,
    'emits progress before the completed of its job',
    `const f = new ThreadFactory({ manager: () => [7], worker: (n, c) => { c.progress({ at: n }); return n; } });
    f.on('progress', (p) => say(p)).on('completed', (c) => say({ completed: c.index, done: c.done, total: c.total }));
    return () => f.start();`,
    [
      { index: 0, id: 1, data: { at: 7 } },
      { completed: 0, done: 1, total: 1 },
    ],
  );

  fact(
    manager,
    'goes on when a listener throws, and the throw is an uncaught exception',
    `const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n }, { workers: 1 });
    f.on('completed', () => { throw new Error('mine'); });
    return async () => {
      const note = (e) => say({ uncaught: e.message });
      process.on('uncaughtException', note);
      await f.start().then((s) => say({ completed: s.completed }));
      process.off('uncaughtException', note);
    };`,
    [{ uncaught: 'mine' }, { uncaught: 'mine' }, { completed: 2 }],
  );

  fact(
    manager,
    'fails with an Error of a code, whatever manager, its list or managerFinish throws',
    `const worker = (n) => n;
    if (!ThreadFactory.isWorker) require('node:fs').writeFileSync(__dirname + '/broken.cjs', "throw new Error('broken');");
    const made = [
      { manager: () => { throw null; }, worker },
      { manager: function* () { yield 1; throw 'text'; }, worker },
      { manager: () => [1], worker, managerFinish: () => { throw undefined; } },
    ].map((spec) => new ThreadFactory(spec, { workers: 0 }));
    made.push(new ThreadFactory('./broken.cjs'), new ThreadFactory({ manager: () => [1], worker }, { cwd: '/no/such/folder' }));
    return async () => {
      for (const f of made) {
        let finished = 0;
        f.on('finished', () => finished++);
        await f.start().catch((e) => say([e instanceof Error, e.code ?? e.message, e.cause ?? null, finished]));
      }
    };`,
    [
      [true, 'ERR_THROWN', null, 1],
      [true, 'ERR_THROWN', 'text', 1],
      [true, 'ERR_THROWN', null, 1],
      [true, 'broken', null, 1],
      [true, 'ERR_OPTION', null, 1],
    ],
  );

  fact(
    manager,
    'warns of no leaked listeners, however many there are at once',
    `const { getEventListeners } = require('node:events');
    const { signal } = new AbortController();
    const made = Array.from({ length: 12 }, () => new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 0, handleSignals: true, signal }));
    process.on('warning', ({ name }) => say(name));
    const left = () => [process.listenerCount('exit'), process.listenerCount('SIGINT'), getEventListeners(signal, 'abort').length];
    return () => Promise.all(made.map((f) => f.start())).then((all) => say([all.length, ...left()]));`,
    [[12, 0, 0, 0]],
  );

  fact(
    manager,
    'is ended by its signal, which may be that of others as well',
    `const controller = new AbortController();
    const { signal } = controller;
    const make = (manager) => new ThreadFactory({ manager, worker: (n) => n }, { workers: 0, signal });
    const over = make(() => [1]);
    const waiting = Array.from({ length: 3 }, () => make(() => new Promise(() => {})));
    return async () => {
      const runs = waiting.map((f) => f.start());
      await over.start();
      controller.abort(new Error('enough'));
      say((await Promise.allSettled(runs)).map(({ reason }) => reason.message));
    };`,
    [['enough', 'enough', 'enough']],
  );

  fact(
    manager,
    'has not been stopped by a stop after its last job has settled',
    `const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n, managerFinish: () => 'done' }, { workers: 1 });
    f.on('exit', () => f.stop());
    return () => f.start().then(({ stopped, value, completed }) => say({ stopped, value, completed }));`,
    [{ stopped: false, value: 'done', completed: 2 }],
  );

  for (const workers of [1, 0]) {
    fact(
      manager,
      `fails only the job that throws what can not be looked at, with ${workers} workers`,
      `const f = new ThreadFactory({
        manager: () => [1, 2, 3],
        worker: (n) => {
          if (n !== 2) return n;
          const { proxy, revoke } = Proxy.revocable({}, {});
          revoke();
          throw proxy;
        },
      }, { workers: ${workers}, timeout: 10_000 });
      f.on('error', (e, { job }) => say([job, e.code]));
      return () => f.start().then(({ completed }) => say([completed]));`,
      [[2, 'ERR_THROWN'], [2]],
    );
  }

  fact(
    manager,
    'runs everything in its own process with workers: 0',
    `const f = new ThreadFactory({
      manager: () => [1, 2, 3],
      workerStartup: () => process.pid,
      worker: (n, { id, local }) => { if (n === 2) throw new TypeError('two'); return [n, id, local === process.pid]; },
    }, { workers: 0, retries: 1 });
    f.on('error', (e, x) => say({ name: e.name, attempts: x.attempts }));
    return () => f.start().then((s) => say(s.results));`,
    [{ name: 'TypeError', attempts: 2 }, [[1, 1, true], null, [3, 1, true]]],
  );

  fact(
    manager,
    'gives a job bytes of its own with workers: 0 as well',
    `const bytes = Buffer.alloc(100_000, 1);
    const f = new ThreadFactory({ manager: () => [bytes, bytes], worker: (b) => b.fill(b[0] + 1) }, { workers: 0 });
    return () => f.start().then(({ results: [a, b] }) => say([bytes[0], a[0], b[0], a.length, a.buffer !== b.buffer]));`,
    [[1, 2, 2, 100_000, true]],
  );

  const unsendable = manager.add(`
    const f = new ThreadFactory({
      manager: () => [{ ok: 1 }, { deep: { fn() {} } }, { back: true }],
      worker: (job) => (job.back ? { a: [Symbol('x')] } : job.ok),
    }, { workers: 1 });
    f.on('error', (e, x) => say({ index: x.index, code: e.code, message: e.message }));
    return () => f.start().then((s) => say(s.results));`);
  it('fails only the job or result that can not be sent, naming the property', async () => {
    const said = (await unsendable()) as Record<string, string>[];
    const errors = said
      .filter((line) => 'code' in line)
      .sort((a, b) => Number(a['index']) - Number(b['index']));
    expect(errors.map(({ code }) => code)).toEqual(['ERR_SERIALIZATION', 'ERR_SERIALIZATION']);
    expect(errors[0]?.['message']).toContain('deep.fn');
    expect(errors[1]?.['message']).toContain('a[0]');
    expect(said.at(-1)).toEqual([1, null, null]);
  });

  fact(
    manager,
    "is neither disturbed by nor seen by the user's own messages",
    `if (process.env.LISTENS) process.on('message', (m) => say({ seen: m }));
    const f = new ThreadFactory({
      manager: () => [1, 2, 3, 4],
      worker: (n) => {
        process.send('x'); process.send(null); process.send({ type: 'results' });
        if (n === 2) process.removeAllListeners();
        if (n !== 1) return n;
        // With a server that would keep the manager alive.
        return new Promise((resolve) => { const server = require('node:net').createServer().listen(0, () => process.send('x', server, () => resolve(n))); });
      },
    }, { workers: 1, batchSize: 1, env: { ...process.env, LISTENS: 'yes' } });
    return () => f.start().then((s) => say(s.results));`,
    [[1, 2, 3, 4]],
  );
});

describe('iteration', () => {
  fact(
    manager,
    'yields completed jobs, in job order when asked, and ends as start would',
    `const spec = { manager: () => [30, 1, 20, 1], worker: (n) => new Promise((r) => setTimeout(r, n, n)) };
    const f = new ThreadFactory(spec, { ordered: true, workers: 2 });
    return async () => {
      const seen = [];
      for await (const { index, result } of f) seen.push([index, result]);
      say(seen);
    };`,
    [
      [
        [0, 30],
        [1, 1],
        [2, 20],
        [3, 1],
      ],
    ],
  );

  fact(
    manager,
    'stops the run when the loop is left, and closes the list',
    `let closed = 0;
    const f = new ThreadFactory({
      manager: function* () { try { for (let i = 0; ; i++) yield i; } finally { closed++; } },
      worker: (n) => n,
    }, { workers: 1 });
    return async () => {
      for await (const { index } of f) if (index === 5) break;
      say({ closed, stopped: f.summary.stopped });
    };`,
    [{ closed: 1, stopped: 'stop' }],
  );

  fact(
    manager,
    "calls a subclass's own stop when the loop is left",
    `class Mine extends ThreadFactory {
      async stop() { say('own'); await super.stop(); }
    }
    const f = new Mine({ manager: () => [1, 2, 3, 4], worker: (n) => n }, { workers: 1 });
    return async () => {
      for await (const _ of f) break;
      say(f.summary.stopped);
    };`,
    ['own', 'stop'],
  );

  fact(
    manager,
    'takes a factory that was constructed where options of another were refused',
    `const make = (times, options) => new ThreadFactory({ manager: () => [1, 2], worker: (n) => n * times }, options);
    let f;
    try { f = make(10, { workers: -1 }); } catch { f = make(1000, { workers: 1 }); }
    const after = make(3, { workers: 1 });
    return async () => say([(await f.start()).results, (await after.start()).results]);`,
    [
      [
        [1000, 2000],
        [3, 6],
      ],
    ],
  );
});

describe('stop and pause', () => {
  fact(
    manager,
    'stop lets running jobs end and leaves the others unsettled',
    `const f = new ThreadFactory({
      manager: () => Array.from({ length: 100 }, (_, i) => i),
      worker: (n) => new Promise((r) => setTimeout(r, 20, n)),
      workerFinish: () => say({ finish: true }),
      managerFinish: () => say({ managerFinish: true }),
    }, { workers: 1 });
    f.on('finished', () => say({ finished: true }));
    return () => new Promise((resolve) => {
      f.once('completed', async () => { await f.stop(); say({ stopped: f.summary.stopped, some: f.summary.completed < 100 }); resolve(); });
      f.start();
    });`,
    [{ finish: true }, { finished: true }, { stopped: 'stop', some: true }],
  );

  for (const [kind, list] of [
    ['a generator', 'function* () { void f.stop(); yield* [1, 2, 3]; }'],
    ['an async generator', 'async function* () { void f.stop(); yield* [1, 2, 3]; }'],
    ['a generator that goes on meanwhile', 'function* () { yield 1; void f.stop(); yield 2; }'],
  ] as const) {
    fact(
      manager,
      `${kind} that stops its own run while it is first looked at has stopped it`,
      `const f = new ThreadFactory({ manager: ${list}, worker: (n) => n }, { workers: 2 });
      const other = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
      let told = 0;
      for (const name of ['ready', 'completed', 'exit']) f.on(name, () => { told += 1; });
      return async () => {
        const { stopped, total, completed } = await f.start();
        await other.start();
        say({ stopped, completed, told });
      };`,
      [{ stopped: 'stop', completed: 0, told: 0 }],
    );
  }

  for (const workers of [0, 1]) {
    fact(
      manager,
      `tells a job of its abort by a reason with a code, with ${workers} workers`,
      `const controller = new AbortController();
      const f = new ThreadFactory(
        { manager: () => [0], worker: (_, { signal, progress }) => new Promise((resolve) => {
          signal.addEventListener('abort', () => { say(signal.reason.code); resolve(); });
          progress('waits');
        }) },
        { signal: controller.signal, workers: ${workers} },
      );
      f.on('progress', () => controller.abort(new Error('enough')));
      return () => f.start().catch(({ message }) => say(message));`,
      ['ERR_ABORTED', 'enough'],
    );
  }

  fact(
    manager,
    'tells no error after an abort, though it was aborted in the midst of a report',
    `const controller = new AbortController();
    let errors = 0;
    const f = new ThreadFactory(
      { manager: () => [0, 1, 2, 3], worker: (n) => { if (n > 0) throw new Error('no'); } },
      { signal: controller.signal, workers: 1, batchSize: 4 },
    );
    f.on('error', () => { errors += 1; });
    f.on('completed', () => controller.abort(new Error('enough')));
    return () => f.start().catch(({ message }) => say({ message, errors }));`,
    [{ message: 'enough', errors: 0 }],
  );

  fact(
    manager,
    'a list that aborts its own run while it is first looked at has aborted it',
    `const controller = new AbortController();
    const f = new ThreadFactory(
      { manager: function* () { controller.abort(new Error('enough')); yield 1; }, worker: (n) => n },
      { workers: 1, signal: controller.signal },
    );
    const other = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
    f.on('ready', () => say('ready'));
    return async () => {
      await f.start().catch(({ message }) => say(message));
      await other.start();
    };`,
    ['enough'],
  );

  for (const [why, options, code] of [
    ['its journal can not be opened', "{ journal: '/nonexistent/run.jsonl' }", 'ERR_JOURNAL'],
    ['its folder is not there', "{ cwd: '/nonexistent' }", 'ERR_OPTION'],
  ] as const) {
    fact(
      manager,
      `closes the list of a run that never begins because ${why}`,
      `const { Readable } = require('node:stream');
      const list = new Readable({ objectMode: true, read() {} });
      const bad = new ThreadFactory({ manager: () => list, worker: (n) => n }, { workers: 1, ...${options} });
      return () => bad.start().catch(({ code }) => say({ code, closed: list.destroyed }));`,
      [{ code, closed: true }],
    );
  }

  for (const [when, list] of [
    ['at once', 'function* () { try { for (;;) yield 1; } finally { throw new Error("unclean"); } }'],
    [
      'after the last worker has gone',
      'async function* () { try { for (;;) yield 1; } finally { await gone(); throw new Error("unclean"); } }',
    ],
  ] as const) {
    fact(
      manager,
      `a list whose cleanup throws ${when} has failed its run before that is finished`,
      `const f = new ThreadFactory({ manager: ${list}, worker: (n) => n }, { workers: 1 });
      const gone = async () => {
        await new Promise((r) => f.once('exit', r));
        for (let turn = 0; turn < 5; turn += 1) await new Promise((r) => setImmediate(r));
      };
      f.once('completed', () => void f.stop()).on('error', (e) => say(e.message)).on('finished', ({ stopped }) => say({ stopped }));
      return () => f.start().catch((e) => say({ rejected: e.message }));`,
      ['unclean', { stopped: 'stop' }, { rejected: 'unclean' }],
    );
  }

  fact(
    manager,
    'a list whose cleanup takes for ever holds up no run, which hears no more of it',
    `let fail;
    const never = new Promise((_, reject) => { fail = reject; });
    const list = { next: async () => ({ done: false, value: 1 }), return: () => never };
    const f = new ThreadFactory({ manager: () => ({ [Symbol.asyncIterator]: () => list }), worker: (n) => n }, { workers: 1 });
    f.once('completed', () => void f.stop()).on('error', (e) => say(e.message)).on('finished', ({ stopped }) => say({ stopped }));
    return async () => {
      await f.start();
      fail(new Error('too late'));
      await never.catch(() => {});
      say({ over: true });
    };`,
    [{ stopped: 'stop' }, { over: true }],
  );

  fact(
    manager,
    'closes its engine where the list is none',
    `const engine = { name: 'mine', open: async () => ({ run() {}, close: async () => say('closed') }) };
    const f = new ThreadFactory({ manager: () => {}, worker: (n) => n }, { engine });
    return () => f.start().catch(({ code }) => say(code));`,
    ['closed', 'ERR_SPEC'],
  );

  for (const later of ['process.nextTick(() => f.stop())', 'Promise.resolve().then(() => f.stop())']) {
    fact(
      manager,
      `a run whose last worker has gone is done, whoever stops it then: ${later}`,
      `const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n, managerFinish: () => 'value' }, { workers: 1 });
      f.on('exit', () => { ${later}; });
      return () => f.start().then(({ stopped, value }) => say({ stopped, value }));`,
      [{ stopped: false, value: 'value' }],
    );
  }

  fact(
    manager,
    'without processes neither replaces a worker nor limits its startup and its finish',
    `let startups = 0;
    const f = new ThreadFactory({
      manager: () => [1, 2, 3, 4],
      workerStartup: async () => { startups += 1; await new Promise((r) => setTimeout(r, 60)); },
      worker: (n) => n,
      workerFinish: async () => { await new Promise((r) => setTimeout(r, 60)); say('finished'); },
      managerFinish: () => say('over'),
    }, { workers: 0, maxJobsPerWorker: 1, startupTimeout: 20, shutdownTimeout: 20 });
    return () => f.start().then(({ completed }) => say({ completed, startups }));`,
    ['finished', 'over', { completed: 4, startups: 1 }],
  );

  // That no list was asked for is that nothing but these two lines was said.
  fact(
    manager,
    'stop right after start ends the run before anything of it has begun',
    `const f = new ThreadFactory({ manager: () => { say('listed'); return [1, 2]; }, worker: (n) => n });
    return () => Promise.all([
      f.start().then((s) => say({ stopped: s.stopped, total: s.total })),
      f.stop().then(() => say({ over: f.summary !== undefined })),
    ]);`,
    [{ stopped: 'stop', total: 0 }, { over: true }],
  );

  fact(
    manager,
    'unpause does not hurry a slow consumer of the iteration',
    `let pulled = 0;
    const f = new ThreadFactory({ manager: function* () { for (; pulled < 100000; ) yield pulled++; }, worker: (n) => n }, { workers: 1 });
    const other = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
    return async () => {
      for await (const { index } of f) {
        if (index > 0) continue;
        // Until nothing moves while another run is forked and over: the hand-out is held for this consumer.
        for (let before = -1; before !== pulled; ) { before = pulled; await other.start(); }
        const held = pulled;
        f.pause();
        f.unpause();
        await other.start();
        await other.start();
        say({ held: held < 100000, moved: pulled - held });
        break;
      }
    };`,
    [{ held: true, moved: 0 }],
  );

  fact(
    manager,
    'hands out nothing while it is paused',
    `let pulled = 0;
    const f = new ThreadFactory({ manager: function* () { for (; pulled < 1000; ) yield pulled++; }, worker: (n) => n }, { workers: 1, batchSize: 1 });
    const other = new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 1 });
    // Another run is forked and over in that time, twice.
    f.once('completed', async () => {
      f.pause();
      await other.start();
      const held = pulled;
      await other.start();
      say({ held: held < 1000, moved: pulled - held });
      f.unpause();
    });
    return () => f.start().then(({ completed }) => say(completed));`,
    [{ held: true, moved: 0 }, 1000],
  );
});

describe('the process of many runs, one after another', () => {
  it('has printed nothing of its own and ends by itself', async () => {
    const ran = await manager.whole();
    expect([ran.stderr, ran.code]).toEqual(['', 0]);
  });
});

describe('a run that nobody waits for', () => {
  let ran: Promise<Ran> | undefined;
  /** A process of its own, in which nobody waits for anything. Both events may come in either order. */
  const said = async (name: string): Promise<unknown[]> => {
    ran ??= script(`${HEAD}
      process.on('unhandledRejection', (e) => say({ name: e.message, unhandled: true }));
      const worker = (n) => n;
      const failing = new ThreadFactory({ manager: () => { throw new Error('failing'); }, worker });
      const signal = AbortSignal.abort(new Error('aborted'));
      const aborted = new ThreadFactory({ manager: () => { say({ name: 'aborted', listed: true }); return [1]; }, worker }, { signal });
      aborted.on('error', () => say({ name: 'aborted', told: true }));
      failing.start();
      aborted.start();
      failing.on('error', (e) => say({ name: e.message, told: true }));`);
    const lines = (await ran).said as { name: string }[];
    return lines.filter((line) => line.name === name);
  };

  it('and failed is no unhandled rejection where a listener attached after start was told', async () => {
    expect(await said('failing')).toEqual([{ name: 'failing', told: true }]);
  });

  it('and was aborted is an unhandled rejection, whoever listens for error', async () => {
    expect(await said('aborted')).toEqual([{ name: 'aborted', unhandled: true }]);
  });
});
