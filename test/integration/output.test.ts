import { afterAll, describe, expect, it } from 'vitest';
import { HEAD, project, removeProjects, runIn, script } from '../helpers/script.js';

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
  it.each(['stdout', 'stderr'] as const)(
    'what a job wrote to %s is all there, be it the first',
    async (name) => {
      const ran = await script(`${HEAD}
      const f = new ThreadFactory({
        manager: () => [1],
        worker: () => { for (let i = 0; i < 10000; i++) process.${name}.write('x'.repeat(1000) + '\\n'); },
      }, { output: 'prefix' });
      f.start();`);
      expect(ran[name].match(/^\[1\] x{1000}$/gm)).toHaveLength(10_000);
    },
  );

  it.each(["console.log('first')", 'globalThis.out = process.stdout'])(
    'so is what it printed where code that Node loads before all else looked at stdout: %s',
    async (preload) => {
      const main = `${HEAD}
        const print = (line) => globalThis.out ? globalThis.out.write(line + '\\n') : console.log(line);
        const f = new ThreadFactory({
          manager: () => [1],
          worker: () => { for (let i = 0; i < 10000; i++) print('x'.repeat(1000)); },
        }, { output: 'prefix' });
        f.start();`;
      const folder = await project({ 'main.cjs': main, 'preload.cjs': preload });
      const ran = await runIn(folder, 'main.cjs', { flags: ['--require', './preload.cjs'] });
      expect(ran.stdout.match(/^\[1\] x{1000}$/gm)).toHaveLength(10_000);
    },
  );

  it('so is what it wrote to a stream in the place of stdout', async () => {
    const ran = await script(`${HEAD}
      const { writeSync } = require('node:fs');
      const { Writable } = require('node:stream');
      const write = (chunk, _, done) => setTimeout(() => { writeSync(1, chunk); done(); }, 20);
      if (ThreadFactory.isWorker) Object.defineProperty(process, 'stdout', { value: new Writable({ write }) });
      const f = new ThreadFactory({
        manager: () => [1, 2, 3],
        worker: (job) => { process.stdout.write('job ' + job + '\\n'); },
      }, { workers: 1 });
      f.start();`);
    expect(ran.stdout).toBe('job 1\njob 2\njob 3\n');
  });

  it('a large result right before a worker leaves is not cut off', async () => {
    const ran = await script(`${HEAD}
      const f = new ThreadFactory({ manager: () => [1, 2, 3], worker: () => Buffer.alloc(3e6, 7) }, { maxJobsPerWorker: 1, workers: 1 });
      f.start().then((s) => say(s.results.map((b) => b.length)));`);
    expect(ran.said).toEqual([[3e6, 3e6, 3e6]]);
  });
});

describe('a job whose output nobody reads any more', () => {
  /** Runs a script whose standard output is read for one line, as by `script | head -1`; it prints to standard error. */
  const readOnce = async (text: string, flag = '') => {
    const files = { 'main.cjs': `${HEAD}${text}`, 'preload.cjs': "console.log('first')" };
    const flags = ['-c', `"$0" ${flag} "$1" | head -n 1`, process.execPath];
    const ran = await runIn(await project(files), 'main.cjs', { program: 'bash', flags });
    return JSON.parse(ran.stderr) as unknown;
  };
  const UNTIL_UNREAD = `const untilUnread = async (name) => {
    for (;;) {
      const error = await new Promise((resolve) => process[name].write('line\\n', resolve));
      if (error) return error.code;
    }
  };\n`;

  it.each([
    ['', 'and Node made its stream when the job first wrote'],
    ['--require=./preload.cjs', 'and code that Node loads before all else wrote to it'],
  ])('goes on, and is run once: %s %s', async (flag) => {
    const said = await readOnce(
      `${UNTIL_UNREAD}const { appendFileSync, readFileSync } = require('node:fs');
      const f = new ThreadFactory({
        manager: () => [1, 2, 3],
        worker: async () => {
          appendFileSync('runs', 'x');
          const code = await untilUnread('stdout');
          console.log('more');
          // An error that nobody hears is thrown by then.
          await new Promise(setImmediate);
          return code;
        },
      }, { workers: 2 });
      const exits = [];
      f.on('exit', ({ reason }) => exits.push(reason));
      f.start().then((s) => console.error(JSON.stringify([s.results, exits, readFileSync('runs', 'utf8')])));`,
      flag,
    );
    expect(said).toEqual([['EPIPE', 'EPIPE', 'EPIPE'], ['finished', 'finished'], 'xxx']);
  });

  it('hears of it where it listens, and any other error there is thrown as ever', async () => {
    const said = await readOnce(`${UNTIL_UNREAD}
      const f = new ThreadFactory({
        manager: () => ['heard', 'other'],
        worker: async (job) => {
          if (job === 'other') process.stdout.emit('error', new Error('another one'));
          const heard = new Promise((resolve) => process.stdout.once('error', resolve));
          await untilUnread('stdout');
          return (await heard).code;
        },
      }, { workers: 1 });
      const errors = [];
      f.on('error', (e) => errors.push(e.message));
      f.start().then((s) => { process.stderr.write(JSON.stringify([s.results[0], errors])); });`);
    expect(said).toEqual(['EPIPE', ['another one']]);
  });
});
