import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { project, removeProjects, script } from '../helpers/script.js';
import { Terminal } from '../helpers/terminal.js';

let terminal: Terminal | undefined;
afterEach(() => {
  terminal?.close();
  terminal = undefined;
});
afterAll(removeProjects);

/** Each job says something and ends when there is a file of its name. How the run is to end is an argument. */
const MAIN = `
const ThreadFactory = require('threadfactory');
const { existsSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const how = process.argv[2];
const abort = new AbortController();
const factory = new ThreadFactory(
  {
    manager: () => {
      if (how === 'fail') throw new Error('no list');
      return ['one', 'two', 'three'];
    },
    workerProcess: async (job) => {
      console.log('looking at ' + job);
      while (!existsSync(job)) await sleep(20);
      if (job === 'two') throw new Error('broken');
    },
  },
  { workers: 1, progress: true, signal: abort.signal, handleSignals: how === 'signals' },
);
factory.on('error', (error) => console.log('main says ' + error.message));
factory.on('ready', () => setTimeout(() => {
  if (how === 'exit') process.exit(3);
  if (how === 'throw') throw new Error('uncaught');
  if (how === 'abort') abort.abort(new Error('aborted by test'));
}, 300));
factory.start().catch((error) => console.log('rejected with ' + error.message));
`;

const open = async (): Promise<string> => {
  const folder = await project({ 'main.cjs': MAIN });
  terminal = new Terminal(folder);
  return folder;
};

const shown = (): Terminal => {
  if (terminal === undefined) throw new Error('no terminal');
  return terminal;
};

describe('on a terminal', () => {
  it('progress is one frame, whatever is printed and however the window changes', async () => {
    const folder = await open();
    const settle = (job: string): Promise<void> => writeFile(join(folder, job), '');
    shown().run(`${process.execPath} main.cjs`);
    const lines = await shown().until((all) => all.some((line) => /^1 +\d+s {2}one/.test(line)));
    const { cursorShown } = shown();
    expect(lines.slice(1)).toEqual([
      'looking at one',
      expect.stringMatching(/^1 +\ds {2}one$/),
      expect.stringMatching(/^░+ +0% {2}0\/3 {2}\ds$/),
    ]);
    expect(cursorShown).toBe(false);
    expect(shown().lines(true).join('\n')).toContain('\u001b[');

    await settle('one');
    await settle('two');
    await shown().until((all) => all.some((line) => line.includes('2/3')));
    shown().resize(50, 15);
    // Before tmux has told of its new size the line is wider, and in two pieces after that until it is drawn again.
    const narrow = await shown().until(
      (all) => /2\/3/.test(all.at(-1) ?? '') && (all.at(-1) ?? '').length < 50,
    );
    expect(narrow.filter((line) => !/looking|says/.test(line)).slice(-2)).toEqual([
      expect.stringMatching(/^1 +\d+s {2}three$/),
      expect.stringMatching(/66% {2}2\/3 {2}1 failed/),
    ]);
    expect(narrow.filter((line) => /looking|says/.test(line)).sort()).toEqual([
      'looking at one',
      'looking at three',
      'looking at two',
      'main says broken',
    ]);

    await settle('three');
    const last = await shown().until((all) => all.some((line) => line.includes('finished in')));
    expect(last.filter((line) => /three|\/3|finished/.test(line))).toEqual([
      'looking at three',
      expect.stringMatching(/^✖ finished in \d+s: 2 completed, 1 failed$/),
    ]);
    expect(shown().cursorShown).toBe(true);
  });

  it('the cursor and the shell are as before on every way out', async () => {
    await open();
    const ends = [
      ['exit', 'the process exited'],
      ['throw', 'the process exited'],
      ['abort', 'aborted after'],
      ['fail', 'the run failed'],
    ] as const;
    for (const [how, words] of ends) {
      // By its name: the end of the one before is on the screen until it is cleared.
      const ended = new RegExp(`^status of ${how}: \\d`);
      shown().run(`clear; ${process.execPath} main.cjs ${how}; echo status of ${how}: $?`);
      const lines = await shown().until((all) => all.some((line) => ended.test(line)));
      expect(lines.filter((line) => line.includes(words))).toHaveLength(1);
      expect(lines.filter((line) => /\/3|^1 +\d/.test(line))).toEqual([]);
      expect([how, shown().cursorShown]).toEqual([how, true]);
    }
  });

  it('the cursor and the shell are as before after Ctrl-C, with and without handleSignals', async () => {
    await open();
    for (const [how, words] of [
      ['none', 'the process exited'],
      ['signals', 'stopping'],
    ] as const) {
      // By its name: the run before is on the screen until it is cleared.
      shown().run(`clear; echo begins ${how}; ${process.execPath} main.cjs ${how}`);
      await shown().until((all) => all.includes(`begins ${how}`) && all.includes('looking at one'));
      shown().press('C-c');
      await shown().until((all) => all.some((line) => line.includes(words)));
      if (how === 'signals') shown().press('C-c');
      const lines = await shown().until((all) => all.at(-1) === '$');
      expect(lines.filter((line) => line.includes('the process exited'))).toHaveLength(1);
      expect(lines.filter((line) => /\/3|^1 +\d/.test(line))).toEqual([]);
      shown().run('echo status $?');
      expect(await shown().until((all) => all.some((line) => /^status/.test(line)))).toContain('status 130');
      expect([how, shown().cursorShown]).toEqual([how, true]);
    }
  });

  it('there is no colour with NO_COLOR', async () => {
    const folder = await open();
    shown().run(`NO_COLOR=1 ${process.execPath} main.cjs`);
    await shown().until((all) => all.some((line) => line.includes('0/3')));
    expect(shown().lines(true).join('\n')).not.toContain('\u001b[3');
    for (const job of ['one', 'two', 'three']) await writeFile(join(folder, job), '');
    await shown().until((all) => all.some((line) => line.includes('finished in')));
  });
});

describe('elsewhere', () => {
  it('progress is lines on standard error, and nothing is loaded where it is off', async () => {
    const text = `
const ThreadFactory = require('threadfactory');
const progress = process.argv[2] === undefined || undefined;
const factory = new ThreadFactory({ manager: () => [1, 2], workerProcess: (n) => n }, { workers: 1, progress });
factory.start().then(() => console.log(JSON.stringify({
  loaded: Object.keys(require.cache).filter((path) => path.endsWith('progress.cjs')).length,
  listeners: process.listenerCount('SIGINT'),
})));`;
    const ran = await script(text);
    expect(ran.stderr).toMatch(/^threadfactory: finished in \d+s: 2 completed\n$/);
    expect(ran.said).toEqual([{ loaded: 1, listeners: 0 }]);
    const off = await script(text.replace('process.argv[2] === undefined || undefined', 'false'));
    expect(off.stderr).toBe('');
    expect(off.said).toEqual([{ loaded: 0, listeners: 0 }]);
  });
});
