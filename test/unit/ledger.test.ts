import { beforeEach, describe, expect, it } from 'vitest';
import { JournalError, SerializationError } from '../../src/errors.js';
import type { Journal, JournalRecord } from '../../src/journal.js';
import { Ledger } from '../../src/ledger.js';
import type { CompletedJob, FailedJob } from '../../src/manager/tally.js';
import { FakeClock } from '../helpers/fake-clock.js';

/** What the journal did and who was told, in order. */
let heard: string[];
beforeEach(() => {
  heard = [];
});

/** Stands for a result that no line can hold. */
const HEAVY = 'heavy';
const isHeavy = (record: JournalRecord): boolean => 'result' in record && record.result === HEAVY;

/** A journal in memory, in which any call can be made to fail. */
function journal(
  failing: Partial<Record<keyof Journal, Error>> = {},
  recorded: Record<number, unknown> = {},
) {
  const noting =
    (name: keyof Journal) =>
    (...args: unknown[]): void => {
      heard.push(`${name} ${args.map((arg) => (Array.isArray(arg) ? arg.length : '')).join()}`.trim());
      if (failing[name] !== undefined) throw failing[name];
    };
  const made: Journal = {
    recorded: Object.keys(recorded).length,
    check: noting('check'),
    record: (records) => {
      noting('record')(records);
      return new Map(
        records.filter(isHeavy).map(({ index }) => [index, new SerializationError('too large')]),
      );
    },
    retry: noting('retry'),
    crash: noting('crash'),
    sync: noting('sync'),
    close: noting('close'),
    recall: (index) => {
      if (failing.recall !== undefined) throw failing.recall;
      return index in recorded ? { result: recorded[index] } : undefined;
    },
  };
  return made;
}

function open(events: { completed?: boolean; error?: boolean } = {}, keepResults = true) {
  const clock = new FakeClock();
  const wanted = { completed: true, error: true, ...events };
  const ledger: Ledger = new Ledger(
    {
      module: 'file:///srv/jobs.js',
      keepResults,
      concurrency: 1,
      clock,
      total: () => 9,
      counted: () => heard.push(`counted ${ledger.tally.done}`),
      failed: (error) => heard.push(`failed: ${(error as Error).message}`),
    },
    {
      wants: (event) => wanted[event],
      completed: ({ index, done, total }) => heard.push(`completed ${index}, ${done} of ${total}`),
      failed: ({ index, error }) => heard.push(`failed ${index}: ${(error as Error).message}`),
      skipped: (index) => heard.push(`skipped ${index}`),
    },
  );
  return { ledger, clock };
}

const ABOUT = { id: 1, startedAt: 1, duration: 2 };
const ok = (index: number, result: unknown): CompletedJob => ({
  ...ABOUT,
  index,
  job: `job ${index}`,
  attempt: 1,
  result,
  done: 0,
  total: undefined,
});
const bad = (index: number): FailedJob => ({
  ...ABOUT,
  index,
  job: `job ${index}`,
  attempts: 1,
  error: new Error('no'),
});

describe('what settles', () => {
  it('is recorded, then counted, then told, each with how many were done by then', () => {
    const { ledger } = open();
    ledger.recordIn(journal(), ['a', 'b', 'c']);
    expect(ledger.settled([ok(0, 'A'), bad(1), ok(2, 'C')])).toBe(true);
    expect(heard).toEqual([
      'check 3',
      'record 3',
      'completed 0, 1 of 9',
      'failed 1: no',
      'completed 2, 3 of 9',
      'counted 3',
    ]);
    expect(ledger.sumUp({ total: 4, value: 'V', stopped: false })).toMatchObject({
      total: 4,
      completed: 2,
      failed: 1,
      skipped: 0,
      results: ['A', undefined, 'C', undefined],
      failures: [{ index: 1 }],
      value: 'V',
      stopped: false,
    });
  });

  it('is neither counted nor told where it can not be recorded, which is said once', () => {
    const { ledger } = open();
    ledger.recordIn(journal({ record: new Error('full'), close: new Error('full') }), undefined);
    expect([ledger.settled([ok(0, 'A')]), ledger.settled([ok(1, 'B')])]).toEqual([false, false]);
    ledger.close();
    expect(heard).toEqual(['record 1', 'failed: full', 'record 1', 'close']);
    expect(ledger.tally.done).toBe(0);
  });

  it('has failed where no line can hold its result, which is recorded and told, and the others go on', () => {
    const { ledger } = open();
    ledger.recordIn(journal(), undefined);
    expect(ledger.settled([ok(0, 'A'), ok(1, HEAVY), ok(2, 'C')])).toBe(true);
    expect(heard).toEqual([
      'record 3',
      'record 1',
      'completed 0, 1 of 9',
      'failed 1: too large',
      'completed 2, 3 of 9',
      'counted 3',
    ]);
    expect(ledger.sumUp({ total: 3, value: undefined, stopped: false })).toMatchObject({
      completed: 2,
      failed: 1,
      failures: [{ index: 1, job: 'job 1', id: 1, attempts: 1 }],
    });
  });

  it('is counted where nobody listens, and a failure then as one that was not reported', () => {
    const { ledger } = open({ completed: false, error: false });
    expect(ledger.settled([ok(0, 'A'), bad(1)])).toBe(true);
    expect(heard).toEqual(['failed 1: no', 'counted 2']);
    expect(ledger.tally).toMatchObject({ done: 2, unreported: 1 });
  });

  it('leaves no results where none are kept', () => {
    const { ledger } = open({}, false);
    ledger.settled([ok(0, 'A')]);
    expect(ledger.sumUp({ total: 1, value: undefined, stopped: 'stop' })).toMatchObject({
      completed: 1,
      results: [],
      stopped: 'stop',
    });
  });
});

describe('a job that is about to be handed out', () => {
  it('runs where there is no journal, and where it holds nothing of it', () => {
    const { ledger } = open();
    expect([ledger.isRecorded, ledger.admits(0, 'a')]).toEqual([false, true]);
    ledger.recordIn(journal(), undefined);
    expect([ledger.isRecorded, ledger.admits(0, 'a')]).toEqual([true, true]);
    expect(heard).toEqual([]);
  });

  it('does not where its result is recorded, be it undefined', () => {
    const { ledger } = open();
    ledger.recordIn(journal({}, { 0: undefined, 1: 'B' }), undefined);
    expect([ledger.admits(0, 'a'), ledger.admits(1, 'b')]).toEqual([false, false]);
    expect(heard).toEqual(['skipped 0', 'skipped 1']);
    expect(ledger.sumUp({ total: 2, value: undefined, stopped: false })).toMatchObject({
      completed: 0,
      skipped: 2,
      results: [undefined, 'B'],
    });
  });

  const sameKey = Object.assign(new JournalError('the same key'), { duplicate: true });

  it('fails alone where another one has its key, and is recorded, counted and told as any that settles', () => {
    const { ledger } = open();
    ledger.recordIn(journal({ recall: sameKey }), undefined);
    expect(ledger.admits(4, 'e')).toBe(false);
    expect(heard).toEqual(['record 1', 'failed 4: the same key', 'counted 1']);
    expect(ledger.sumUp({ total: 5, value: undefined, stopped: false })).toMatchObject({
      failures: [{ index: 4, job: 'e', id: 0, attempts: 0 }],
      stats: { run: { count: 1 } },
    });
  });

  it('is not told of where that can not be recorded', () => {
    const { ledger } = open();
    ledger.recordIn(journal({ recall: sameKey, record: new Error('full') }), undefined);
    expect(ledger.admits(4, 'e')).toBe(false);
    expect(heard).toEqual(['record 1', 'failed: full']);
    expect(ledger.tally.done).toBe(0);
  });

  it('ends the run where the journal can not tell', () => {
    const { ledger } = open();
    ledger.recordIn(journal({ recall: new JournalError('torn') }), undefined);
    expect(ledger.admits(4, 'e')).toBe(false);
    expect(heard).toEqual(['failed: torn']);
  });
});

it('a list that is not that of the journal is refused, and the journal closed with the run', () => {
  const { ledger } = open();
  const refused = new JournalError('another list');
  expect(() => ledger.recordIn(journal({ check: refused }), ['a'])).toThrow(refused);
  ledger.close();
  expect(heard).toEqual(['check 1', 'close']);
});

it('retries and crashes are recorded and counted', () => {
  const { ledger, clock } = open();
  ledger.recordIn(journal(), undefined);
  ledger.retried({ index: 0, job: 'a', attempt: 1, id: 1, error: new Error('no'), delay: 10 });
  ledger.crashed({ id: 1, pid: 77, code: 1, signal: null, jobs: [0] });
  ledger.sync();
  expect(heard).toEqual(['retry', 'crash', 'sync']);
  clock.advance(500);
  expect(ledger.sumUp({ total: 0, value: undefined, stopped: false })).toMatchObject({
    duration: 500,
    stats: { retries: 1, crashes: 1 },
  });
});
