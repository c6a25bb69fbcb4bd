import { describe, expect, test } from 'vitest';
import { OrderWindow } from '../../src/manager/window.js';

describe('the order window', () => {
  test('begins with as many jobs as it holds', () => {
    expect(new OrderWindow(4).limit).toBe(4);
  });

  test('moves with the oldest unsettled job, not with those after it', () => {
    const window = new OrderWindow(4);
    window.settled(1);
    window.settled(3);
    expect(window.limit).toBe(4);
    window.settled(0);
    expect(window.limit).toBe(6);
    window.settled(2);
    expect(window.limit).toBe(8);
  });

  test('goes round and round', () => {
    const window = new OrderWindow(3);
    for (let first = 0; first < 30; first += 3) {
      window.settled(first + 2);
      window.settled(first + 1);
      expect(window.limit).toBe(first + 3);
      window.settled(first);
      expect(window.limit).toBe(first + 6);
    }
  });
});
