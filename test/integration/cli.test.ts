import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allGone, removeProjects } from '../helpers/script.js';
import { commandProject, shell } from '../helpers/shell.js';
import { Terminal } from '../helpers/terminal.js';

const FILES = {
  // A module of the functions, without a list; it prints where it must not get in the way.
  'worker.js': `
console.log('loading');
exports.workerProcess = (line) => {
  console.log('working on ' + line);
  if (line === '3') throw Object.assign(new RangeError('three'), { code: 'E_THREE' });
  return { line, big: 2n };
};`,
  'list.mjs': `
export const manager = (words) => words ?? [1, 2, 3];
export const workerProcess = (job, { id }) => [job, id, process.env.COLOUR];
export const managerFinish = ({ results }) => console.log('results ' + results.length);`,
  // A script that runs its factory itself only where node runs it.
  'script.cjs': `
const ThreadFactory = require('threadfactory');
const factory = new ThreadFactory(
  { manager: () => process.argv.slice(2), workerProcess: (job, { id, attempt }) => {
    if (job === 'again' && attempt === 1) throw new Error('once');
    return [job, id, attempt];
  } },
  { workers: 4, retries: { limit: 0, delay: 1 } },
);
if (require.main === module) factory.start();`,
  'script.mjs': `
import ThreadFactory from 'threadfactory';
const factory = new ThreadFactory({ manager: () => ['a', 'b'], workerProcess: (job) => job }, { workers: 1 });
const { total } = await factory.start();
console.log('after ' + total);`,
  'two.cjs': `
const ThreadFactory = require('threadfactory');
for (const n of [1, 2]) new ThreadFactory({ manager: () => [n], workerProcess: (job) => job });`,
  'nothing.cjs': `exports.something = 1;`,
  'broken.mjs': `
import ThreadFactory from 'threadfactory';
await new ThreadFactory({ manager: () => { throw new Error('no list today'); }, workerProcess: () => {} }).start();`,
  'broken.cjs': `
const ThreadFactory = require('threadfactory');
const factory = new ThreadFactory({ manager: () => { throw new Error('no list'); }, workerProcess: () => {} });
factory.start().then(() => {});`,
  'exits.cjs': `
const ThreadFactory = require('threadfactory');
const factory = new ThreadFactory({
  manager: () => process.argv.slice(2),
  workerProcess: (job) => { if (job === 'bad') throw new Error('bad job'); return job; },
});
factory.start().then(() => process.exit());`,
  'shows.cjs': `
const ThreadFactory = require('threadfactory');
const bad = () => { throw new Error('bad job'); };
new ThreadFactory({ manager: () => [1], workerProcess: bad }, { progress: true }).start();`,
  'guard.mjs': `
import ThreadFactory from 'threadfactory';
const bad = () => { throw new Error('bad job'); };
await new ThreadFactory({ manager: () => [1], workerProcess: bad }).start();
console.error('deleting the originals');`,
  'catches.cjs': `
const ThreadFactory = require('threadfactory');
const bad = () => { throw new Error('bad job'); };
new ThreadFactory({ manager: () => [1], workerProcess: bad }).start().catch(({ code }) => console.error('caught ' + code));`,
  'listens.mjs': `
import ThreadFactory from 'threadfactory';
const bad = () => { throw new Error('bad job'); };
const factory = new ThreadFactory({ manager: () => [1], workerProcess: bad });
factory.on('error', ({ message }) => console.log('heard ' + message));
await factory.start();
console.log('resolved');`,
  'leaves.cjs': `
const ThreadFactory = require('threadfactory');
const bad = () => { throw new Error('bad job'); };
if (!ThreadFactory.isWorker) setInterval(() => {}, 1000);
new ThreadFactory({ manager: () => [1], workerProcess: bad }).start().then(() => process.exit());`,
  'rejects.cjs': `
const ThreadFactory = require('threadfactory');
const factory = new ThreadFactory({ manager: () => new Promise(() => {}), workerProcess: () => {} });
if (!ThreadFactory.isWorker) Promise.reject(new Error('forgotten'));
factory.start();`,
  'slow.js': `
const { existsSync, watch, writeFileSync } = require('node:fs');
// In the command's process: the job goes on when the signal was heard there.
if (process.send === undefined) process.on('SIGINT', () => writeFileSync('go', ''));
exports.manager = () => [1];
exports.workerProcess = () => new Promise((resolve) => {
  const watcher = watch('.', () => {
    if (!existsSync('go')) return;
    watcher.close();
    resolve();
  });
  console.error('manager ' + process.ppid);
});
exports.workerFinish = () => console.error('finished well');`,
  'never.mjs': `await new Promise(() => {});`,
  'wait.cjs': `
exports.workerStartup = () => console.error('worker ' + process.pid);
exports.workerProcess = () => {};`,
};

let folder = '';
beforeAll(async () => {
  folder = await commandProject(FILES);
  // A script is known by a link to it, too, of either format.
  await mkdir(join(folder, 'links'));
  for (const file of ['script.cjs', 'script.mjs']) await symlink(`../${file}`, join(folder, 'links', file));
});
afterAll(removeProjects);

const run = (command: string): ReturnType<typeof shell> => shell(folder, command);

describe('threadfactory run', () => {
  it('takes jobs from standard input and prints a JSON line for each, with nothing between', async () => {
    const said = await run('seq 5 | threadfactory run worker.js --stdin lines --json --ordered --workers 2');
    expect(said.lines).toEqual(
      ['1', '2', '3', '4', '5'].map((job, index) =>
        job === '3'
          ? { index, job, error: expect.objectContaining({ name: 'RangeError', code: 'E_THREE' }) }
          : { index, job, result: { line: job, big: '2' } },
      ),
    );
    expect(said.stderr.match(/^working on \d$/gm)).toHaveLength(5);
    expect(said.stderr).toContain('loading\n');
    expect(said.status).toBe(1);
  });

  it('runs a module of the functions, with what follows -- for its manager', async () => {
    const said = await run('threadfactory run list.mjs --workers 1 --env COLOUR=red --json -- x y');
    expect(said.lines).toEqual([
      { index: 0, job: 'x', result: ['x', 1, 'red'] },
      { index: 1, job: 'y', result: ['y', 1, 'red'] },
    ]);
    expect(said.stderr).toBe('results 2\n');
    expect(said.status).toBe(0);
  });

  it('starts the factory of a script that does not start it, and a flag wins over its option', async () => {
    const command =
      'threadfactory run links/script.cjs --json --ordered --workers 1 --retries 1 -- first again';
    const said = await run(command);
    expect(said.lines.map(({ job, result }) => [job, result])).toEqual([
      ['first', ['first', 1, 1]],
      ['again', ['again', 1, 2]],
    ]);
    expect([said.status, said.stderr]).toEqual([0, '']);
  });

  it('runs a script that starts its factory itself, to the end of the script', async () => {
    expect(await run('threadfactory run script.mjs')).toMatchObject({
      stdout: 'after 2\n',
      stderr: '',
      status: 0,
    });
    const piped = await run('seq 3 | threadfactory run links/script.mjs --stdin lines --json --ordered');
    expect(piped.lines.map(({ result }) => result)).toEqual(['1', '2', '3']);
    expect([piped.stderr, piped.status]).toEqual(['after 3\n', 0]);
  });

  it('runs a script that ends the process itself: the run decides on the status', async () => {
    expect(await run('threadfactory run exits.cjs --workers 1 -- good')).toMatchObject({
      stderr: '',
      status: 0,
    });
    const failed = await run('threadfactory run exits.cjs --workers 1 -- good bad');
    expect(failed.stderr).toMatch(
      /^threadfactory: job 1 \(bad\) failed: Error: bad job\nthreadfactory: finished in \d+s: 1 completed, 1 failed\n$/,
    );
    expect(failed.status).toBe(1);
  });

  it.each(['', ' --json'])(
    'fails a script that awaits its run, as node does, if jobs failed:%s',
    async (flag) => {
      const said = await run(`threadfactory run guard.mjs --workers 1${flag}`);
      expect(said.stderr).not.toContain('deleting the originals');
      expect(said.status).toBe(1);
      const caught = await run(`threadfactory run catches.cjs --workers 1${flag}`);
      expect(caught.stderr).toContain('caught ERR_JOBS_FAILED');
      expect(caught.status).toBe(1);
    },
  );

  it('leaves it to a listener of the script what failed', async () => {
    const said = await run('threadfactory run listens.mjs --workers 1');
    expect(said).toMatchObject({ stdout: 'heard bad job\nresolved\n', status: 1 });
    expect(said.stderr).toMatch(/^threadfactory: finished in \d+s: 0 completed, 1 failed\n$/);
  });

  it.each(['--no-progress', '--progress', ''])(
    'says once how a run ended that failed, whoever asked for a display or for none: %s',
    async (flag) => {
      const said = await run(`threadfactory run shows.cjs --workers 1 ${flag}`);
      expect(said.stderr.match(/^threadfactory: finished in \d+s: 0 completed, 1 failed$/gm)).toHaveLength(1);
      expect(said.status).toBe(1);
    },
  );

  it('ends a script that left its run at that, whatever it has open', async () => {
    const said = await run('threadfactory run leaves.cjs --workers 1');
    expect(said.stderr).toMatch(/1 failed\n$/);
    expect(said.status).toBe(1);
  });

  it('says in words what a script rejected with, and ends', async () => {
    const said = await run('threadfactory run rejects.cjs --workers 1');
    expect(said.stderr).toMatch(/^threadfactory: Error: forgotten\n {4}at /);
    expect(said.status).toBe(2);
  });

  it('says which jobs failed where results are not printed', async () => {
    const said = await run('seq 5 | threadfactory run worker.js --stdin lines --output ignore --workers 1');
    expect(said.stderr).toMatch(
      /^threadfactory: job 2 \(3\) failed: RangeError: three\nthreadfactory: finished in \d+s: 4 completed, 1 failed\n$/,
    );
    expect(said.status).toBe(1);
  });

  it('ends quietly when its reader has seen enough, however long the list is', async () => {
    const said = await run(
      'yes | threadfactory run worker.js --stdin lines --json --output ignore --workers 1 | head -3',
    );
    expect(said.lines).toHaveLength(3);
    expect(said.stderr).toBe('loading\n');
    expect(said.status).toBe(141);
  });

  it('goes on from its journal, and prints what is recorded as well as what is new', async () => {
    const command = (to: number): string =>
      `seq ${to} | grep -v 3 | threadfactory run worker.js --stdin lines --json --ordered --key . --journal run.jsonl --workers 1`;
    expect((await run(command(4))).lines.map(({ job }) => job)).toEqual(['1', '2', '4']);
    const again = await run(command(6));
    expect(again.lines).toEqual(
      ['1', '2', '4', '5', '6'].map((job, index) => ({ index, job, result: { line: job, big: '2' } })),
    );
    expect(again.stderr.match(/^working on \d$/gm)).toEqual(['working on 5', 'working on 6']);
    expect(again.status).toBe(0);
  });

  it('ends on SIGINT while it waits for standard input, and leaves no worker', async () => {
    let worker = 0;
    // The shell becomes the command: its pid is the command's.
    const said = await shell(folder, 'exec threadfactory run wait.cjs --stdin lines --workers 1', {
      open: '1\n',
      onStderr(stderr, pid) {
        const [, found] = /worker (\d+)/.exec(stderr) ?? [];
        if (found === undefined || worker !== 0) return;
        worker = Number(found);
        process.kill(pid, 'SIGINT');
      },
    });
    expect(said.stderr).toMatch(/threadfactory: interrupted after \d+s: [01] completed/);
    expect(said.status).toBe(130);
    await allGone([worker]);
  });

  it.each([
    ['two.cjs', 'builds more than one factory'],
    ['nothing.cjs', 'neither exports the functions (`workerProcess` and `manager`) nor builds a factory'],
    ['worker.js', 'exports no `manager`'],
    ['broken.mjs', 'Error: no list today'],
    ['broken.cjs', 'Error: no list'],
    ['never.mjs', 'SPEC still waits for something that never comes'],
    ['list.mjs --workes 3', 'Unknown flag --workes; did you mean --workers?\nSee threadfactory run --help.'],
  ])('has status 2 and says why: run %s', async (args, words) => {
    const said = await run(`threadfactory run ${args}`);
    expect(said.stderr.match(/threadfactory: /g)).toHaveLength(1);
    expect(said.stderr).toContain(words);
    expect(said.status).toBe(2);
  });

  it('lets running jobs end after Ctrl-C though whoever read its output has gone by it as well', async () => {
    let manager = 0;
    const said = await shell(
      folder,
      'threadfactory run slow.js --json --workers 1 --journal slow.jsonl | true',
      {
        onStderr(stderr) {
          const [, found] = /manager (\d+)/.exec(stderr) ?? [];
          if (found === undefined || manager !== 0) return;
          manager = Number(found);
          process.kill(manager, 'SIGINT');
        },
      },
    );
    expect(said.stderr).toContain('finished well');
    expect(said.status).toBe(130);
    const lines = (await readFile(join(folder, 'slow.jsonl'), 'utf8')).split('\n');
    expect(lines.filter((line) => line.includes('"completed"'))).toHaveLength(1);
  });

  it('goes on where nobody can be told how it goes', async () => {
    const command = (stderr: string): string =>
      `seq 5 | threadfactory run worker.js --stdin lines --json --ordered --workers 1 2> ${stderr}`;
    for (const stderr of ['/dev/full', '>(exec true)']) {
      const said = await run(command(stderr));
      expect(said.lines.map(({ job }) => job)).toEqual(['1', '2', '3', '4', '5']);
      expect(said.status).toBe(1);
    }
  });

  it('takes no job that is not what was written', async () => {
    const bytes = await run(`printf 'a\\xff\\n' | threadfactory run worker.js --stdin lines --output ignore`);
    expect(bytes.stderr).toContain('threadfactory: Line 1 of standard input is not UTF-8: a\ufffd\n');
    expect(bytes.status).toBe(2);
    const folders = await run('threadfactory run worker.js --stdin lines < .');
    expect(folders.stderr).toContain('threadfactory: Standard input is a folder');
    expect(folders.status).toBe(2);
  });

  it('names the line of standard input that is not JSON', async () => {
    const said = await run(
      `printf '1\\n\\noops\\n' | threadfactory run worker.js --stdin jsonl --output ignore`,
    );
    expect(said.stderr).toContain('threadfactory: Line 3 of standard input is not JSON: oops\n');
    expect(said.status).toBe(2);
  });
});

describe('threadfactory', () => {
  it('has help, a version, and a hint for a command that it does not have', async () => {
    const [help, version, other] = await Promise.all([
      run('threadfactory --help'),
      run('threadfactory --version'),
      run('threadfactory rum list.mjs'),
    ]);
    expect((await run('threadfactory help constructor')).stdout).toBe(help.stdout);
    expect(help.stdout).toContain('threadfactory COMMAND --help');
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(other.stderr).toContain('did you mean `threadfactory run`?');
    expect([help.status, version.status, other.status]).toEqual([0, 0, 2]);
  });

  it('says in a line that it can not write its output', async () => {
    const failed = await run(
      'seq 3 | threadfactory run worker.js --stdin lines --json --output ignore > /dev/full',
    );
    const help = await run('threadfactory run --help > /dev/full');
    expect(failed.stderr).toMatch(
      /^loading\nthreadfactory: can not write to standard output: ENOSPC[^\n]*\n$/,
    );
    expect(help.stderr).toMatch(/^threadfactory: can not write to standard output: ENOSPC[^\n]*\n$/);
    expect([failed.status, help.status]).toEqual([2, 2]);
  });

  it('ends quietly where nobody reads what it says', async () => {
    // The reader has gone before the command begins to write.
    const said = await run('{ sleep 0.2; threadfactory run --help; } | exec true');
    expect([said.stderr, said.status]).toEqual(['', 141]);
  });
});

describe('on a terminal', () => {
  it('the run is shown, and Ctrl-C lets running jobs end', async () => {
    await writeFile(
      join(folder, 'slow.cjs'),
      `const { existsSync } = require('node:fs');
exports.manager = () => ['one', 'two'];
exports.workerProcess = async (job) => {
  console.log('looking at ' + job);
  while (!existsSync(job)) await new Promise((resolve) => setTimeout(resolve, 20));
};`,
    );
    const terminal = new Terminal(folder);
    try {
      terminal.run('node_modules/.bin/threadfactory run slow.cjs --workers 1');
      await terminal.until((lines) => lines.includes('looking at one'));
      const shown = await terminal.until((lines) => lines.some((line) => /^1 +\d+s {2}one$/.test(line)));
      expect(shown).toContainEqual(expect.stringMatching(/ 0% {2}0\/2 /));
      terminal.press('C-c');
      await terminal.until((lines) => lines.some((line) => line.includes('stopping')));
      await writeFile(join(folder, 'one'), '');
      const last = await terminal.until((lines) => lines.at(-1) === '$');
      expect(last).toContainEqual(
        expect.stringMatching(/^■ interrupted after \d+s: 1 completed, 1 not run$/),
      );
      terminal.run('echo status $?');
      await terminal.until((lines) => lines.includes('status 130'));
      expect(terminal.cursorShown).toBe(true);
    } finally {
      terminal.close();
    }
  });
});

describe('on a terminal, with results in a file', () => {
  it('what the script prints stands above the picture of the run', async () => {
    await writeFile(
      join(folder, 'talks.cjs'),
      `const { existsSync } = require('node:fs');
const ThreadFactory = require('threadfactory');
const factory = new ThreadFactory({
  manager: () => ['first', 'second'],
  workerProcess: async (job) => {
    while (!existsSync(job)) await new Promise((resolve) => setTimeout(resolve, 20));
  },
}, { workers: 1 });
factory.on('completed', ({ job }) => console.log('done ' + job));`,
    );
    const terminal = new Terminal(folder);
    try {
      terminal.run('node_modules/.bin/threadfactory run talks.cjs --json > results.jsonl');
      await terminal.until((lines) => lines.some((line) => /^1 +\d+s {2}first$/.test(line)));
      await writeFile(join(folder, 'first'), '');
      const lines = await terminal.until((all) => all.some((line) => /^1 +\d+s {2}second$/.test(line)));
      expect(lines.filter((line) => / 0%| 50%/.test(line))).toHaveLength(1);
      expect(lines.indexOf('done first')).toBe(1);
      await writeFile(join(folder, 'second'), '');
      await terminal.until((all) => all.at(-1) === '$');
      expect(await readFile(join(folder, 'results.jsonl'), 'utf8')).toMatch(
        /^\{.*"first".*\n\{.*"second".*\n$/,
      );
    } finally {
      terminal.close();
    }
  });
});

describe('threadfactory report', () => {
  it('makes a page of a journal that a run wrote, and says where it is', async () => {
    const run = await shell(folder, 'threadfactory run list.mjs --workers 0 --journal looked-at.jsonl');
    expect(run.status).toBe(0);
    const { stdout, stderr, status } = await shell(
      folder,
      'threadfactory report looked-at.jsonl -o page.html',
    );
    expect({ stdout, stderr, status }).toEqual({ stdout: 'page.html\n', stderr: '', status: 0 });
    const page = await readFile(join(folder, 'page.html'), 'utf8');
    expect(page).toContain('"totals":{"completed":3,"failed":0,');
  });

  it('prints the page itself where that is to be written to -', async () => {
    await shell(folder, 'threadfactory run list.mjs --workers 0 --journal printed.jsonl');
    const said = await shell(folder, 'threadfactory report printed.jsonl -o -; test -e ./-');
    expect(said.stdout).toMatch(/^<!doctype html>.*"totals":\{"completed":3,.*<\/html>\n$/s);
    expect([said.stderr, said.status]).toEqual(['', 1]);
  });

  it('leaves a file alone that is no report', async () => {
    await shell(folder, 'threadfactory run list.mjs --workers 0 --journal site.jsonl');
    const { stdout, stderr, status } = await shell(
      folder,
      'echo mine > site.html; threadfactory report site.jsonl; echo $?; cat site.html',
    );
    expect(stdout).toBe('2\nmine\n');
    expect(stderr).toMatch(
      /^threadfactory: .*site\.html: that file is there already.*Choose another path: -o FILE\n$/,
    );
    expect(status).toBe(0);
  });

  it.skipIf(process.platform === 'win32')('waits for no pipe, and says what a journal is', async () => {
    const { stderr, status } = await shell(folder, 'mkfifo pipe; threadfactory report pipe');
    expect(stderr).toMatch(
      /the journal pipe: .*It must be a regular file, not a device, a pipe or a socket\.\n$/,
    );
    expect(status).toBe(2);
  });

  it('ends with status 2 and says why', async () => {
    const { stderr, status } = await shell(folder, 'threadfactory report no-such.jsonl');
    expect(status).toBe(2);
    expect(stderr).toContain('There is no journal');
  });
});
