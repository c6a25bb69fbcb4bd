import { expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.js';

it('a wait that is longer than a timer can hold ends when the longest does, not at once', async () => {
  const asked: number[] = [];
  vi.stubGlobal('setTimeout', (_: unknown, ms: number) => asked.push(ms));
  vi.resetModules();
  const { systemClock: stubbed } = await import('../../src/clock.js');
  vi.unstubAllGlobals();
  for (const ms of [1, 2 ** 31 - 1, 2 ** 31, Number.POSITIVE_INFINITY]) stubbed.after(ms, () => {});
  expect(asked).toEqual([1, 2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]);
});

it('counts milliseconds, with a fraction', () => {
  const before = process.hrtime.bigint();
  const times = Array.from({ length: 100 }, () => systemClock.now());
  const after = process.hrtime.bigint();
  expect(times[0]).toBeGreaterThanOrEqual(Number(before) / 1e6);
  expect(times.at(-1)).toBeLessThanOrEqual(Number(after) / 1e6);
  expect(times.filter(Number.isInteger).length).toBeLessThan(100);
});
