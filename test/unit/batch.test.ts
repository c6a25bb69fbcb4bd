import { describe, expect, test } from 'vitest';
import { Batch, BatchSizer, MAX_BATCH, sliceParcel, TARGET_MS } from '../../src/manager/batch.js';

const parcel = { first: 10, jobs: ['a', 'b', 'c', 'd', 'e'] };

describe('a batch', () => {
  test('knows index, job and attempt of each position', () => {
    const plain = new Batch(1, parcel);
    expect([plain.indexAt(2), plain.jobAt(2), plain.attemptAt(2)]).toEqual([12, 'c', 1]);
    const scattered = new Batch(2, { first: 3, jobs: ['x', 'y'], indices: [3, 9] }, [1, 4]);
    expect([scattered.indexAt(1), scattered.jobAt(1), scattered.attemptAt(1)]).toEqual([9, 'y', 4]);
  });

  test('takes each report once, in order', () => {
    const batch = new Batch(1, parcel);
    expect(batch.report(0)).toBe(true);
    expect(batch.report(0)).toBe(false);
    expect(batch.report(1)).toBe(true);
    expect(batch).toMatchObject({ pending: 3, next: 2 });
    expect(batch.unreported()).toEqual([2, 3, 4]);
  });

  test('takes each report once, out of order', () => {
    const batch = new Batch(1, parcel);
    expect([3, 1, 3, 0, 1].map((position) => batch.report(position))).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(batch.pending).toBe(2);
    expect(batch.unreported()).toEqual([2, 4]);
    expect([2, 4, 4].map((position) => batch.report(position))).toEqual([true, true, false]);
    expect(batch.pending).toBe(0);
    expect(batch.unreported()).toEqual([]);
  });

  test('takes no report of a position it does not have', () => {
    expect(new Batch(1, parcel).report(5)).toBe(false);
  });

  test('gives back from its end, and takes no report of that', () => {
    const batch = new Batch(1, parcel);
    batch.report(0);
    expect(batch.giveBack(3)).toEqual({ first: 12, jobs: ['c', 'd', 'e'] });
    expect(batch.pending).toBe(1);
    expect(batch.report(2)).toBe(false);
    expect(batch.unreported()).toEqual([1]);
  });
});

describe('a part of a parcel', () => {
  test('keeps the indices of its jobs', () => {
    expect(sliceParcel(parcel, 1, 3)).toEqual({ first: 11, jobs: ['b', 'c'] });
    const scattered = { first: 3, jobs: ['x', 'y', 'z'], indices: [3, 9, 11] };
    expect(sliceParcel(scattered, 1, 3)).toEqual({ first: 9, jobs: ['y', 'z'], indices: [9, 11] });
  });

  test('may be empty', () => {
    const scattered = { first: 3, jobs: ['x'], indices: [3] };
    expect(sliceParcel(scattered, 1, 1)).toEqual({ first: 3, jobs: [], indices: [] });
  });
});

describe('the size of a batch', () => {
  const PLENTY = 1_000_000;
  const demand = { last: MAX_BATCH, remaining: PLENTY, held: 0 };

  test('is one job at first, however many there are', () => {
    expect(new BatchSizer('auto', 4, 1).size({ ...demand, last: 0 })).toBe(1);
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(1, 0.001, 0.001);
    expect(sizer.size({ ...demand, last: 0 })).toBe(1);
  });

  test('grows eightfold at most from one batch of a worker to its next', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(1, 0.001, 0.001);
    expect([1, 8, 64, 512].map((last) => sizer.size({ ...demand, last }))).toEqual([8, 64, 512, MAX_BATCH]);
  });

  test('is what fits the time target', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(10, 10, 1);
    expect(sizer.size(demand)).toBe(TARGET_MS);
    const slow = new BatchSizer('auto', 4, 1);
    slow.observe(1, 400, 400);
    expect(slow.size(demand)).toBe(1);
  });

  test('is no larger than a batch may be where jobs take no time at all', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(100, 0, 0);
    expect(sizer.size(demand)).toBe(MAX_BATCH);
  });

  test('follows slower jobs at once and faster ones by and by', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(10, 10, 1);
    sizer.observe(10, 100, 10);
    const after = sizer.size(demand);
    expect(after).toBeLessThanOrEqual(TARGET_MS / 7);
    sizer.observe(10, 10, 1);
    expect(sizer.size(demand)).toBeLessThan(TARGET_MS / 2);
    for (let i = 0; i < 30; i += 1) sizer.observe(10, 10, 1);
    expect(sizer.size(demand)).toBeGreaterThan(TARGET_MS - 2);
  });

  test('is soon right after a first job that was slow because its code was cold', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(1, 10, 10);
    sizer.observe(8, 8, 1);
    expect(sizer.size(demand)).toBe(TARGET_MS / 2);
    sizer.observe(25, 25, 1);
    expect(sizer.size(demand)).toBeGreaterThan(TARGET_MS * 0.7);
  });

  test('believes few fast jobs no more than the many before them', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(100, 1000, 10);
    sizer.observe(1, 1, 1);
    expect(sizer.size(demand)).toBe(Math.floor(TARGET_MS / 7.3));
  });

  test('is nearer to what most jobs took, and to what the slower ones did', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    const sizes: number[] = [];
    for (const [count, ms] of [
      [1, 5],
      [4, 1],
      [20, 2],
      [10, 1],
      [40, 1],
      [2, 1],
      [5, 1],
      [1, 4],
      [3, 1],
    ] as const) {
      sizer.observe(count, count * ms, ms);
      sizes.push(sizer.size(demand));
    }
    // 5 ms; 1.8; 0.3 x 1.8 + 0.7 x 2 = 1.94; 20 parts of that and 10 of 1, 1.63; 1.27; 1.19; 1.11; 3.13; 1.53.
    expect(sizes).toEqual([10, 27, 25, 30, 39, 42, 45, 15, 32]);
  });

  test('learns nothing from a report of no jobs', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(0, 0, 0);
    expect(sizer.size(demand)).toBe(1);
  });

  test('keeps messages below a size', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(100, 0.1, 0.001);
    sizer.observeBytes(1, 32 * 1024);
    expect(sizer.size(demand)).toBe(8);
    for (let i = 0; i < 40; i += 1) sizer.observeBytes(100, 100);
    expect(sizer.size(demand)).toBeGreaterThan(1000);
    sizer.observeBytes(0, 1024 * 1024);
    expect(sizer.size(demand)).toBe(1);
  });

  test('is at most a fair share of what is left, so that the tail stays balanced', () => {
    const sizer = new BatchSizer('auto', 4, 1);
    sizer.observe(100, 0.1, 0.001);
    expect([80, 8, 3, 1].map((remaining) => sizer.size({ ...demand, remaining }))).toEqual([14, 2, 1, 1]);
    expect(sizer.size({ ...demand, remaining: 0 })).toBe(0);
  });

  test('counts a concurrent worker faster by its concurrency, and fills it', () => {
    const sizer = new BatchSizer('auto', 2, 10);
    expect(sizer.size({ ...demand, last: 0 })).toBe(10);
    expect(sizer.size({ ...demand, last: 0, held: 7 })).toBe(3);
    expect(sizer.size({ ...demand, last: 0, remaining: 8 })).toBe(4);
    sizer.observe(10, 100, 10);
    expect(sizer.size(demand)).toBe(TARGET_MS);
  });

  test('is half of what each of the others would get of the rest, and half of the rest where there are two', () => {
    const sizes = [1, 2, 3, 9].map((workers) => {
      const sizer = new BatchSizer('auto', workers, 1);
      sizer.observe(100, 0.1, 0.001);
      return sizer.size({ ...demand, remaining: 320 });
    });
    expect(sizes).toEqual([320, 160, 80, 20]);
  });

  test('is what the user fixed', () => {
    const sizer = new BatchSizer(7, 2, 1);
    expect(sizer.size({ ...demand, last: 0 })).toBe(7);
    expect(sizer.size({ ...demand, remaining: 3 })).toBe(7);
    expect(sizer.size({ ...demand, remaining: 0 })).toBe(0);
  });
});

describe('a second batch for a worker that has one', () => {
  test('waits until a job was measured', () => {
    const sizer = new BatchSizer('auto', 2, 1);
    expect(sizer.size({ last: 1, remaining: 1_000_000, held: 1 })).toBe(0);
  });

  test('is given while much is left, and not near the end, where another worker would be idle', () => {
    const sizer = new BatchSizer('auto', 2, 1);
    sizer.observe(1, 10, 10);
    expect(sizer.size({ last: 5, remaining: 1000, held: 5 })).toBe(5);
    expect(sizer.size({ last: 5, remaining: 20, held: 5 })).toBe(0);
  });

  test('is not given where one long job could hold it up', () => {
    const sizer = new BatchSizer('auto', 2, 1);
    sizer.observe(1, 10, 10);
    sizer.observe(1, 10, 5_000);
    expect(sizer.size({ last: 2, remaining: 1000, held: 2 })).toBe(0);
  });
});

describe('a list whose jobs take longer and longer', () => {
  /** A sizer that was told of jobs which took so many milliseconds, one after the other. */
  const told = (ms: readonly number[], sizer = new BatchSizer('auto', 2, 1)) => {
    for (const one of ms) sizer.observe(1, one, one);
    return sizer;
  };
  const rising = [1, 2, 3, 4, 5, 6, 7];

  test('is run from its end when no more than eight jobs a worker are left', () => {
    expect(told(rising).runsFromEnd(16)).toBe(true);
    expect(told(rising).runsFromEnd(17)).toBe(false);
    expect(told(rising).runsFromEnd(Number.POSITIVE_INFINITY)).toBe(false);
    expect(told(rising, new BatchSizer('auto', 8, 1)).runsFromEnd(64)).toBe(true);
  });

  test('is known by six reports in a row of more than the mean of all before', () => {
    expect(told(rising.slice(0, 6)).runsFromEnd(1)).toBe(false);
    // The mean of the first seven is 4.
    expect(told([...rising, 4]).runsFromEnd(1)).toBe(false);
    expect(told([...rising, 4.1]).runsFromEnd(1)).toBe(true);
    expect(told([5, 5, 5, 5, 5, 5, 5, 5]).runsFromEnd(1)).toBe(false);
    const batches = new BatchSizer('auto', 2, 1);
    batches.observe(1, 3, 3);
    for (const mean of [4, 5, 6, 7, 8, 9]) batches.observe(100, 100 * mean, 1000);
    expect(batches.runsFromEnd(1)).toBe(true);
  });

  test('is run in order where a worker runs several at once, there is but one, or a batch has a fixed size', () => {
    for (const sizer of [
      new BatchSizer('auto', 2, 2),
      new BatchSizer('auto', 1, 1),
      new BatchSizer(1, 2, 1),
    ]) {
      expect(told(rising, sizer).runsFromEnd(1)).toBe(false);
    }
  });
});

describe('what the workers can hold', () => {
  test('is two batches each, or what they run at once', () => {
    const sizer = new BatchSizer('auto', 3, 1);
    expect(sizer.capacity(0)).toBe(6);
    sizer.observe(100, 0.1, 0.001);
    expect(sizer.capacity(8)).toBe(3 * 2 * 64);
    expect(new BatchSizer(1, 3, 10).capacity(0)).toBe(30);
  });
});
