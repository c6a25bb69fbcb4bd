import { expect, it, vi } from 'vitest';

it('a wait that is longer than a timer can hold ends when the longest does, not at once', async () => {
  const asked: number[] = [];
  vi.stubGlobal('setTimeout', (_: unknown, ms: number) => asked.push(ms));
  vi.resetModules();
  const { systemClock } = await import('../../src/clock.js');
  vi.unstubAllGlobals();
  for (const ms of [1, 2 ** 31 - 1, 2 ** 31, Number.POSITIVE_INFINITY]) systemClock.after(ms, () => {});
  expect(asked).toEqual([1, 2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1]);
});
