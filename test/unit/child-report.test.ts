import { describe, expect, test } from 'vitest';
import { Report } from '../../src/child/report.js';
import { decodeColumn } from '../../src/codec.js';
import type { JobsMessage, ResultsMessage } from '../../src/protocol.js';
import { BRAND } from '../../src/protocol.js';

function reportOf(count: number): Report {
  const message: JobsMessage = {
    brand: BRAND,
    type: 'jobs',
    batch: 7,
    first: 0,
    jobs: count,
    count,
    budget: 100,
  };
  return new Report(message, 0);
}

/** Jobs at these positions end, each after 1 ms. */
function end(
  report: Report,
  outcomes: Readonly<Record<number, unknown>>,
  order = Object.keys(outcomes),
): void {
  for (const key of order) {
    const position = Number(key);
    report.add(position, outcomes[position], undefined);
    report.timed(1, position, 1);
  }
}

/** What messages tell: a value each for the positions that they are about. */
function told(messages: readonly ResultsMessage[]): { positions: number[]; values: unknown[] }[] {
  return messages.map(({ from, count, positions, values }) => ({
    positions: [...(positions ?? Array.from({ length: count }, (_, at) => from + at))],
    values: decodeColumn(values),
  }));
}

describe('a report of a batch', () => {
  test('tells what has ended since it was last taken', () => {
    const report = reportOf(5);
    end(report, { 0: 'a', 1: { b: 1 }, 2: 3 });
    expect(told(report.take(false, 0))).toEqual([{ positions: [0, 1, 2], values: ['a', { b: 1 }, 3] }]);
    expect(report.empty).toBe(true);
    end(report, { 3: undefined, 4: 'e' });
    expect(told(report.take(false, 0))).toEqual([{ positions: [3, 4], values: [undefined, 'e'] }]);
  });

  test('says which jobs they were where they did not end in order, also before all of them have', () => {
    const report = reportOf(5);
    end(report, { 0: 'a', 2: 'c' });
    expect(told(report.take(false, 0))).toEqual([{ positions: [0, 2], values: ['a', 'c'] }]);
    end(report, { 3: 'd', 1: 'b' }, ['3', '1']);
    expect(told(report.take(false, 0))).toEqual([{ positions: [3, 1], values: ['d', 'b'] }]);
    end(report, { 4: 'e' });
    expect(told(report.take(false, 0))).toEqual([{ positions: [4], values: ['e'] }]);
  });

  test('is several messages where one would be too large, each with its own part', () => {
    const report = reportOf(4);
    const large = (mark: number): Buffer => Buffer.alloc(40 * 1024 * 1024, 0).fill(mark, 0, 1);
    end(report, { 0: large(10), 1: large(11), 2: large(12) });
    const parts = told(report.take(false, 0));
    expect(parts.map(({ positions }) => positions)).toEqual([[0], [1], [2]]);
    expect(parts.map(({ values }) => values.map((value) => (value as Buffer)[0]))).toEqual([
      [10],
      [11],
      [12],
    ]);
  });

  test('keeps to each part what was said of its jobs, in whatever order they ended', () => {
    const report = reportOf(4);
    const large = Buffer.alloc(40 * 1024 * 1024);
    const failed = { position: 0, kind: 'threw', error: 'no' } as const;
    report.add(2, large, undefined);
    report.timed(1, 10, 1);
    report.add(0, undefined, failed);
    report.timed(1, 20, 2);
    report.add(3, large, undefined);
    report.timed(1, 30, 4);
    const messages = report.take(false, 0);
    expect(
      messages.map((one) => [one.positions, one.startedAt, one.starts, one.nanoseconds, one.failed]),
    ).toEqual([
      [[2], 10, [10], [1e6], undefined],
      [[0, 3], 20, [20, 30], [2e6, 4e6], [failed]],
    ]);
  });

  test('is several messages where all results are refused, since they may only be too much together', () => {
    const report = reportOf(3);
    end(report, { 0: () => {}, 1: () => {} });
    const messages = report.take(false, 0);
    expect(told(messages)).toEqual([
      { positions: [0], values: [undefined] },
      { positions: [1], values: [undefined] },
    ]);
    expect(messages.map(({ failed }) => failed?.map(({ position, kind }) => [position, kind]))).toEqual([
      [[0, 'refused']],
      [[1, 'refused']],
    ]);
  });
});
