import { afterAll, describe, expect, it } from 'vitest';
import { removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

const SAY = 'const say = (x) => console.log(JSON.stringify(x));\n';
const HEAD = `const ThreadFactory = require('threadfactory');\n${SAY}`;

describe('a run', () => {
  it('calls the five functions in order, once each where it should', async () => {
    const ran = await script(`${HEAD}
      const factor = 3;
      const f = new ThreadFactory({
        manager: async (input) => { say({ manager: input }); return [1, 2, 3, 4]; },
        workerStartup: ({ id }) => { say({ startup: id }); return { base: 10 }; },
        workerProcess: (n, { id, local, index, attempt }) => local.base + n * factor + index * 100 + attempt * 1000,
        workerFinish: ({ id, local }) => say({ finish: id, base: local.base }),
        managerFinish: (s) => { say({ managerFinish: s.completed }); return 'value'; },
      }, { workers: 2 });
      f.on('finished', (s) => say({ finished: s.value, same: s === f.summary }));
      f.start('in').then((s) => say({ results: s.results, total: s.total, value: s.value, stopped: s.stopped }));
    `);
    expect(ran.stderr).toBe('');
    const said = ran.said as Record<string, unknown>[];
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

  it('lets a worker finish that was still starting up when the last job ended', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1, 2],
        workerStartup: ({ id }) => { say({ startup: id }); return id === 1 ? undefined : new Promise((r) => setTimeout(r, 1500)); },
        worker: (n) => n,
        workerFinish: ({ id }) => say({ finish: id }),
      }, { workers: 2, batchSize: 1 });
      f.start().then((s) => say(s.results));`);
    const said = ran.said as Record<string, number>[];
    const ids = (hook: string): unknown[] => said.flatMap((line) => line[hook] ?? []).sort();
    expect(ids('finish')).toEqual(ids('startup'));
    expect(said.at(-1)).toEqual([1, 2]);
  });

  it.each([
    ['a Set', 'new Set([1, 2, 3])'],
    ['a generator', '(function* () { yield 1; yield 2; yield 3; })()'],
    ['an async generator', '(async function* () { yield 1; yield 2; yield 3; })()'],
    ['a Readable', "require('node:stream').Readable.from([1, 2, 3])"],
    ['a promise of an array', 'Promise.resolve([1, 2, 3])'],
  ])('takes jobs from %s', async (_, list) => {
    const ran = await script(`${HEAD}
      new ThreadFactory({ manager: () => ${list}, worker: (n) => n * 2 }).start().then((s) => say(s.results));`);
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[2, 4, 6]]);
  });

  it('finishes a list of no jobs without forking', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [], worker: () => 1 });
      f.on('exit', () => say({ forked: true }));
      f.start().then((s) => say({ total: s.total, results: s.results }));`);
    expect(ran.said).toEqual([{ total: 0, results: [] }]);
  });

  it('forks no more workers than there are jobs', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: function* () { yield 1; yield 2; }, worker: (n) => n }, { workers: 5 });
      let exits = 0;
      f.on('exit', () => exits++).on('finished', () => say({ exits }));
      f.start();`);
    expect(ran.said).toEqual([{ exits: 2 }]);
  });

  it('rejects with a SpecError when manager returns no list', async () => {
    const ran = await script(`${HEAD}
      new ThreadFactory({ manager: () => 'abc', worker: (n) => n }).start().catch((e) => say({ code: e.code, message: e.message }));`);
    expect(ran.said).toEqual([
      { code: 'ERR_SPEC', message: expect.stringContaining('list of jobs') as string },
    ]);
  });

  it('ends cleanly when the list throws midway', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: function* () { yield 1; yield 2; throw new Error('half'); }, worker: (n) => n });
      f.start().catch((e) => say({ message: e.message }));`);
    expect(ran.said).toEqual([{ message: 'half' }]);
    expect(ran.code).toBe(0);
  });

  it('rejects with all failures when nobody listens for error, after finished', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [1, 2, 3], worker: (n) => { if (n > 1) throw new RangeError('no ' + n); return n; } });
      f.on('finished', () => say({ finished: true }));
      f.start().catch((e) => say({ name: e.name, code: e.code, errors: e.errors.map((x) => x.name + x.message).sort(), results: e.summary.results }));`);
    expect(ran.said).toEqual([
      { finished: true },
      {
        name: 'AggregateError',
        code: 'ERR_JOBS_FAILED',
        errors: ['RangeErrorno 2', 'RangeErrorno 3'],
        results: [1, null, null],
      },
    ]);
  });

  it('a failed run that a listener attached after start was told of is no unhandled rejection', async () => {
    const ran = await script(`${HEAD}
      process.on('unhandledRejection', (e) => say({ unhandled: e.message }));
      const f = new ThreadFactory({ manager: () => { throw new Error('no list'); }, worker: (n) => n });
      f.start();
      f.on('error', (e) => say({ told: e.message }));`);
    expect(ran.said).toEqual([{ told: 'no list' }]);
  });

  it('an aborted run that nobody waits for is an unhandled rejection, whoever listens for error', async () => {
    const ran = await script(`${HEAD}
      process.on('unhandledRejection', (e) => say({ unhandled: e.message }));
      const f = new ThreadFactory({ manager: () => { say({ listed: true }); return [1]; }, worker: (n) => n }, { signal: AbortSignal.abort(new Error('enough')) });
      f.on('error', () => say({ told: true }));
      f.start();`);
    expect(ran.said).toEqual([{ unhandled: 'enough' }]);
  });

  it('resolves when an error listener was told of every failure', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => { if (n > 1) throw null; return n; } });
      f.on('error', (e, failure) => say({ code: e.code, cause: e.cause, failure }));
      f.start().then((s) => say({ failed: s.failed }));`);
    expect(ran.said).toEqual([
      {
        code: 'ERR_THROWN',
        cause: null,
        failure: { index: 1, job: 2, id: expect.any(Number) as number, attempts: 1 },
      },
      { failed: 1 },
    ]);
  });

  it('runs again with new input after it has settled, and refuses a second start meanwhile', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: (n) => [n, n + 1], worker: (n) => n * 2 });
      (async () => {
        const first = f.start(1);
        await f.start(5).catch((e) => say({ code: e.code }));
        say((await first).results);
        say((await f.start(10)).results);
      })();`);
    expect(ran.said).toEqual([{ code: 'ERR_RUNNING' }, [2, 4], [20, 22]]);
  });

  it('runs once, however many iterators were made of it', async () => {
    const ran = await script(`${HEAD}
      let lists = 0;
      const f = new ThreadFactory({ manager: () => [++lists], worker: (n) => n });
      (async () => {
        const [first, second] = [f[Symbol.asyncIterator](), f[Symbol.asyncIterator]()];
        const [one, two] = await Promise.allSettled([first.next(), second.next()]);
        say([one.value.value.result, two.reason.code]);
        say(await first.next());
        say({ lists });
      })();`);
    expect(ran.said).toEqual([[1, 'ERR_RUNNING'], { done: true }, { lists: 1 }]);
  });

  it.each([2, 0])(
    'lets managerFinish await stop(), which has nothing left to stop, with %i workers',
    async (workers) => {
      const ran = await script(`${HEAD}
      const managerFinish = async () => { await f.stop(); return 'done'; };
      const f = new ThreadFactory({ manager: () => [1], worker: (n) => n, managerFinish }, { workers: ${workers} });
      f.start().then(({ value, stopped }) => say({ value, stopped }));`);
      expect(ran.said).toEqual([{ value: 'done', stopped: false }]);
    },
  );

  it('emits progress before the completed of its job', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [7], worker: (n, c) => { c.progress({ at: n }); return n; } });
      f.on('progress', (p) => say(p)).on('completed', (c) => say({ completed: c.index, done: c.done, total: c.total }));
      f.start();`);
    expect(ran.said).toEqual([
      { index: 0, id: 1, data: { at: 7 } },
      { completed: 0, done: 1, total: 1 },
    ]);
  });

  it('goes on when a listener throws, and the throw is an uncaught exception', async () => {
    const ran = await script(`${HEAD}
      process.on('uncaughtException', (e) => say({ uncaught: e.message }));
      const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n }, { workers: 1 });
      f.on('completed', () => { throw new Error('mine'); });
      f.start().then((s) => say({ completed: s.completed }));`);
    expect(ran.said).toEqual([{ uncaught: 'mine' }, { uncaught: 'mine' }, { completed: 2 }]);
  });

  it('fails with an Error of a code, whatever manager, its list or managerFinish throws', async () => {
    const ran = await script(`${HEAD}
      const worker = (n) => n;
      if (!ThreadFactory.isWorker) require('node:fs').writeFileSync(__dirname + '/broken.cjs', "throw new Error('broken');");
      const made = [
        { manager: () => { throw null; }, worker },
        { manager: function* () { yield 1; throw 'text'; }, worker },
        { manager: () => [1], worker, managerFinish: () => { throw undefined; } },
      ].map((spec) => new ThreadFactory(spec, { workers: 0 }));
      made.push(new ThreadFactory('./broken.cjs'), new ThreadFactory({ manager: () => [1], worker }, { cwd: '/no/such/folder' }));
      (async () => {
        for (const f of made) {
          let finished = 0;
          f.on('finished', () => finished++);
          await f.start().catch((e) => say([e instanceof Error, e.code ?? e.message, e.cause ?? null, finished]));
        }
      })();`);
    expect(ran.said).toEqual([
      [true, 'ERR_THROWN', null, 1],
      [true, 'ERR_THROWN', 'text', 1],
      [true, 'ERR_THROWN', null, 1],
      [true, 'broken', null, 1],
      [true, 'ERR_OPTION', null, 1],
    ]);
  });

  it('warns of no leaked listeners, however many there are at once', async () => {
    const ran = await script(`${HEAD}
      const made = Array.from({ length: 12 }, () => new ThreadFactory({ manager: () => [1], worker: (n) => n }, { workers: 0, handleSignals: true }));
      Promise.all(made.map((f) => f.start())).then((all) => say([all.length, process.listenerCount('exit'), process.listenerCount('SIGINT')]));`);
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([[12, 0, 0]]);
  });

  it('has not been stopped by a stop after its last job has settled', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [1, 2], worker: (n) => n, managerFinish: () => 'done' }, { workers: 1 });
      f.on('exit', () => f.stop());
      f.start().then(({ stopped, value, completed }) => say({ stopped, value, completed }));`);
    expect(ran.said).toEqual([{ stopped: false, value: 'done', completed: 2 }]);
  });

  it.each([1, 0])(
    'fails only the job that throws what can not be looked at, with %i workers',
    async (workers) => {
      const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1, 2, 3],
        worker: (n) => {
          if (n !== 2) return n;
          const { proxy, revoke } = Proxy.revocable({}, {});
          revoke();
          throw proxy;
        },
      }, { workers: ${workers}, timeout: 10_000 });
      f.on('error', (e, { job }) => say([job, e.code]));
      f.start().then(({ completed }) => say([completed]));`);
      expect(ran.said).toEqual([[2, 'ERR_THROWN'], [2]]);
    },
  );

  it('runs everything in its own process with workers: 0', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1, 2, 3],
        workerStartup: () => process.pid,
        worker: (n, { id, local }) => { if (n === 2) throw new TypeError('two'); return [n, id, local === process.pid]; },
      }, { workers: 0, retries: 1 });
      f.on('error', (e, x) => say({ name: e.name, attempts: x.attempts }));
      f.start().then((s) => say(s.results));`);
    expect(ran.said).toEqual([{ name: 'TypeError', attempts: 2 }, [[1, 1, true], null, [3, 1, true]]]);
  });

  it('gives a job bytes of its own with workers: 0 as well', async () => {
    const ran = await script(`${HEAD}
      const bytes = Buffer.alloc(100_000, 1);
      const f = new ThreadFactory({ manager: () => [bytes, bytes], worker: (b) => b.fill(b[0] + 1) }, { workers: 0 });
      f.start().then(({ results: [a, b] }) => say([bytes[0], a[0], b[0], a.length, a.buffer !== b.buffer]));`);
    expect(ran.said).toEqual([[1, 2, 2, 100_000, true]]);
  });

  it('fails only the job or result that can not be sent, naming the property', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [{ ok: 1 }, { deep: { fn() {} } }, { back: true }],
        worker: (job) => (job.back ? { a: [Symbol('x')] } : job.ok),
      });
      f.on('error', (e, x) => say({ index: x.index, code: e.code, message: e.message }));
      f.start().then((s) => say(s.results));`);
    const said = ran.said as Record<string, string>[];
    const errors = said
      .filter((line) => 'code' in line)
      .sort((a, b) => Number(a['index']) - Number(b['index']));
    expect(errors.map(({ code }) => code)).toEqual(['ERR_SERIALIZATION', 'ERR_SERIALIZATION']);
    expect(errors[0]?.['message']).toContain('deep.fn');
    expect(errors[1]?.['message']).toContain('a[0]');
    expect(said.at(-1)).toEqual([1, null, null]);
  });

  it("is neither disturbed by nor seen by the user's own messages", async () => {
    const ran = await script(`${HEAD}
      if (ThreadFactory.isWorker) process.on('message', (m) => say({ seen: m }));
      const f = new ThreadFactory({
        manager: () => [1, 2, 3, 4],
        worker: (n) => {
          process.send('x'); process.send(null); process.send({ type: 'results' });
          if (n === 2) process.removeAllListeners();
          if (n !== 1) return n;
          // With a server that would keep the manager alive.
          return new Promise((resolve) => { const server = require('node:net').createServer().listen(0, () => process.send('x', server, () => resolve(n))); });
        },
      }, { workers: 1, batchSize: 1 });
      f.start().then((s) => say(s.results));`);
    expect(ran.said).toEqual([[1, 2, 3, 4]]);
  });
});

describe('iteration', () => {
  it('yields completed jobs, in job order when asked, and ends as start would', async () => {
    const ran = await script(`${HEAD}
      const spec = { manager: () => [30, 1, 20, 1], worker: (n) => new Promise((r) => setTimeout(r, n, n)) };
      (async () => {
        const seen = [];
        for await (const { index, result } of new ThreadFactory(spec, { ordered: true, workers: 2 })) seen.push([index, result]);
        say(seen);
      })();`);
    expect(ran.said).toEqual([
      [
        [0, 30],
        [1, 1],
        [2, 20],
        [3, 1],
      ],
    ]);
  });

  it('stops the run when the loop is left, and closes the list', async () => {
    const ran = await script(`${HEAD}
      let closed = 0;
      const f = new ThreadFactory({
        manager: function* () { try { for (let i = 0; ; i++) yield i; } finally { closed++; } },
        worker: (n) => n,
      });
      (async () => {
        for await (const { index } of f) if (index === 5) break;
        say({ closed, stopped: f.summary.stopped });
      })();`);
    expect(ran.said).toEqual([{ closed: 1, stopped: 'stop' }]);
  });
});

describe('stop and pause', () => {
  it('stop lets running jobs end and leaves the others unsettled', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => Array.from({ length: 100 }, (_, i) => i),
        worker: (n) => new Promise((r) => setTimeout(r, 20, n)),
        workerFinish: () => say({ finish: true }),
        managerFinish: () => say({ managerFinish: true }),
      }, { workers: 1 });
      f.once('completed', async () => { await f.stop(); say({ stopped: f.summary.stopped, some: f.summary.completed < 100 }); });
      f.on('finished', () => say({ finished: true }));
      f.start();`);
    expect(ran.said).toEqual([{ finish: true }, { finished: true }, { stopped: 'stop', some: true }]);
  });

  it('stop right after start ends the run before anything of it has begun', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => { say('listed'); return [1, 2]; }, worker: (n) => n });
      f.start().then((s) => say({ stopped: s.stopped, total: s.total }));
      f.stop().then(() => say({ over: f.summary !== undefined }));`);
    expect(ran.said).toEqual([{ stopped: 'stop', total: 0 }, { over: true }]);
    expect(ran.stdout).not.toContain('listed');
  });

  it('unpause does not hurry a slow consumer of the iteration', async () => {
    const ran = await script(`${HEAD}
      let pulled = 0;
      const f = new ThreadFactory({ manager: function* () { for (; pulled < 100000; ) yield pulled++; }, worker: (n) => n }, { workers: 1 });
      (async () => {
        for await (const { index } of f) {
          if (index > 0) continue;
          // Until nothing moves any more: the hand-out is held for this consumer.
          for (let before = -1; before !== pulled; ) { before = pulled; await new Promise((r) => setTimeout(r, 300)); }
          const held = pulled;
          f.pause();
          f.unpause();
          await new Promise((r) => setTimeout(r, 600));
          say({ held: held < 100000, moved: pulled - held });
          break;
        }
      })();`);
    expect(ran.said).toEqual([{ held: true, moved: 0 }]);
  });

  it('hands out nothing while it is paused', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [1, 2, 3], worker: (n) => n });
      let paused = true;
      f.pause();
      f.on('completed', () => say({ paused }));
      f.start();
      setTimeout(() => { paused = false; f.unpause(); }, 300);`);
    expect(ran.said).toEqual([{ paused: false }, { paused: false }, { paused: false }]);
  });
});
