import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/histogram.js';

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

describe('a histogram of durations', () => {
  it('is empty at first', () => {
    const histogram = new Histogram();
    expect([histogram.count, histogram.percentile(0.5), [...histogram.filled()]]).toEqual([0, 0, []]);
  });

  it('knows each percentile to half a percent', () => {
    const durations = fc.double({ min: 0.002, max: 1e8, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(durations, { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, share) => {
          const sorted = Float64Array.from(values).sort();
          const exact = sorted[Math.max(1, Math.ceil(share * values.length)) - 1] ?? 0;
          const said = histogramOf(values).percentile(share);
          expect(Math.abs(said - exact)).toBeLessThanOrEqual(exact * 0.0055);
        },
      ),
    );
  });

  it('knows the extremes exactly', () => {
    const histogram = histogramOf([3.3, 0.0004, 12_345.678]);
    expect([histogram.min, histogram.max, histogram.percentile(1)]).toEqual([0.0004, 12_345.678, 12_345.678]);
  });

  it('counts a value as often as it is told to', () => {
    const histogram = new Histogram();
    histogram.add(2, 99);
    histogram.add(1000);
    expect([histogram.count, histogram.sum]).toEqual([100, 1198]);
    expect(histogram.percentile(0.99)).toBe(2);
    expect(histogram.percentile(0.995)).toBe(1000);
  });

  it('takes what is no duration for none', () => {
    const histogram = histogramOf([Number.NaN, -5, 0, Number.POSITIVE_INFINITY]);
    expect([histogram.count, histogram.min, histogram.percentile(0.5)]).toEqual([4, 0, 0]);
  });

  it('counts each value once, however many there are and whenever it is asked', () => {
    const histogram = new Histogram();
    for (let value = 1; value <= 2500; value += 1) {
      histogram.add(value);
      if (value === 400 || value === 900) {
        expect([histogram.count, histogram.min, histogram.max]).toEqual([value, 1, value]);
      }
      if (value % 1000 === 0) histogram.add(value, 3);
    }
    expect(histogram.count).toBe(2500 + 6);
    expect(histogram.sum).toBe((2500 * 2501) / 2 + 3000 + 6000);
    expect(histogram.percentile(0.5) / 1250).toBeCloseTo(1, 2);
    const filled = [...histogram.filled()].reduce((sum, [, times]) => sum + times, 0);
    expect(filled).toBe(histogram.count);
  });
});
