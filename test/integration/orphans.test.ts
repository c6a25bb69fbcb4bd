import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allGone, HANG, HEAD, lives, project, removeProjects, runIn, script } from '../helpers/script.js';

afterAll(removeProjects);

// Where setpriv is found the kernel ends them, too.
const FOUND = process.env['PATH'] ?? '';
const NOT_FOUND = '/nowhere';

describe.each([
  ['a SIGKILL', "process.kill(process.pid, 'SIGKILL')"],
  ['process.exit', 'process.exit(3)'],
  ['an uncaught error', "setTimeout(() => { throw new Error('mine') })"],
])('after %s of the manager', (what, deed) => {
  // A true loop once: it takes the watchdog's core from it, where there is no setpriv.
  const loop = what === 'a SIGKILL' ? '() => { for (;;); }' : 'hang';
  it('workers are gone within two seconds, idle, awaiting, in a loop or in execSync, with what they started', async () => {
    for (const path of [FOUND, NOT_FOUND]) {
      const folder = await project({
        'main.cjs': `${HEAD}${HANG}
          const { existsSync, readFileSync } = require('node:fs');
          const states = {
            // Not before each of the others has its worker.
            idle: () => new Promise((resolve) => { const timer = setInterval(() => { if (existsSync('started')) resolve(clearInterval(timer)); }, 10); }),
            awaiting: () => new Promise(() => {}),
            loop: ${loop},
            execSync: () => require('node:child_process').execSync('echo $$ > started; exec /bin/sleep 600'),
          };
          const f = new ThreadFactory({
            manager: () => Object.keys(states),
            worker: (name, { progress }) => { progress(name); return states[name](); },
          }, { workers: 4, batchSize: 1, output: 'ignore' });
          const pids = [];
          let begun = 0;
          f.on('ready', ({ pid }) => pids.push(pid));
          f.on('progress', () => begun++);
          f.on('completed', () => begun++);
          f.start().catch(() => {});
          const timer = ThreadFactory.isWorker ? undefined : setInterval(() => {
            const started = existsSync('started') ? Number(readFileSync('started', 'utf8')) : 0;
            if (begun < 5 || started === 0) return;
            clearInterval(timer);
            say([...pids, started]);
            ${deed};
          }, 10);`,
      });
      const ran = await runIn(folder, 'main.cjs', { env: { PATH: path } });
      const pids = ran.said[0] as number[];
      expect(pids).toHaveLength(5);
      await allGone(pids);
    }
  });
});

describe('no worker outlives its manager', () => {
  it('after its output was closed: node script | head -1', async () => {
    const folder = await project({
      'main.cjs': `${HEAD}
        const f = new ThreadFactory({ manager: () => Array.from({ length: 1e6 }, (_, i) => i), worker: (n) => new Promise((r) => setTimeout(r, 5, n)) }, { workers: 2 });
        f.on('ready', ({ pid }) => require('node:fs').appendFileSync('pids', pid + '\\n'));
        f.on('completed', say);
        f.start();`,
    });
    const ran = await runIn(folder, '-c', {
      program: 'sh',
      args: [`"${process.execPath}" main.cjs 2>errors | head -1`],
    });
    expect(ran.said).toHaveLength(1);
    expect(await readFile(join(folder, 'errors'), 'utf8')).toContain('EPIPE');
    const pids = (await readFile(join(folder, 'pids'), 'utf8')).trim().split('\n').map(Number);
    await allGone(pids);
  });

  it('after a SIGKILL, though a program in between runs Node in a process of its own', async () => {
    const folder = await project({
      wrapper: `#!/bin/sh\n"${process.execPath}" "$@"\n`,
      'main.cjs': `${HEAD}${HANG}
        require('node:fs').chmodSync('wrapper', 0o755);
        const f = new ThreadFactory({ manager: () => [1], worker: (_, { progress }) => { progress(process.pid); hang(); } }, { execPath: './wrapper' });
        f.on('progress', ({ data }) => { say([data]); process.kill(process.pid, 'SIGKILL'); });
        f.start();`,
    });
    const ran = await runIn(folder, 'main.cjs');
    expect(ran.said).toHaveLength(1);
    await allGone(ran.said[0] as number[]);
  });

  it('after a SIGKILL at the moment a worker begins to load, with or without setpriv', async () => {
    for (const path of [FOUND, NOT_FOUND]) {
      const folder = await project({
        'main.cjs': `${HEAD}${HANG}
          if (ThreadFactory.isWorker) { require('node:fs').writeSync(1, '[' + process.pid + ']\\n'); hang(); }
          new ThreadFactory({ manager: () => [1], worker: (n) => n }).start();`,
      });
      let killed = false;
      const ran = await runIn(folder, 'main.cjs', {
        env: { PATH: path },
        onOutput: (text, pid) => {
          if (killed || !text.includes(']')) return;
          killed = true;
          process.kill(pid, 'SIGKILL');
        },
      });
      await allGone(ran.said[0] as number[]);
    }
  });
});

describe('subprocesses of a worker', () => {
  /** The pid of the `sleep` that each way started; the manager was killed when it had seen them all. */
  let sleeps: Record<string, number> = {};

  beforeAll(async () => {
    const folder = await project({
      'main.mjs': `import ThreadFactory from 'threadfactory';
        import child, { exec, spawn, spawnSync } from 'node:child_process';
        import { readFileSync, readdirSync } from 'node:fs';
        const ways = {
          spawn: () => { spawn('sleep', ['1001']); },
          exec: () => { exec('exec sleep 1002'); },
          spawnSync: () => spawnSync('sleep', ['1003']),
          execFileSync: () => child.execFileSync('sleep', ['1004']),
        };
        const f = new ThreadFactory({
          manager: () => [...Object.keys(ways), 'idle'],
          worker: (way) => { if (way === 'idle') return; ways[way](); return new Promise(() => {}); },
        }, { workers: 5, batchSize: 1 });
        const read = (pid, file) => { try { return readFileSync('/proc/' + pid + '/' + file, 'utf8'); } catch { return ''; } };
        const isSleep = (pid) => read(pid, 'comm') === 'sleep\\n' && read(pid, 'environ').includes('OF_THIS_TEST=' + process.env.OF_THIS_TEST);
        let idle = false;
        f.on('completed', () => { idle = true; });
        if (!ThreadFactory.isWorker) setInterval(() => {
          const found = idle ? readdirSync('/proc').filter(isSleep) : [];
          if (found.length < 4) return;
          const wayOf = (pid) => Object.keys(ways)[Number(read(pid, 'cmdline').split('\\0')[1]) - 1001];
          console.log(JSON.stringify(Object.fromEntries(found.map((pid) => [wayOf(pid), Number(pid)]))));
          process.kill(process.pid, 'SIGKILL');
        }, 10);
        await f.start();`,
    });
    const ran = await runIn(folder, 'main.mjs', { env: { OF_THIS_TEST: folder } });
    expect(ran.said).toHaveLength(1);
    sleeps = ran.said[0] as Record<string, number>;
  });

  it.each(['spawn', 'exec', 'spawnSync', 'execFileSync'])(
    'started by %s go with a manager that is SIGKILLed',
    async (way) => {
      expect(sleeps).toHaveProperty(way, expect.any(Number));
      await allGone([sleeps[way] ?? 0]);
    },
  );

  it('go with a worker that was killed, was aborted or left a job undone, however it ended', async () => {
    const ran = await script(`${HEAD}${HANG}
      // As servers do. Then it is no signal that the worker ends by.
      process.on('SIGTERM', () => process.exit(0));
      const start = (progress) => new Promise((resolve) => {
        const child = require('node:child_process').spawn('sh', ['-c', 'trap "" TERM; echo up; exec sleep 600'], { stdio: ['ignore', 'pipe', 'ignore'] });
        child.stdout.once('data', () => resolve(progress(child.pid)));
      });
      const deeds = {
        loops: hang,
        waits: () => new Promise(() => {}),
        exits: () => setTimeout(() => process.exit(0), 20),
        isTold: ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', resolve)),
      };
      const ac = new AbortController();
      const make = (name, options) => new ThreadFactory({
        manager: () => [name],
        worker: async (name, context) => { await start(context.progress); await deeds[name](context); await new Promise(() => {}); },
      }, { crashRetries: 0, ...options });
      const all = [make('loops', { timeout: 200 }), make('waits', { timeout: 200 }), make('exits'), make('isTold', { signal: ac.signal })];
      all[3].on('progress', () => ac.abort());
      Promise.all(all.map((f) => new Promise((resolve) => {
        f.on('error', () => {}).on('progress', ({ data }) => say([data]));
        f.start().then(resolve, resolve);
      })));`);
    const pids = (ran.said as [number][]).flat();
    expect(pids).toHaveLength(4);
    await allGone(pids);
  });

  it('one that left the group and holds the pipes open does not delay the end', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1],
        worker: () => {
          const child = require('node:child_process').spawn('sleep', ['600'], { detached: true, stdio: 'inherit' });
          child.unref();
          return child.pid;
        },
      }, { output: 'prefix' });
      f.start().then((s) => say(s.results));`);
    const [[pid]] = ran.said as [[number]];
    expect(lives(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
  });
});
