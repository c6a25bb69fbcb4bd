import { setEnvironmentData } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  becomeWorker,
  constructions,
  isWorker,
  loadedVersions,
  nextOrdinal,
  VERSION,
  workerSide,
} from '../../src/registry.js';

const KEY = Symbol.for('threadfactory');
const holder = globalThis as { [KEY]?: unknown };
let before: unknown;

beforeEach(() => {
  before = holder[KEY];
  delete holder[KEY];
});

afterEach(() => {
  delete holder[KEY];
  // What a test made of this thread.
  setEnvironmentData('threadfactory', undefined);
  if (before !== undefined) Object.defineProperty(globalThis, KEY, { value: before, configurable: true });
});

describe('the registry', () => {
  test('numbers the factories of each module', () => {
    expect([nextOrdinal('a'), nextOrdinal('a'), nextOrdinal('b'), nextOrdinal('a')]).toEqual([0, 1, 0, 2]);
    expect(['a', 'b', 'c'].map(constructions)).toEqual([3, 1, 0]);
  });

  test('makes a process a worker once it is told', () => {
    const side = { constructed() {}, started() {} };
    expect([isWorker(), workerSide()]).toEqual([false, undefined]);
    becomeWorker(side);
    expect([isWorker(), workerSide()]).toEqual([true, side]);
  });

  test('is one for all copies of a version, and keeps versions apart', () => {
    nextOrdinal('a');
    expect(loadedVersions()).toEqual([VERSION]);
    const { versions } = holder[KEY] as { versions: Map<string, unknown> };
    versions.set('9.9.9', { ordinals: new Map([['a', 5]]) });
    expect(loadedVersions()).toEqual([VERSION, '9.9.9']);
    expect(nextOrdinal('a')).toBe(1);
  });

  test('is not seen by who walks over the globals', () => {
    nextOrdinal('a');
    expect(Object.getOwnPropertyDescriptor(globalThis, KEY)).toMatchObject({ enumerable: false });
  });
});
