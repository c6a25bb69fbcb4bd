import { describe, expect, test } from 'vitest';
import { isFailed, KEPT_FAILURES, Tally } from '../../src/manager/tally.js';

const about = { job: 'a job', id: 3, startedAt: 1_700_000_000_000, duration: 5 };

function failure(index: number) {
  return { ...about, index, attempts: 2, error: new Error(`no ${index}`) };
}

describe('the tally', () => {
  test('counts, and keeps results at their index', () => {
    const tally = new Tally(true);
    tally.complete(2, 'c');
    tally.skip(0, 'a');
    tally.fail(failure(1), true);
    expect(tally).toMatchObject({ completed: 1, skipped: 1, failed: 1, done: 3, unreported: 0 });
    expect(tally.results).toEqual(['a', undefined, 'c']);
    const { index, job, id, attempts, error } = failure(1);
    expect(tally.failures).toEqual([{ index, job, id, attempts, error }]);
  });

  test('makes room for all results where it is known how many there will be', () => {
    const tally = new Tally(true);
    tally.expect(3);
    tally.complete(1, 'b');
    expect(tally.results).toHaveLength(3);
    expect(tally.results[1]).toBe('b');
    const open = new Tally(true);
    open.expect(undefined);
    expect(open.results).toHaveLength(0);
    const lean = new Tally(false);
    lean.expect(3);
    expect(lean.results).toHaveLength(0);
  });

  test.each([4, undefined])(
    'sums up results without gaps, which map would pass over: %s were expected',
    (expected) => {
      const tally = new Tally(true);
      tally.expect(expected);
      tally.complete(2, 'c');
      tally.skip(0, null);
      tally.fail(failure(1), true);
      const results = tally.resultsOf(4);
      expect(results).toBe(tally.resultsOf(4));
      expect(results).toStrictEqual([null, undefined, 'c', undefined]);
      expect(Object.keys(results)).toHaveLength(4);
      expect(tally.resultsOf(3)).toStrictEqual([null, undefined, 'c']);
    },
  );

  test('sums up no results where none are kept', () => {
    expect(new Tally(false).resultsOf(2)).toEqual([]);
  });

  test('counts the failures nobody heard of', () => {
    const tally = new Tally(true);
    tally.fail(failure(0), false);
    tally.fail(failure(1), true);
    expect(tally).toMatchObject({ failed: 2, unreported: 1 });
  });

  test('keeps no results and the first thousand failures where results are not kept', () => {
    const tally = new Tally(false);
    tally.complete(0, 'a');
    tally.skip(1, 'b');
    for (let index = 2; index < KEPT_FAILURES + 10; index += 1) tally.fail(failure(index), true);
    expect(tally.results).toEqual([]);
    expect(tally.failures).toHaveLength(KEPT_FAILURES);
    expect(tally.failed).toBe(KEPT_FAILURES + 8);
    const keeping = new Tally(true);
    for (let index = 0; index < KEPT_FAILURES + 10; index += 1) keeping.fail(failure(index), true);
    expect(keeping.failures).toHaveLength(KEPT_FAILURES + 10);
  });

  test('never bails without `bail`, or without a failure', () => {
    const tally = new Tally(true);
    expect(tally.bails({ count: 1 })).toBe(false);
    tally.fail(failure(0), true);
    expect(tally.bails(undefined)).toBe(false);
  });

  test('bails at a number of failures', () => {
    const tally = new Tally(true);
    tally.fail(failure(0), true);
    expect(tally.bails({ count: 2 })).toBe(false);
    tally.fail(failure(1), true);
    expect(tally.bails({ count: 2 })).toBe(true);
  });

  test('bails at a share of the jobs this run settled, from a hundred on', () => {
    const tally = new Tally(false);
    for (let index = 0; index < 500; index += 1) tally.skip(index, undefined);
    for (let index = 500; index < 503; index += 1) tally.fail(failure(index), true);
    for (let index = 503; index < 599; index += 1) tally.complete(index, undefined);
    expect(tally.bails({ share: 0.03 })).toBe(false);
    tally.complete(599, undefined);
    expect(tally.bails({ share: 0.03 })).toBe(true);
    tally.complete(600, undefined);
    expect(tally.bails({ share: 0.03 })).toBe(false);
  });

  test('tells the endings apart', () => {
    expect(isFailed(failure(0))).toBe(true);
    expect(isFailed({ ...about, index: 0, result: undefined, attempt: 1, done: 1, total: undefined })).toBe(
      false,
    );
  });
});
