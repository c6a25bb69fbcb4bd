import { afterAll, describe, expect, it } from 'vitest';
import { allGone, HANG, HEAD, project, removeProjects, runIn } from '../helpers/script.js';

afterAll(removeProjects);

/** A run of many short jobs whose own handlers and end are told. */
const MAIN = `${HEAD}
  const f = new ThreadFactory({
    manager: () => Array.from({ length: 1000 }, (_, i) => i),
    worker: (n) => new Promise((r) => setTimeout(r, 20, n)),
    workerFinish: () => say({ finish: true }),
  }, { handleSignals: true, workers: 1 });
  const names = ['SIGINT', 'SIGTERM'];
  if (!ThreadFactory.isWorker) for (const name of names) process.on(name, () => say({ mine: name }));
  f.once('completed', () => say({ go: true }));
  f.start().then((s) => say({ stopped: s.stopped, listeners: names.map((name) => process.listenerCount(name)) }));`;

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('handleSignals and %s', (signal, code) => {
  it('the first one ends the run in good order, with its exit code; other handlers run, ours go', async () => {
    let asked = false;
    const ran = await runIn(await project({ 'main.cjs': MAIN }), 'main.cjs', {
      onOutput: (text, pid) => {
        if (asked || !text.includes('go')) return;
        asked = true;
        process.kill(pid, signal);
      },
    });
    expect(ran.said).toEqual([
      { go: true },
      { mine: signal },
      { finish: true },
      { stopped: 'interrupt', listeners: [1, 1] },
    ]);
    expect(ran.code).toBe(code);
  });
});

describe('handleSignals', () => {
  it('the second one ends the process at once, workers in a loop included', async () => {
    let sent = 0;
    const folder = await project({
      'main.cjs': `${HEAD}
        ${HANG}
        const f = new ThreadFactory({ manager: () => [1], worker: (_, { progress }) => { progress(1); hang(); } }, { handleSignals: true });
        if (!ThreadFactory.isWorker) process.on('SIGINT', () => say({ mine: true }));
        f.on('ready', ({ pid }) => say({ pid })).on('progress', () => say({ go: true }));
        f.start().then(() => say({ never: true }));`,
    });
    const ran = await runIn(folder, 'main.cjs', {
      onOutput: (text, pid) => {
        // The next one when the one before has been seen.
        const seen = text.split('mine').length - 1;
        if (!text.includes('go') || sent > seen || sent === 2) return;
        sent += 1;
        process.kill(pid, 'SIGINT');
      },
    });
    const [{ pid }, ...said] = ran.said as [{ pid: number }];
    expect(said).toEqual([{ go: true }, { mine: true }, ...said.slice(2)]);
    expect(ran.stdout).not.toContain('never');
    expect(ran.code).toBe(130);
    await allGone([pid]);
  });
});

describe("the terminal's Ctrl-C", () => {
  it('reaches neither workers nor what they started, and ends the run as stop() does', async () => {
    const folder = await project({
      'main.cjs': `${HEAD}
        const { spawn } = require('node:child_process');
        if (ThreadFactory.isWorker) process.on('SIGINT', () => say({ hit: 'worker' }));
        const f = new ThreadFactory({
          manager: () => [1, 2, 3],
          worker: (n, { progress }) => new Promise((resolve) => {
            let said = '';
            const child = spawn('sh', ['-c', 'trap "echo hit" INT; echo up; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.05; done; echo whole']);
            child.stdout.on('data', (text) => { said += text; if (String(text).includes('up')) progress(1); });
            child.once('close', () => resolve(said));
          }),
        }, { handleSignals: true, workers: 1, batchSize: 1 });
        f.once('progress', () => say({ go: true }));
        f.start().then((s) => say({ stopped: s.stopped, results: s.results.slice(0, 1) }));`,
    });
    let typed = false;
    const ran = await runIn(folder, `"${process.execPath}" main.cjs`, {
      // A real terminal: bytes that are typed go through its line discipline, which signals the foreground group.
      program: 'script',
      flags: ['-qec'],
      args: ['/dev/null'],
      typed: true,
      onOutput: (text, _, type) => {
        if (typed || !text.includes('go')) return;
        typed = true;
        type('\u0003');
      },
    });
    const said = ran.stdout
      .split(/\r?\n/)
      .flatMap((line) => line.match(/\{.*\}/)?.map((json) => JSON.parse(json) as unknown) ?? []);
    expect(said).toEqual([{ go: true }, { stopped: 'interrupt', results: ['up\nwhole\n'] }]);
    expect(ran.code).toBe(130);
  });
});
