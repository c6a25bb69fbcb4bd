import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { acquireLock } from '../../src/journal/lock.js';
import { completed, useJournals } from '../helpers/journal.js';
import type { JournalProcess } from '../helpers/journal-process.js';
import { compile, start } from '../helpers/journal-process.js';

/** What removing a folder fails with. */
const folders = vi.hoisted(() => ({ error: undefined as Error | undefined }));
vi.mock('node:fs', async (importReal) => {
  const real = await importReal<typeof import('node:fs')>();
  const rmdirSync = (path: string): void => {
    if (folders.error !== undefined) throw folders.error;
    real.rmdirSync(path);
  };
  return { ...real, rmdirSync };
});

const journals = useJournals();
const folder = (): string => `${journals.path()}.lock`;
const IS_LINUX = process.platform === 'linux';
/** Beyond what any system gives. */
const NO_PID = 2 ** 30;
/** For tests that start processes. */
const FORKING_MS = 60_000;

/** The journal as a plain process can load it, compiled once, and its lock. */
let compiled = '';
beforeAll(() => {
  compiled = mkdtempSync(join(tmpdir(), 'threadfactory-compiled-'));
  compile(['journal.ts', 'journal/lock.ts'], compiled);
});
afterAll(() => rmSync(compiled, { recursive: true, force: true }));
const moduleOf = (file: string): string => JSON.stringify(join(compiled, file));

const processes: JournalProcess[] = [];
afterEach(async () => {
  folders.error = undefined;
  for (const each of processes.splice(0)) await each.kill();
});

function run(text: string): JournalProcess {
  const started = start(text, journals.folder());
  processes.push(started);
  return started;
}

/** The parts of the claim that this process makes. */
function ownClaim(): { pid: string; started: string; boot: string; namespace: string; host: string } {
  writeFileSync(journals.path(), '');
  const lock = acquireLock(journals.path());
  const [name = ''] = readdirSync(folder());
  lock.release();
  const [, pid = '', started = '', boot = '', namespace = '', ...host] = name.split('.');
  return { pid, started, boot, namespace, host: host.join('.') };
}

/** Leaves a claim that differs from this process's own. */
function leaveClaim(difference: Partial<ReturnType<typeof ownClaim>>, content = 'held'): void {
  const { pid, started, boot, namespace, host } = { ...ownClaim(), ...difference };
  mkdirSync(folder(), { recursive: true });
  writeFileSync(join(folder(), ['000000000000', pid, started, boot, namespace, host].join('.')), content);
}

const refused = (who: string | RegExp) =>
  expect.objectContaining({ code: 'ERR_JOURNAL', message: expect.stringMatching(who) });

describe('the lock of a journal', () => {
  test('is given back with nothing left behind, once', () => {
    writeFileSync(journals.path(), '');
    const lock = acquireLock(journals.path());
    expect(existsSync(folder())).toBe(true);
    lock.release();
    expect(existsSync(folder())).toBe(false);
    const next = acquireLock(journals.path());
    lock.release();
    expect(readdirSync(folder())).toHaveLength(1);
    next.release();
  });

  test('is given back though its folder can not be removed, as where somebody looks into it on Windows', () => {
    writeFileSync(journals.path(), '');
    const lock = acquireLock(journals.path());
    folders.error = Object.assign(new Error('EBUSY'), { code: 'EBUSY' });
    lock.release();
    expect(readdirSync(folder())).toEqual([]);
    folders.error = undefined;
    acquireLock(journals.path()).release();
    expect(existsSync(folder())).toBe(false);
  });

  test('is refused to the process that has it already', () => {
    journals.open();
    expect(() => journals.open()).toThrow(refused('in use by this process itself'));
  });

  test.skipIf(process.platform === 'win32')('is one, by whatever link (links need rights on Windows)', () => {
    journals.open();
    const link = join(journals.folder(), 'link.jsonl');
    symlinkSync(journals.path(), link);
    expect(() => journals.open({ path: link })).toThrow(refused('in use'));
  });

  test('is refused while another process holds it, which is named', { timeout: FORKING_MS }, async () => {
    const holder = run(`
      import { openJournal } from ${moduleOf('journal.mjs')};
      openJournal({ path: ${JSON.stringify(journals.path())}, module: 'job.js', key: undefined, fsync: false });
      console.log('open');
      process.stdin.resume();
    `);
    await holder.said();
    expect(() => journals.open()).toThrow(refused(`in use by process ${holder.pid},`));
    await holder.kill();
    expect(journals.open().recorded).toBe(0);
  });

  test('of a process that is gone is taken', () => {
    leaveClaim({ pid: String(NO_PID) });
    acquireLock(journals.path()).release();
    expect(existsSync(folder())).toBe(false);
  });

  test.runIf(IS_LINUX)(
    'of a process whose pid another has now is taken (Linux: start times are in /proc)',
    () => {
      leaveClaim({ started: '1' });
      acquireLock(journals.path()).release();
      expect(existsSync(folder())).toBe(false);
    },
  );

  test.runIf(IS_LINUX)('from before a reboot is taken (Linux: boots have an id)', () => {
    leaveClaim({ boot: '00000000-0000-0000-0000-000000000000' });
    acquireLock(journals.path()).release();
    expect(existsSync(folder())).toBe(false);
  });

  test.runIf(IS_LINUX)('of a machine that was renamed is checked (Linux: boots have an id)', () => {
    leaveClaim({ host: 'old-name' });
    expect(() => acquireLock(journals.path())).toThrow(refused(`process ${process.pid} on old-name`));
    rmSync(folder(), { recursive: true });
    leaveClaim({ host: 'old-name', pid: String(NO_PID) });
    acquireLock(journals.path()).release();
    expect(existsSync(folder())).toBe(false);
  });

  test('of another machine can not be checked, and is refused', () => {
    leaveClaim({ host: 'else.where.example', boot: 'other', pid: '77' });
    expect(() => acquireLock(journals.path())).toThrow(
      refused(/process 77 on else\.where\.example.*delete .*run\.jsonl\.lock/),
    );
  });

  test('without a start time goes by the pid alone', () => {
    leaveClaim({ started: '' });
    expect(() => acquireLock(journals.path())).toThrow(refused('in use'));
    expect(readdirSync(folder())).toHaveLength(1);
  });

  test('that someone only wants, and never takes, is refused in the end', () => {
    leaveClaim({}, '');
    expect(() => acquireLock(journals.path())).toThrow(refused('in use'));
  });

  test('leaves files alone that are no claims', () => {
    mkdirSync(folder());
    for (const name of ['.DS_Store', 'a.b.c.d.e.f', '000.12', '000.12.1.boot.ns'])
      writeFileSync(join(folder(), name), '');
    writeFileSync(journals.path(), '');
    const before = readdirSync(folder());
    acquireLock(journals.path()).release();
    expect(readdirSync(folder())).toEqual(before);
  });

  test('says why it can not be taken at all', () => {
    writeFileSync(folder(), 'a file where the folder belongs');
    expect(() => journals.open()).toThrow(
      expect.objectContaining({
        code: 'ERR_JOURNAL',
        message: expect.stringMatching(/Can not lock the journal/),
      }),
    );
    expect(() => acquireLock(join(journals.folder(), 'none'))).toThrow(/Can not lock.*ENOENT/);
  });

  test('goes to exactly one of many processes that find it stale at once', {
    timeout: FORKING_MS,
  }, async () => {
    const many = Array.from({ length: 4 }, () =>
      run(`
        import { acquireLock } from ${moduleOf('journal/lock.mjs')};
        import { createInterface } from 'node:readline';
        let lock;
        console.log('loaded');
        for await (const line of createInterface({ input: process.stdin })) {
          if (line === 'release') {
            lock?.release();
            lock = undefined;
            console.log('released');
            continue;
          }
          try {
            lock = acquireLock(${JSON.stringify(journals.path())});
            console.log('held');
          } catch (error) {
            console.log(error.code === 'ERR_JOURNAL' && / in use by process \\d+,/.test(error.message) ? 'refused' : error.stack);
          }
        }
      `),
    );
    const everyone = (line: string): Promise<string[]> => {
      for (const each of many) each.tell(line);
      return Promise.all(many.map((each) => each.said()));
    };
    await Promise.all(many.map((each) => each.said()));
    for (let round = 0; round < 5; round++) {
      leaveClaim({ pid: String(NO_PID) });
      const answers = await everyone('take');
      expect([...answers].sort()).toEqual(['held', 'refused', 'refused', 'refused']);
      expect(readdirSync(folder())).toHaveLength(1);
      await everyone('release');
      expect(existsSync(folder())).toBe(false);
    }
    for (const each of many) await each.end();
  });
});

test('what was recorded before a SIGKILL is recalled after it, and the lock is taken over', {
  timeout: FORKING_MS,
}, async () => {
  let known = 0;
  for (let life = 0; life < 3; life++) {
    const writer = run(`
      import { openJournal } from ${moduleOf('journal.mjs')};
      const journal = openJournal({ path: ${JSON.stringify(journals.path())}, module: 'job.js', key: undefined, fsync: 1 });
      const about = { attempt: 1, id: 1, startedAt: Date.now(), duration: 1 };
      for (let index = journal.recorded; ; index += 10) {
        journal.record(Array.from({ length: 10 }, (_, i) => ({
          ...about, index: index + i, job: index + i, result: String(index + i).repeat(20),
        })));
        process.stdout.write(index + 10 + '\\n');
        await new Promise(setImmediate);
      }
    `);
    for (let step = 0; step < 20 + life * 7; step++) known = Number(await writer.said());
    await writer.kill();
    const journal = journals.open();
    expect(journal.recorded).toBeGreaterThanOrEqual(known);
    for (let index = 0; index < journal.recorded; index++) {
      expect(journal.recall(index, index)?.result).toBe(String(index).repeat(20));
    }
    known = journal.recorded;
    journal.record([completed(known, known, String(known).repeat(20))]);
    journal.close();
  }
});

test('a claim says who holds the journal', () => {
  const claim = ownClaim();
  expect(claim.pid).toBe(String(process.pid));
  expect(claim.host).toBe(hostname().replaceAll(/[^\w.-]/g, '_'));
});
