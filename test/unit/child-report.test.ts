import { describe, expect, test } from 'vitest';
import { Report } from '../../src/child/report.js';
import { decodeColumn } from '../../src/codec.js';
import { HeldMemory } from '../../src/held-column.js';
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
  return new Report(message, 0, new HeldMemory());
}

/** Jobs at these positions end, each after 1 ms. */
function end(
  report: Report,
  outcomes: Readonly<Record<number, unknown>>,
  order = Object.keys(outcomes),
): void {
  for (const key of order) {
    const position = Number(key);
    report.add(position, outcomes[position], undefined, false);
    report.timed(position, 1);
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
    report.add(2, large, undefined, false);
    report.timed(10, 1);
    report.add(0, undefined, failed, false);
    report.timed(20, 2);
    report.add(3, large, undefined, false);
    report.timed(30, 4);
    const messages = report.take(false, 0);
    expect(
      messages.map((one) => [one.positions, one.startedAt, one.starts, one.nanoseconds, one.failed]),
    ).toEqual([
      [[2], 10, [10], [1e6], undefined],
      [[0, 3], 20, [20, 30], [2e6, 4e6], [failed]],
    ]);
  });

  test('stays a table of rows where a job among them failed', () => {
    const report = reportOf(20);
    const failed = { position: 7, kind: 'threw', error: 'no' } as const;
    for (let i = 0; i < 20; i += 1)
      report.add(i, i === 7 ? undefined : { i }, i === 7 ? failed : undefined, false);
    const [message] = report.take(false, 0);
    expect(message?.values).toMatchObject({ plain: { keys: ['i'] } });
    expect(message?.failed).toEqual([failed]);
    expect(decodeColumn(message?.values ?? 0).filter((_, at) => at !== 7)).toEqual(
      Array.from({ length: 20 }, (_, i) => ({ i })).filter(({ i }) => i !== 7),
    );
  });

  test('names each result that can not be sent, beside those that can', () => {
    const report = reportOf(3);
    end(report, { 0: () => {}, 1: 'b', 2: Symbol('c') });
    const [message, ...more] = report.take(false, 0);
    expect(more).toEqual([]);
    expect(told(message === undefined ? [] : [message])).toEqual([
      { positions: [0, 1, 2], values: [undefined, 'b', undefined] },
    ]);
    expect(message?.failed).toMatchObject([
      { position: 0, kind: 'refused', error: { message: expect.stringContaining('the result of job 0') } },
      { position: 2, kind: 'refused', error: { message: expect.stringContaining('the result of job 2') } },
    ]);
  });

  test('has each result as it was when its job ended, whatever the next job did to it', () => {
    const report = reportOf(8);
    const bytes = Buffer.alloc(4);
    const view = new Uint8Array(2);
    const row = { n: 0, deep: { list: [0] } };
    const map = new Map<string, number>();
    for (const n of [1, 2]) {
      bytes.fill(n);
      view.fill(n);
      row.n = n;
      row.deep.list[0] = n;
      map.set('n', n);
      const all = [bytes, view, row, map];
      for (const [at, value] of all.entries()) end(report, { [4 * (n - 1) + at]: value });
    }
    const [{ values } = { values: [] }] = told(report.take(false, 0));
    expect(values).toEqual(
      [1, 2].flatMap((n) => [
        Buffer.alloc(4, n),
        new Uint8Array(2).fill(n),
        { n, deep: { list: [n] } },
        new Map([['n', n]]),
      ]),
    );
    expect(Buffer.isBuffer(values[1])).toBe(false);
  });

  test('uses the memory of bytes again when they were sent, and is full where there is no room for a copy', () => {
    const report = reportOf(6);
    const half = Buffer.alloc(500 * 1024, 1);
    end(report, { 0: half });
    expect(report.isFull).toBe(false);
    end(report, { 1: half });
    expect(report.isFull).toBe(false);
    end(report, { 2: half });
    expect(report.isFull).toBe(true);
    expect(told(report.take(false, 0))[0]?.values).toEqual([half, half, half]);
    expect(report.isFull).toBe(false);
    half.fill(2);
    end(report, { 3: half, 4: half });
    half.fill(3);
    expect(told(report.take(false, 0))[0]?.values).toEqual([
      Buffer.alloc(500 * 1024, 2),
      Buffer.alloc(500 * 1024, 2),
    ]);
  });

  test.each([
    ['texts', 'x'.repeat(400_000)],
    ['other values', new Map([['x', 'x'.repeat(400_000)]])],
  ])('is full of %s when they are a megabyte', (_, value) => {
    const report = reportOf(4);
    end(report, { 0: value, 1: value });
    expect(report.isFull).toBe(false);
    end(report, { 2: value });
    expect(report.isFull).toBe(true);
  });

  test('copies no bytes where it is sent before anything else runs', () => {
    const report = reportOf(2);
    const bytes = Buffer.alloc(100, 1);
    report.add(0, bytes, undefined, true);
    bytes.fill(2);
    expect(told(report.take(false, 0))[0]?.values).toEqual([Buffer.alloc(100, 2)]);
  });

  test('says that it took a while to hold what is large, or can only be written', () => {
    const report = reportOf(6);
    const values = [1, { a: 1 }, Buffer.alloc(8), new Map(), Array.from({ length: 5000 }, (_, i) => i)];
    expect(values.map((value, at) => report.add(at, value, undefined, false))).toEqual([
      ...[false, false],
      ...[false, true, true],
    ]);
  });
});
