import { describe, expect, it } from 'vitest';
import type { JournalLine } from '../../src/journal.js';
import { aggregate } from '../../src/report/aggregate.js';
import { LIMITS } from '../../src/report/limits.js';
import { BEGAN, completed, crashed, failed, header, retried } from '../helpers/report.js';

const HOUR = 3_600_000;

describe('the aggregate of a journal', () => {
  it('of nothing but a header is empty', () => {
    const report = aggregate([header()]);
    expect(report.totals).toEqual({
      completed: 0,
      failed: 0,
      recovered: 0,
      retries: 0,
      crashes: 0,
      active: 0,
      busy: 0,
    });
    expect([report.module, report.startedAt, report.stretches, report.workers]).toEqual([
      'job.cjs',
      BEGAN - 100,
      [],
      [],
    ]);
    expect(report.durations).toMatchObject({ count: 0, min: 0, mean: 0, median: 0, max: 0, bars: [] });
  });

  it('counts jobs, time, retries and crashes, in all and by worker', () => {
    const report = aggregate([
      header(),
      completed({ index: 0, at: 0, duration: 100, id: 2 }),
      retried({ index: 1, at: 50, id: 1 }, new Error('again')),
      completed({ index: 1, at: 60, duration: 40, id: 1, attempt: 2 }),
      crashed(150, 2, [2]),
      failed({ index: 2, at: 200, duration: 50, id: 2, attempt: 3 }, new Error('crashed')),
    ]);
    expect(report.totals).toEqual({
      completed: 2,
      failed: 1,
      recovered: 0,
      retries: 1,
      crashes: 1,
      active: 250,
      busy: 190,
    });
    expect(report.workers).toEqual([
      { name: '1', completed: 1, failed: 0, retries: 1, crashes: 0, busy: 40, covered: 40 },
      { name: '2', completed: 1, failed: 1, retries: 0, crashes: 1, busy: 150, covered: 150 },
    ]);
    expect(report.crashes).toEqual([
      { lane: 1, at: 150, pid: 4711, code: null, signal: 'SIGKILL', jobs: [2], held: 1 },
    ]);
    expect(report.marks).toEqual({ lane: [0], at: [50], index: [1] });
    expect(report.durations).toMatchObject({ count: 3, min: 40, max: 100, p99: 100 });
    expect(report.slowest.map(({ index, duration, lane }) => [index, duration, lane])).toEqual([
      [0, 100, 1],
      [2, 50, 1],
      [1, 40, 0],
    ]);
  });

  it('counts a worker as busy once, however many jobs it runs at once', () => {
    const [first, second] = [0, 1].map((index) => completed({ index, at: 0, duration: 80 }));
    const { workers } = aggregate([header(), first, second].filter((line) => line !== undefined));
    expect(workers[0]).toMatchObject({ busy: 160, covered: 80 });
  });

  it('tells the workers of several machines apart, and sorts numbers as numbers', () => {
    const ids = [10, 2].flatMap((id) => ['b', 'a'].map((machine) => ({ id, machine })));
    const lines = ids.map((who, index) => completed({ index, at: index, ...who }));
    const { workers, bars } = aggregate([header(), ...lines]);
    expect(workers.map(({ name }) => name)).toEqual(['a 2', 'a 10', 'b 2', 'b 10']);
    expect(bars.lane).toEqual([3, 1, 2, 0]);
  });

  it('leaves the pause between two runs out, and counts only the time in which something ran', () => {
    const { stretches, totals } = aggregate([
      header(),
      completed({ index: 0, at: 0, duration: 1000 }),
      completed({ index: 1, at: 1000, duration: 500 }),
      completed({ index: 2, at: HOUR, duration: 700 }),
    ]);
    expect(stretches).toEqual([
      { from: 0, to: 1500 },
      { from: HOUR, to: HOUR + 700 },
    ]);
    expect(totals.active).toBe(2200);
  });

  it('takes no pause for one while a long job is running', () => {
    const { stretches } = aggregate([
      header(),
      completed({ index: 1, at: 10, id: 1 }),
      completed({ index: 2, at: 100_000, id: 1 }),
      completed({ index: 0, at: 0, duration: 200_000, id: 2 }),
    ]);
    expect(stretches).toEqual([{ from: 0, to: 200_000 }]);
  });

  it('counts a job by its last ending, by key where there are keys', () => {
    const { totals, failures } = aggregate([
      header(),
      failed({ index: 0, key: 'a', at: 0 }, new Error('one')),
      failed({ index: 1, key: 'b', at: 10 }, new Error('one')),
      failed({ index: 2, key: 'c', at: 20 }, new Error('one')),
      // The next run: the list is in another order.
      completed({ index: 2, key: 'a', at: 10_000 }),
      failed({ index: 0, key: 'b', at: 10_010 }, new Error('two')),
    ]);
    expect(totals).toMatchObject({ completed: 1, failed: 2, recovered: 1 });
    expect(failures.groups.map(({ message, count, jobs }) => [message, count, jobs])).toEqual([
      ['one', 1, [{ index: 2, key: 'c' }]],
      ['two', 1, [{ index: 0, key: 'b' }]],
    ]);
  });

  it('counts a job that was refused for its key beside the one that has it', () => {
    const refused = { key: 'a', at: 0, id: 0, attempt: 0 };
    const { totals, failures, durations } = aggregate([
      header(),
      failed({ ...refused, index: 1 }, new Error('two jobs')),
      completed({ index: 0, key: 'a', at: 0 }),
      failed({ ...refused, index: 2 }, new Error('two jobs')),
    ]);
    expect(totals).toMatchObject({ completed: 1, failed: 2, recovered: 0 });
    expect(failures.groups.map(({ count }) => count)).toEqual([2]);
    // It was never tried.
    expect(durations.count).toBe(1);
  });

  it('puts each job into the second in which it ended', () => {
    const lines = Array.from({ length: 60 }, (_, index) =>
      completed({ index, at: index * 1000, duration: 400 }),
    );
    const { series } = aggregate([header(), ...lines]);
    expect(series.completed.reduce((sum, each) => sum + each, 0)).toBe(60);
    expect(series.busy.reduce((sum, each) => sum + each, 0)).toBeCloseTo(60 * 400);
    expect(series.at.length).toBeLessThanOrEqual(LIMITS.buckets);
  });

  it('counts what has no worker yet in the totals alone', () => {
    const { totals, workers, bars, crashes } = aggregate([
      header(),
      failed({ index: 0, at: 0, duration: 0, id: 0 }, new Error('duplicate key')),
      crashed(5, 0, []),
    ]);
    expect([totals.failed, totals.crashes, workers, bars.index]).toEqual([1, 1, [], []]);
    expect(crashes[0]).not.toHaveProperty('lane');
  });

  it('clips the keys and messages it keeps', () => {
    const key = 'k'.repeat(10_000);
    const report = aggregate([header(), failed({ index: 0, key, at: 0 }, new Error('m'.repeat(10_000)))]);
    expect(JSON.stringify(report).length).toBeLessThan(8000);
  });
});

describe('the aggregate of a long journal', () => {
  const JOBS = 100_000;
  const report = aggregate(manyLines());

  function* manyLines(): Generator<JournalLine> {
    yield header();
    for (let index = 0; index < JOBS; index += 1) {
      const about = { index, at: index * 50, duration: 1 + (index % 997), id: 1 + (index % 300) };
      yield index % 10 === 0
        ? failed(about, new Error(`${String.fromCodePoint(0x4e00 + (index % 9973))} failed`))
        : completed(about);
    }
  }

  it('keeps no more than the limits say, and counts everything', () => {
    expect(report.totals.completed + report.totals.failed).toBe(JOBS);
    expect(report.durations.count).toBe(JOBS);
    expect(report.workers.length).toBe(LIMITS.lanes);
    expect(report.moreWorkers).toBe(300 - LIMITS.lanes);
    expect(report.bars.start.length).toBe(LIMITS.bars + LIMITS.failedBars);
    expect(report.bars.complete).toBe(false);
    expect(report.cells.at.length).toBeLessThanOrEqual(LIMITS.cells);
    expect(report.durations.bars.length).toBeLessThanOrEqual(LIMITS.durations);
    expect(report.failures.groups.length).toBe(LIMITS.groups);
  });

  it('draws the longest jobs one by one', () => {
    const failures = new Set(report.bars.failed);
    const durations = report.bars.duration.filter((_, at) => !failures.has(at));
    expect(Math.min(...durations)).toBeGreaterThan(800);
    expect(report.slowest[0]?.duration).toBe(997);
  });

  it('counts each job of a worker that has a lane in one cell', () => {
    const inCells = report.cells.jobs.reduce((sum, jobs) => sum + jobs, 0);
    const ofWorkers = report.workers.reduce((sum, worker) => sum + worker.completed + worker.failed, 0);
    expect(inCells).toBe(ofWorkers);
  });
});
