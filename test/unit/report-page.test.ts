import { describe, expect, it } from 'vitest';
import { aggregate } from '../../src/report/aggregate.js';
import type { ReportData } from '../../src/report/data.js';
import { duration, percent } from '../../src/report/page/format.js';
import { lanesOf } from '../../src/report/page/lanes.js';
import { rateUnit, stepsIn } from '../../src/report/page/rates.js';
import { TimeAxis } from '../../src/report/page/time-axis.js';
import { BEGAN, completed, header } from '../helpers/report.js';

const MINUTE = 60_000;

describe('the time axis of a report', () => {
  const axis = new TimeAxis(
    [
      { from: 0, to: 4 * MINUTE },
      { from: 60 * MINUTE, to: 66 * MINUTE },
    ],
    BEGAN,
  );

  it('leaves pauses out', () => {
    const [gap] = axis.gaps;
    expect(axis.gaps.length).toBe(1);
    expect(gap).toMatchObject({ from: 4 * MINUTE, pause: 56 * MINUTE });
    expect(axis.length).toBeCloseTo(10 * MINUTE * 1.02);
    expect(axis.x(60 * MINUTE)).toBe(gap?.to);
  });

  it('finds the time at a position, and the position of a time', () => {
    for (const time of [0, 3 * MINUTE, 61 * MINUTE, 66 * MINUTE]) {
      expect(axis.time(axis.x(time))).toBeCloseTo(time);
    }
    expect(axis.time(4.1 * MINUTE)).toBeUndefined();
    expect(axis.x(30 * MINUTE)).toBe(axis.x(60 * MINUTE));
  });

  it('has marks at round times that are in a stretch, no more than there is room for', () => {
    const { at, labels } = axis.marks(0, axis.length, 12);
    expect(at.length).toBe(labels.length);
    expect(at.length).toBeGreaterThanOrEqual(10);
    expect(at.length).toBeLessThanOrEqual(13);
    for (const position of at) expect(((axis.time(position) ?? 0.5) + BEGAN) % MINUTE).toBe(0);
    expect(axis.marks(0, axis.length, 3).at.length).toBeLessThanOrEqual(4);
  });
});

describe('the steps of a chart over time', () => {
  const lines = Array.from({ length: 4000 }, (_, index) => completed({ index, at: index * 10, duration: 8 }));
  const data: ReportData = {
    version: '',
    journal: '',
    generatedAt: 0,
    ...aggregate([header(), ...lines]),
  };
  const axis = new TimeAxis(data.stretches, data.startedAt);

  it('are as many as there is room for, and hold each job once', () => {
    const { x, about } = stepsIn(data, axis, axis.length, 50);
    expect(x.length).toBeGreaterThan(25);
    expect(x.length).toBeLessThanOrEqual(53);
    // The last step is there twice, as its beginning and its end.
    const jobs = about.slice(0, -2).reduce((sum, step) => sum + (step?.jobs ?? 0), 0);
    expect(jobs).toBe(4000);
  });

  it('say how many jobs ended and ran in them', () => {
    const { completed: ended, running } = stepsIn(data, axis, axis.length, 50);
    expect(ended[10]).toBeCloseTo(0.1, 1);
    expect(running[10]).toBeCloseTo(0.8, 1);
  });

  it('are none so short that a job at the edge of a stretch would look like a peak', () => {
    for (let every = 190; every < 210; every += 1) {
      const some = Array.from({ length: 200 }, (_, index) => completed({ index, at: index * every }));
      const report = { ...data, ...aggregate([header(), ...some]) };
      const { completed: ended, about } = stepsIn(report, new TimeAxis(report.stretches, BEGAN), 40_000, 50);
      expect(Math.max(...ended.map((rate) => rate ?? 0))).toBeLessThan(0.009);
      expect(about.slice(0, -2).reduce((sum, step) => sum + (step?.jobs ?? 0), 0)).toBe(200);
    }
  });

  it('are said in a unit that gives a number over one', () => {
    expect([0.5, 0.0005, 0.00001].map((rate) => rateUnit(rate).name)).toEqual(['s', 'min', 'h']);
  });
});

describe('the lanes of a report', () => {
  it('put jobs that ran at once into rows, and jobs after one another into one', () => {
    const lines = [
      completed({ index: 0, at: 0, duration: 100 }),
      completed({ index: 1, at: 50, duration: 100 }),
      completed({ index: 2, at: 100, duration: 20 }),
      completed({ index: 3, at: 0, duration: 50, id: 2 }),
      // The next begins before it has ended only because beginnings are rounded, twice.
      completed({ index: 4, at: 50, duration: 51.9, id: 2 }),
      completed({ index: 5, at: 100, duration: 10, id: 2 }),
    ];
    const data = { version: '', journal: '', generatedAt: 0, ...aggregate([header(), ...lines]) };
    const { lanes } = lanesOf(data, new TimeAxis(data.stretches, data.startedAt));
    expect(lanes.map(({ rows }) => rows)).toEqual([2, 1]);
    expect(lanes[0]?.row).toEqual([0, 1, 0]);
  });
});

describe('numbers of a report', () => {
  it.each([
    [0, '0 s'],
    [0.0234, '23.4 µs'],
    [0.9999, '1 ms'],
    [1.2345, '1.23 ms'],
    [999.9, '1 s'],
    [59_949, '59.9 s'],
    [59_990, '1 min'],
    [185_000, '3 min 05 s'],
    [3_599_900, '1 h'],
    [7_620_000, '2 h 07 min'],
    [273_600_000, '3 d 4 h'],
  ])('%d ms is %s', (milliseconds, text) => {
    expect(duration(milliseconds).replaceAll('\u00a0', ' ')).toBe(text);
  });

  it.each([
    [0, '0 %'],
    [0.0001, '< 0.1 %'],
    [0.0432, '4.3 %'],
    [0.42, '42 %'],
    [0.995, '99.5 %'],
    [1, '100 %'],
  ])('%d is %s', (share, text) => {
    expect(percent(share).replaceAll('\u00a0', ' ')).toBe(text);
  });
});
