import { describe, expect, it } from 'vitest';
import type { Settlement } from '../../src/manager/tally.js';
import { StatsCollector } from '../../src/stats.js';

const completed = (index: number, id: number, startedAt: number, duration: number): Settlement => ({
  index,
  job: index,
  result: index,
  id,
  attempt: 1,
  startedAt,
  duration,
  done: 0,
  total: undefined,
});

describe('the stats of a run', () => {
  it('spread how long jobs ran, and how long they waited for their worker to begin them', () => {
    const stats = new StatsCollector(1);
    stats.settled([completed(0, 1, 1010, 10), completed(1, 1, 1020, 30), completed(2, 1, 1050, 50)], 1000);
    const { run, wait, throughput } = stats.summarise(2000, 0, 0);
    expect(run).toMatchObject({ count: 3, mean: 30, min: 10, max: 50, p99: 50 });
    expect(run.p50).toBeCloseTo(30, 0);
    expect(wait).toMatchObject({ count: 3, min: 10, max: 50 });
    expect(throughput).toBe(1.5);
  });

  it('count jobs that were too short to be timed singly together', () => {
    const stats = new StatsCollector(1);
    stats.ready(1, 0);
    const jobs = Array.from({ length: 1000 }, (_, at) => completed(at, 1, 1000 + at * 0.001, 0.001));
    stats.settled(jobs, 1000);
    const { run, wait, workers } = stats.summarise(1000, 0, 0);
    expect(workers).toMatchObject([{ jobs: 1000, busy: 1 }]);
    expect(run).toMatchObject({ count: 1000, min: 0.001, max: 0.001 });
    expect(run.mean).toBeCloseTo(0.001, 9);
    expect(wait?.count).toBe(1000);
    expect(wait?.mean).toBeCloseTo(0.5, 2);
  });

  it('tell apart whose jobs they were, and what each took, where only some are alike', () => {
    const stats = new StatsCollector(1);
    stats.ready(1, 0);
    stats.ready(2, 0);
    stats.settled([completed(0, 1, 10, 5), completed(1, 2, 20, 5), completed(2, 1, 30, 5)], 0);
    stats.settled([completed(3, 2, 10, 5), completed(4, 2, 20, 7), completed(5, 2, 30, 5)], 0);
    const { run, wait, workers } = stats.summarise(1000, 1000, 0);
    expect(workers.map(({ jobs, busy }) => [jobs, busy])).toEqual([
      [2, 10],
      [4, 22],
    ]);
    expect(run).toMatchObject({ count: 6, min: 5, max: 7, mean: 32 / 6 });
    expect(wait).toMatchObject({ count: 6, min: 10, max: 30, mean: 20 });
  });

  it('take a wait that two clocks disagree about for none', () => {
    const stats = new StatsCollector(1);
    stats.settled([completed(0, 1, 999, 10), completed(1, 1, 998, 10)], 1000);
    expect(stats.summarise(1000, 0, 0).wait).toMatchObject({ count: 2, mean: 0, min: 0, max: 0 });
    stats.settled([completed(2, 1, 990, 20)], 1000);
    expect(stats.summarise(1000, 0, 0).wait).toMatchObject({ count: 3, mean: 0, min: 0, max: 0 });
  });

  it('say nothing of the wait where nobody knows when jobs were handed out', () => {
    const stats = new StatsCollector(1);
    stats.settled([completed(0, 1, 1000, 1)], undefined);
    expect(stats.summarise(1, 0, 0).wait).toBeUndefined();
  });

  it('count a worker by its number, through all its processes', () => {
    const stats = new StatsCollector(2);
    stats.ready(2, 100);
    stats.ready(1, 100);
    stats.settled([completed(0, 1, 0, 40), completed(1, 2, 0, 10)], 0);
    stats.exited(1, 200, 5_000);
    stats.ready(1, 300);
    stats.settled([completed(2, 1, 0, 60)], 0);
    stats.exited(1, 400, 4_000);
    expect(stats.summarise(1000, 500, 7_000)).toMatchObject({
      workers: [
        { id: 1, jobs: 2, busy: 100, alive: 200, utilisation: 0.25, peakRss: 5_000 },
        { id: 2, jobs: 1, busy: 10, alive: 400, utilisation: 0.0125, peakRss: 0 },
      ],
      peakRss: 7_000,
    });
  });

  it('count retries and crashes, and mind workers that were never ready', () => {
    const stats = new StatsCollector(1);
    stats.exited(undefined, 1, 0);
    stats.exited(3, 1, 0);
    stats.settled([completed(0, 0, 0, 0)], undefined);
    stats.retried();
    stats.retried();
    stats.crashed();
    expect(stats.summarise(0, 0, 0)).toMatchObject({ retries: 2, crashes: 1, workers: [], throughput: 0 });
  });

  it('are all zero before anything ran', () => {
    const none = { count: 0, mean: 0, min: 0, p50: 0, p90: 0, p95: 0, p99: 0, max: 0 };
    expect(new StatsCollector(1).summarise(0, 0, 0)).toMatchObject({
      run: none,
      wait: undefined,
      workers: [],
    });
  });
});
