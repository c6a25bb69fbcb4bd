import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { JournalLine } from '../../src/journal.js';
import { readJournal } from '../../src/journal.js';
import { completed, failed, run, useJournals } from '../helpers/journal.js';

const journals = useJournals();
const read = (): JournalLine[] => [...readJournal(journals.path())];

describe('reading a journal through', () => {
  test('gives every line of a known type, while the run is still on', () => {
    const journal = journals.open({ key: String });
    journal.recall(0, 'a');
    journal.recall(1, 'b');
    journal.retry({ index: 0, job: 'a', attempt: 1, id: 1, error: new TypeError('once'), delay: 250 });
    journal.crash({ id: 2, pid: 77, code: null, signal: 'SIGKILL', jobs: [1] });
    journal.crash({ id: 2, pid: undefined, code: 3, signal: null, jobs: [] });
    journal.record([{ ...completed(0, 'a', new Map([[1, 2]])), attempt: 2, machine: 'west' }]);
    appendFileSync(journals.path(), '{"type":"weather","sky":"blue"}\n');
    journal.record([failed(1, 'b', new RangeError('far'))]);
    const lines = read();
    const settled = { attempt: 1, id: 1, startedAt: 1_764_000_000_000, duration: 1.5, machine: undefined };
    expect(lines).toEqual([
      { type: 'header', version: 1, module: 'job.js', keyed: true, createdAt: expect.any(Number) },
      {
        type: 'retry',
        index: 0,
        key: 'a',
        attempt: 1,
        id: 1,
        error: new TypeError('once'),
        at: expect.any(Number),
        delay: 250,
      },
      { type: 'crash', id: 2, pid: 77, at: expect.any(Number), code: null, signal: 'SIGKILL', jobs: [1] },
      { type: 'crash', id: 2, pid: undefined, at: expect.any(Number), code: 3, signal: null, jobs: [] },
      {
        ...settled,
        type: 'completed',
        index: 0,
        key: 'a',
        attempt: 2,
        machine: 'west',
        result: expect.any(Function),
      },
      { ...settled, type: 'failed', index: 1, key: 'b', error: new RangeError('far') },
    ]);
    const line = lines[4];
    expect(line?.type === 'completed' && line.result()).toEqual(new Map([[1, 2]]));
  });

  test('has no keys where there are none', () => {
    run(journals.open(), 0, 'a', 1);
    expect(read()[1]).toMatchObject({ type: 'completed', key: undefined });
  });

  test('leaves a line out that is not whole yet', () => {
    run(journals.open(), 0, 'a', 1);
    appendFileSync(journals.path(), '{"type":"completed","ind');
    expect(read().map(({ type }) => type)).toEqual(['header', 'completed']);
    expect(journals.text()).toMatch(/"ind$/);
  });

  test('finds nothing in a journal that is just being begun', () => {
    writeFileSync(journals.path(), '');
    expect(read()).toEqual([]);
  });

  test.each([
    ['{"type":"completed","index":"x"}', /its index is not a number/],
    ['{"type":"failed","index":1,"key":4}', /its key is not a string/],
    ['{"type":"crash","id":1,"at":1,"code":1,"signal":null,"jobs":[null]}', /its jobs are not numbers/],
    ['{"type":', /JSON/],
  ])('names the line of %s', (line, reason) => {
    run(journals.open(), 0, 'a', 1);
    appendFileSync(journals.path(), `${line}\n{"type":"later"}\n`);
    expect(read).toThrow(expect.objectContaining({ line: 3, message: expect.stringMatching(reason) }));
  });

  test('says that there is none, or that it is a folder', () => {
    expect(() => [...readJournal(join(journals.folder(), 'none.jsonl'))]).toThrow(
      /There is no journal .*none\.jsonl/,
    );
    expect(() => [...readJournal(journals.folder())]).toThrow(
      expect.objectContaining({ code: 'ERR_JOURNAL' }),
    );
  });

  test.skipIf(process.platform === 'win32')(
    'fails where a file can not be opened at all (Windows has no such path)',
    () => {
      writeFileSync(journals.path(), '');
      expect(() => [...readJournal(join(journals.path(), 'below'))]).toThrow(/ENOTDIR/);
    },
  );
});
