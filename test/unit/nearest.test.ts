import { expect, it } from 'vitest';
import { nearest } from '../../src/nearest.js';

it.each([
  ['rnu', 'run'],
  ['rum', 'run'],
  ['wrokers', 'workers'],
  ['repot', 'report'],
  ['tim', undefined],
])('%s is most likely %s', (typed, meant) => {
  expect(nearest(typed, ['run', 'work', 'report', 'workers', 'timeout'])).toBe(meant);
});
