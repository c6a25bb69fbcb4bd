import { describe, expect, test } from 'vitest';
import { BRAND, indexAt, isBranded } from '../../src/protocol.js';

describe('the brand', () => {
  test('tells our messages from everything else', () => {
    expect(isBranded({ brand: BRAND, type: 'finish' })).toBe(true);
    for (const other of [
      undefined,
      null,
      'finish',
      5,
      {},
      { type: 'finish' },
      { brand: 'threadfactory/0' },
    ]) {
      expect(isBranded(other)).toBe(false);
    }
  });
});

describe('the index of a job', () => {
  test('counts on from the first, or is listed', () => {
    expect(indexAt({ first: 10 }, 3)).toBe(13);
    expect(indexAt({ first: 10, indices: [10, 17] }, 1)).toBe(17);
  });
});
