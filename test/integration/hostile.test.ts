import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, removeProjects, script } from '../helpers/script.js';

afterAll(removeProjects);

describe('code in a worker that takes things away from under it', () => {
  it('disturbs no job after it, and workerFinish runs', async () => {
    const ran = await script(`${HEAD}
      const { closeSync, writeSync } = require('node:fs');
      const mine = () => { throw new Error('mine'); };
      const deeds = {
        send() { process.send = mine; },
        exit() { process.exit = mine; },
        listeners() { process.removeAllListeners(); },
        listenersAgain() { process.removeAllListeners(); },
        clock() {
          Date.now = () => 0;
          performance.now = () => 0;
          for (const name of ['setTimeout', 'setImmediate', 'clearTimeout', 'queueMicrotask']) globalThis[name] = mine;
        },
        globals() {
          for (const name of ['Promise', 'Map', 'Set', 'JSON', 'Date', 'Math', 'Array', 'Float64Array', 'AbortController']) delete globalThis[name];
        },
        call() { delete Reflect.apply; },
        title() { process.title = 'mine'; },
        folder() { process.chdir('/'); },
        streams() { process.stdin.destroy(); process.stdout.destroy(); closeSync(0); closeSync(1); },
        afterwards(context) { context.progress(context.signal.aborted); },
        fails() { throw new TypeError('as asked'); },
      };
      const f = new ThreadFactory({
        manager: () => Object.keys(deeds),
        worker: (name, context) => deeds[name](context) ?? [name, process.pid],
        workerFinish: () => { writeSync(2, 'finished'); },
      }, { workers: 1, batchSize: 1, timeout: 20_000, retries: 1 });
      f.on('error', (error, { job, attempts }) => say({ job, attempts, message: error.message }));
      f.start().then((s) => say({ done: s.results.map((one) => one?.[0]), pids: new Set(s.results.map((one) => one?.[1])).size }));`);
    expect(ran.stderr).toBe('finished');
    expect(ran.said).toEqual([
      { job: 'fails', attempts: 2, message: 'as asked' },
      {
        done: [
          ...[
            'send',
            'exit',
            'listeners',
            'listenersAgain',
            'clock',
            'globals',
            'call',
            'title',
            'folder',
            'streams',
          ],
          ...['afterwards', null],
        ],
        pids: 2,
      },
    ]);
  });
});

describe('code in the manager that takes things away from under it', () => {
  it('leaves a run its times where timers are fake: it ends though what a job started holds its pipes', async () => {
    const ran = await script(`${HEAD}
      const { spawn } = require('node:child_process');
      const f = new ThreadFactory({
        manager: () => [1],
        worker: () => {
          const sleeper = spawn('sleep', ['1000'], { detached: true, stdio: 'inherit' });
          sleeper.unref();
          return sleeper.pid;
        },
      }, { workers: 1, output: 'ignore' });
      if (!ThreadFactory.isWorker) {
        require('node:test').mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate'] });
        f.start().then(({ results: [pid] }) => {
          process.kill(pid, 'SIGKILL');
          say(['over while it lived']);
        });
      }`);
    expect(ran.said).toEqual([['over while it lived']]);
  });

  it('leaves a run without processes as it is, and the classes of its errors', async () => {
    const ran = await script(`${HEAD}
      const factory = (options) => new ThreadFactory({ manager: () => [1, 2], worker: (n) => n + 1 }, { workers: 0, ...options });
      const f = factory();
      f.on('exit', ({ id, reason }) => say({ id, reason }));
      const { Object: theirs, process: ours } = globalThis;
      Object.assign(globalThis, { Object: undefined, process: { env: {} } });
      delete Reflect.apply;
      f.start().then(({ results }) => {
        theirs.assign(globalThis, { Object: theirs, process: ours });
        say(results);
        for (const file of Object.keys(require.cache)) delete require.cache[file];
        try { factory({ concurrency: -1 }); } catch (e) { say([e instanceof ThreadFactory.OptionError]); }
      });`);
    expect(ran.stderr).toBe('');
    expect(ran.said).toEqual([{ id: 1, reason: 'finished' }, [2, 3], [true]]);
  });
});
