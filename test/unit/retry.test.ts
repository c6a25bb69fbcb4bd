import { describe, expect, test } from 'vitest';
import type { RetryRules } from '../../src/manager/retry.js';
import { RetryPolicy } from '../../src/manager/retry.js';

const error = new Error('no');

function policy(retries: Partial<RetryRules['retries']> = {}, crashRetries = 2): RetryPolicy {
  return new RetryPolicy({
    retries: { limit: 2, delay: () => 0, when: () => true, ...retries },
    crashRetries,
  });
}

describe('the two budgets', () => {
  test('a job that throws runs again `retries` times, then fails with its own error', () => {
    const retries = policy();
    expect(retries.failed(7, error)).toEqual({ again: true, delay: 0 });
    expect(retries.failed(7, error)).toEqual({ again: true, delay: 0 });
    expect(retries.failed(7, error)).toEqual({ again: false, error });
    expect(retries.attempt(7)).toBe(3);
  });

  test('a job that kills its worker runs again `crashRetries` times', () => {
    const retries = policy({}, 1);
    expect(retries.crashed(7, error)).toEqual({ again: true, delay: 0 });
    expect(retries.crashed(7, error)).toEqual({ again: false, error });
    expect(policy({}, 0).crashed(7, error)).toEqual({ again: false, error });
  });

  test('are separate, and the attempt counts both', () => {
    const retries = policy({ limit: 1 }, 1);
    expect(retries.attempt(7)).toBe(1);
    expect(retries.crashed(7, error)).toMatchObject({ again: true });
    expect(retries.attempt(7)).toBe(2);
    expect(retries.failed(7, error)).toMatchObject({ again: true });
    expect(retries.attempt(7)).toBe(3);
    expect(retries.failed(7, error)).toMatchObject({ again: false });
    expect(retries.crashed(7, error)).toMatchObject({ again: false });
  });

  test('are kept for each job apart, until it settles', () => {
    const retries = policy({ limit: 1 });
    expect(retries.pristine).toBe(true);
    retries.settled(7);
    retries.failed(7, error);
    expect(retries.failed(8, error)).toMatchObject({ again: true });
    expect(retries.pristine).toBe(false);
    retries.settled(7);
    retries.settled(8);
    expect(retries.pristine).toBe(true);
    expect(retries.attempt(7)).toBe(1);
  });
});

describe('`retries`', () => {
  test('delay may depend on the attempt and the error', () => {
    const retries = policy({ delay: (attempt, thrown) => attempt * 100 + (thrown as Error).message.length });
    expect(retries.failed(7, error)).toEqual({ again: true, delay: 102 });
    retries.crashed(7, error);
    expect(retries.failed(7, error)).toEqual({ again: true, delay: 302 });
  });

  test('when is asked while there is budget, and can say no', () => {
    const asked: unknown[] = [];
    const retries = policy({
      limit: 1,
      when: (thrown) => {
        asked.push(thrown);
        return thrown === error;
      },
    });
    const other = new Error('other');
    expect(retries.failed(7, other)).toEqual({ again: false, error: other });
    expect(retries.attempt(7)).toBe(1);
    expect(retries.failed(8, error)).toMatchObject({ again: true });
    expect(retries.failed(8, error)).toMatchObject({ again: false });
    expect(asked).toEqual([other, error]);
  });

  test.each(['when', 'delay'])(
    '%s that throws fails the job, and says so, of which error, and why',
    (name) => {
      const mistake = new TypeError('x is not a function');
      const retries = policy({
        [name]: () => {
          throw mistake;
        },
      });
      const verdict = retries.failed(7, error);
      expect(verdict).toMatchObject({ again: false, error: { code: 'ERR_OPTION', cause: mistake } });
      expect((verdict as { error: Error }).error.message).toBe(
        `\`retries.${name}\` was asked about "${error.message}" and threw: x is not a function`,
      );
    },
  );

  test.each([
    [-1, '`-1` (number)'],
    [Number.NaN, '`NaN` (number)'],
    // A job that waits for ever would keep the run from ending.
    [Number.POSITIVE_INFINITY, '`Infinity` (number)'],
    ['5', "`'5'` (string)"],
    [undefined, '`undefined`'],
    [Promise.resolve(5), 'a Promise'],
  ])('delay that returns %s fails the job, and says what was expected', (ms, got) => {
    const verdict = policy({ delay: () => ms as number }).failed(7, error);
    expect(verdict).toMatchObject({
      again: false,
      error: { name: 'OptionError', code: 'ERR_OPTION', cause: error },
    });
    expect((verdict as { error: Error }).error.message).toBe(
      `Expected \`retries.delay\` to return a finite number of milliseconds, 0 or greater, got ${got}`,
    );
  });

  test('when that returns a promise fails the job: a promise is true whatever it resolves to', () => {
    const verdict = policy({ when: (async () => false) as never }).failed(7, error);
    expect(verdict).toMatchObject({
      again: false,
      error: { name: 'OptionError', code: 'ERR_OPTION', cause: error },
    });
    expect((verdict as { error: Error }).error.message).toBe(
      'Expected `retries.when` to return `true` or `false`, got a Promise',
    );
  });
});
