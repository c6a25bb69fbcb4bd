import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { completed, failed, run, useJournals } from '../helpers/journal.js';

const journals = useJournals();
const byName = (job: unknown): string => (job as { name: string }).name;

describe('a journal without a key', () => {
  test('begins with a header that says what it is', () => {
    journals.open({ module: 'file:///app/nightly%20job.mjs' });
    expect(journals.lines()).toEqual([
      {
        type: 'threadfactory-journal',
        version: 1,
        module: 'nightly job.mjs',
        keyed: false,
        createdAt: expect.any(Number),
      },
    ]);
  });

  test('has a line for each settled job, with all that is known of it', () => {
    const journal = journals.open();
    journal.record([
      completed(0, 'a', { size: 3 }),
      {
        ...failed(1, 'b', new RangeError('too far')),
        attempts: 3,
        id: 2,
        duration: 0.0604,
        startedAt: 1.6,
        machine: 'ü',
      },
    ]);
    const [, first, second] = journals.lines();
    expect(first).toEqual({
      type: 'completed',
      index: 0,
      hash: expect.stringMatching(/^[\w-]{16}$/),
      attempt: 1,
      id: 1,
      startedAt: 1_764_000_000_000,
      duration: 1.5,
      result: { size: 3 },
    });
    expect(second).toMatchObject({
      type: 'failed',
      index: 1,
      attempt: 3,
      id: 2,
      machine: 'ü',
      startedAt: 2,
      duration: 0.06,
    });
    expect(second?.error).toMatchObject({ class: 'RangeError', message: 'too far' });
  });

  test('writes a finite number wherever a number belongs', () => {
    const journal = journals.open();
    const odd = { attempt: Number.NaN, id: -0, startedAt: Number.NaN, duration: Number.POSITIVE_INFINITY };
    journal.record([{ ...completed(2 ** 40, 'a', 1), ...odd }]);
    journal.record([{ ...completed(1, 'b', 1), attempt: 2 ** 31, startedAt: -5, duration: 2 ** 24 + 0.25 }]);
    expect(journals.lines()[1]).toMatchObject({
      index: 2 ** 40,
      attempt: 0,
      id: 0,
      startedAt: 0,
      duration: 0,
    });
    expect(journals.lines()[2]).toMatchObject({ attempt: 2 ** 31, startedAt: -5, duration: 2 ** 24 + 0.25 });
  });

  test('has nothing to recall when it is new', () => {
    const journal = journals.open();
    expect(journal.recorded).toBe(0);
    expect(journal.recall(0, 'a')).toBeUndefined();
  });

  test('recalls completed jobs after it was opened again, and no others', () => {
    const journal = journals.open();
    journal.record([completed(0, 'a', 'A'), completed(2, 'c', undefined)]);
    const again = journals.reopen();
    expect(again.recorded).toBe(2);
    expect(again.recall(0, 'a')).toEqual({ result: 'A' });
    expect(again.recall(1, 'b')).toBeUndefined();
    expect(again.recall(2, 'c')).toEqual({ result: undefined });
    expect(again.recall(3, 'd')).toBeUndefined();
  });

  test('goes on where it was, over any number of openings', () => {
    for (let index = 0; index < 5; index++) {
      const journal = journals.reopen();
      expect(journal.recorded).toBe(index);
      run(journal, index, `job ${index}`, index);
    }
    const last = journals.reopen();
    expect([0, 1, 2, 3, 4].map((index) => last.recall(index, `job ${index}`)?.result)).toEqual([
      0, 1, 2, 3, 4,
    ]);
  });

  test('runs failed jobs again, and keeps their completion once they have one', () => {
    journals.open().record([failed(0, 'a', new Error('no')), failed(1, 'b', new Error('no'))]);
    const second = journals.reopen();
    expect(second.recorded).toBe(0);
    expect(second.recall(0, 'a')).toBeUndefined();
    second.record([completed(0, 'a', 'at last'), failed(1, 'b', new Error('still not'))]);
    const third = journals.reopen();
    expect(third.recorded).toBe(1);
    expect(third.recall(0, 'a')).toEqual({ result: 'at last' });
    expect(third.recall(1, 'b')).toBeUndefined();
  });

  test('takes the last completion of a job, and none away for a later failure', () => {
    journals
      .open()
      .record([completed(0, 'a', 'old'), completed(0, 'a', 'new'), failed(0, 'a', new Error('late'))]);
    const again = journals.reopen();
    expect(again.recorded).toBe(1);
    expect(again.recall(0, 'a')).toEqual({ result: 'new' });
  });

  test.each([
    ['completed', completed(1, { id: 1 }, 'x')],
    ['failed', failed(1, { id: 1 }, new Error('x'))],
  ])('refuses a list in which a job that %s is another one now, and says where', (_, record) => {
    journals.open().record([completed(0, { id: 0 }, 'x'), record]);
    const again = journals.reopen();
    expect(again.recall(0, { id: 0 })).toEqual({ result: 'x' });
    expect(() => again.recall(1, { id: 7 })).toThrow(
      expect.objectContaining({ code: 'ERR_JOURNAL', message: expect.stringMatching(/job 1 .*`key`/) }),
    );
  });

  test('refuses an array that differs behind a job that has to run, before any has run', () => {
    journals.open().record([completed(0, 'a', 1), completed(2, 'c', 3), failed(3, 'd', new Error('no'))]);
    const again = journals.reopen();
    const refused = (index: number) =>
      expect.objectContaining({ code: 'ERR_JOURNAL', message: expect.stringContaining(`job ${index} `) });
    expect(() => again.check(['a', 'b', 'b and a half', 'c'])).toThrow(refused(2));
    expect(() => again.check(['a', 'b', 'c', 'other'])).toThrow(refused(3));
    for (const list of [['a', 'b', 'c', 'd', 'e'], ['a', 'other'], ['a'], []]) again.check(list);
  });

  test('knows a job by what it was when it was handed out, whatever was done with it since', () => {
    const journal = journals.open();
    const job = { n: 1, state: 'new' };
    journal.recall(0, job);
    job.state = 'tried';
    journal.retry({ index: 0, job, attempt: 1, id: 1, error: new Error('no'), delay: 0 });
    job.state = 'done';
    journal.record([completed(0, job, 'A')]);
    const [, retry, line] = journals.lines();
    expect(retry?.['hash']).toBe(line?.['hash']);
    expect(journals.reopen().recall(0, { n: 1, state: 'new' })).toEqual({ result: 'A' });
  });

  test('serves a list that has grown, and one that has become shorter', () => {
    journals.open().record([completed(0, 'a', 1), completed(1, 'b', 2)]);
    const shorter = journals.reopen();
    expect(shorter.recall(0, 'a')).toEqual({ result: 1 });
    const longer = journals.reopen();
    expect(longer.recorded).toBe(2);
    expect(longer.recall(1, 'b')).toEqual({ result: 2 });
    expect(longer.recall(2, 'c')).toBeUndefined();
  });

  test('recalls in any order, and lines of any length', () => {
    const count = 3000;
    const result = (index: number): unknown => (index % 1000 === 7 ? 'é'.repeat(200_000) + index : { index });
    const journal = journals.open();
    for (let index = 0; index < count; index += 100) {
      journal.record(
        Array.from({ length: 100 }, (_, i) => completed(index + i, index + i, result(index + i))),
      );
    }
    const again = journals.reopen();
    expect(again.recorded).toBe(count);
    for (let step = 0; step < count; step++) {
      const index = (step * 1777) % count;
      expect(again.recall(index, index)?.result).toEqual(result(index));
    }
  });

  test('writes a batch that is larger than its buffers', () => {
    const large = 'x'.repeat(9 * 1024 * 1024);
    const journal = journals.open();
    journal.record([completed(0, 'a', large), completed(1, 'b', large), completed(2, 'c', 'small')]);
    journal.record([completed(3, 'd', 'next')]);
    const again = journals.reopen();
    expect([0, 1].map((index) => again.recall(index, 'ab'[index])?.result === large)).toEqual([true, true]);
    expect([again.recall(2, 'c'), again.recall(3, 'd')]).toEqual([{ result: 'small' }, { result: 'next' }]);
  });

  test('leaves out a job whose result no line can hold, and says so', () => {
    const journal = journals.open();
    const refused = journal.record([
      completed(0, 'a', 'A'),
      completed(1, 'b', () => {}),
      completed(2, 'c', 'C'),
    ]);
    expect([...refused.keys()]).toEqual([1]);
    expect(refused.get(1)).toMatchObject({
      code: 'ERR_SERIALIZATION',
      message: expect.stringMatching(
        /^What came of job 1 can not be written .*could not be cloned.* return the path\.$/,
      ),
    });
    const again = journals.reopen();
    expect([0, 1, 2].map((index) => again.recall(index, 'abc'[index])?.result)).toEqual([
      'A',
      undefined,
      'C',
    ]);
  });

  test('writes nothing for an empty batch', () => {
    const journal = journals.open();
    const before = journals.text();
    journal.record([]);
    expect(journals.text()).toBe(before);
  });

  test('skips lines of types that it does not know', () => {
    const journal = journals.open();
    journal.retry({ index: 0, job: 'a', attempt: 1, id: 1, error: new Error('again'), delay: 5 });
    journal.crash({ id: 1, pid: 12, code: null, signal: 'SIGKILL', jobs: [0] });
    run(journal, 0, 'a', 1);
    const again = journals.reopen();
    expect(again.recorded).toBe(1);
    expect(again.recall(0, 'a')).toEqual({ result: 1 });
  });
});

describe('a journal with a key', () => {
  const jobs = ['a', 'b', 'c', 'd'].map((name) => ({ name }));

  test('recalls jobs by their keys wherever they stand, and runs what is new', () => {
    const journal = journals.open({ key: byName });
    for (const [index, job] of jobs.slice(0, 3).entries()) run(journal, index, job, job.name.toUpperCase());
    const again = journals.reopen({ key: byName });
    expect(again.recorded).toBe(3);
    const changed = [jobs[3], jobs[2], jobs[0]];
    expect(changed.map((job, index) => again.recall(index, job)?.result)).toEqual([undefined, 'C', 'A']);
  });

  test('recalls a job though all but its key has changed', () => {
    run(journals.open({ key: byName }), 0, { name: 'a', etag: 1 }, 'A');
    expect(journals.reopen({ key: byName }).recall(0, { name: 'a', etag: 2 })).toEqual({ result: 'A' });
  });

  test('keeps any key exactly', () => {
    const keys = ['__proto__', 'new\nline', '"quoted"', 'ünïcødé 🏭', '\ud800', 'x'.repeat(100_000), ' '];
    const key = (job: unknown): string => String(job);
    const journal = journals.open({ key });
    for (const [index, each] of keys.entries()) run(journal, index, each, index);
    const again = journals.reopen({ key });
    expect(keys.map((each, index) => again.recall(index, each)?.result)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('refuses the second of two jobs with one key, recorded or not', () => {
    const journal = journals.open({ key: byName });
    run(journal, 0, { name: 'a' }, 1);
    const duplicate = expect.objectContaining({
      name: 'JournalError',
      code: 'ERR_JOURNAL',
      duplicate: true,
      key: 'a',
    });
    expect(() => journal.recall(1, { name: 'a' })).toThrow(duplicate);
    const again = journals.reopen({ key: byName });
    expect(again.recall(0, { name: 'a' })).toEqual({ result: 1 });
    expect(() => again.recall(1, { name: 'a' })).toThrow(duplicate);
  });

  test('writes nothing of a job that it refuses so, and once that has failed forgets nothing of the one that has its key', () => {
    const journal = journals.open({ key: byName });
    run(journal, 0, { name: 'a' }, 1);
    const job = { name: 'a' };
    expect(() => journal.recall(7, job)).toThrow(/Two jobs have the key "a"/);
    expect(journals.lines()).toHaveLength(2);
    journal.record([{ ...failed(7, job, new Error('no')), id: 0, attempts: 0 }]);
    expect(journals.lines()[2]).toMatchObject({ type: 'failed', index: 7, key: 'a', attempt: 0, id: 0 });
    const again = journals.reopen({ key: byName });
    expect([again.recorded, again.recall(0, { name: 'a' })]).toEqual([1, { result: 1 }]);
  });

  test.each([
    [undefined, 'undefined'],
    [7, 'number'],
    [null, 'null'],
    ['', 'an empty one'],
  ])('refuses a key that is %j', (key, got) => {
    const journal = journals.open({ key: () => key as string });
    expect(() => journal.recall(4, 'a')).toThrow(
      expect.objectContaining({
        code: 'ERR_JOURNAL',
        message: `Expected \`key\` to return a non-empty string for job 4, got ${got}`,
      }),
    );
  });

  test('refuses a key that is a promise, whatever becomes of that', () => {
    const journal = journals.open({ key: () => Promise.reject(new Error('later')) as never });
    expect(() => journal.recall(4, 'a')).toThrow(/for job 4, got a Promise: it can not be asynchronous/);
  });

  test('reports what `key` threw', () => {
    const cause = new TypeError('no name');
    const journal = journals.open({
      key: () => {
        throw cause;
      },
    });
    expect(() => journal.recall(4, 'a')).toThrow(expect.objectContaining({ code: 'ERR_JOURNAL', cause }));
  });

  test.each([
    ['of an array', true],
    ['of a lazy list', false],
  ])('records a job %s under the key it had when it was handed out', (_, isArray) => {
    const key = byName;
    const journal = journals.open({ key });
    const job = { name: 'a' };
    if (isArray) journal.check([job]);
    journal.recall(0, job);
    job.name = 'b';
    journal.retry({ index: 0, job, attempt: 1, id: 1, error: 1, delay: 0 });
    journal.record([completed(0, job, 'A')]);
    expect(journals.lines().slice(1)).toMatchObject([{ key: 'a' }, { key: 'a' }]);
    const again = journals.reopen({ key });
    expect([again.recall(0, { name: 'b' }), again.recall(1, { name: 'a' })]).toEqual([
      undefined,
      { result: 'A' },
    ]);
  });

  test('refuses a key that is another one each time', () => {
    let count = 0;
    const journal = journals.open({ key: () => `key ${count++}` });
    const message = expect.stringMatching(/returned "key 1" for job 0, and "key 0" before\. It must always/);
    expect(() => journal.recall(0, 'a')).toThrow(expect.objectContaining({ code: 'ERR_JOURNAL', message }));
    count = 0;
    journal.check(['a']);
    expect(() => journal.recall(0, 'a')).toThrow(expect.objectContaining({ code: 'ERR_JOURNAL', message }));
    expect(journals.lines()).toHaveLength(1);
  });
});

describe('a journal is refused', () => {
  test('with a key where it was begun without one, and the other way round', () => {
    journals.open();
    expect(() => journals.reopen({ key: byName })).toThrow(/begun without the option `key`/);
    const keyed = { path: join(journals.folder(), 'keyed.jsonl') };
    journals.open({ ...keyed, key: byName }).close();
    expect(() => journals.open(keyed)).toThrow(/give the same option `key` again/);
  });

  test('by a module of another name, but not by one that moved or was compiled', () => {
    journals.open({ module: '/home/me/src/nightly.ts' });
    journals.reopen({ module: 'file:///srv/app/dist/nightly.mjs' });
    journals.reopen({ module: 'C:\\app\\nightly.js' });
    expect(() => journals.reopen({ module: '/srv/app/weekly.js' })).toThrow(
      expect.objectContaining({
        code: 'ERR_JOURNAL',
        message: expect.stringMatching(/nightly\.ts, and this is weekly\.js/),
      }),
    );
  });

  test('once it is closed', () => {
    const journal = journals.open();
    journal.close();
    expect(() => journal.record([completed(0, 'a', 1)])).toThrow(/is closed/);
  });

  test('never for having been moved', () => {
    run(journals.open(), 0, 'a', 1);
    const moved = join(journals.folder(), 'moved.jsonl');
    journals.reopen().close();
    renameSync(journals.path(), moved);
    expect(journals.open({ path: moved }).recall(0, 'a')).toEqual({ result: 1 });
  });
});
