import { describe, expect, it } from 'vitest';
import { errorToWire } from '../../src/error-wire.js';
import { indicesOf } from '../helpers/fake-worker.js';
import { FakeManager } from '../helpers/manager.js';

const list = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const KILLED = { signal: 'SIGKILL' } as const;

describe('a worker that dies', () => {
  it('is replaced at once; what it may have been running runs again alone and uncharged, one at a time', () => {
    const manager = new FakeManager(list(6), { batchSize: 3, workers: 1 });
    manager.child(0).getReady().complete(undefined, { count: 1 }).exit(KILLED);
    expect(manager.crashes).toEqual([[1, 2]]);
    expect(manager.children).toHaveLength(2);
    const child = manager.child(1).getReady();
    for (const expected of [[1], [2], [3, 4, 5]]) {
      expect(indicesOf(child.lastBatch)).toEqual(expected);
      expect(child.lastBatch.attempts).toBeUndefined();
      child.complete();
      manager.clock.flush();
    }
    expect(manager.retries).toEqual([]);
    expect(manager.settled).toMatchObject(list(6).map((index) => ({ index, attempt: 1 })));
  });

  it('leaves no job of the batch that waited behind a suspect', () => {
    const manager = new FakeManager(list(9), { batchSize: 3 });
    const child = manager.child(0).getReady();
    child.complete(undefined, { durations: 50 });
    manager.clock.flush();
    expect(child.batches.map(indicesOf)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7, 8],
    ]);
    child.exit(KILLED);
    expect(manager.crashes).toEqual([[3, 4, 5]]);
    const next = manager.child(1).getReady();
    for (const expected of [[3], [4], [5], [6, 7, 8]]) {
      expect(indicesOf(next.lastBatch)).toEqual(expected);
      next.complete();
      manager.clock.flush();
    }
    expect(manager.completed).toEqual(list(9));
  });

  it('charges the one job that was alone with it, which fails at the charge after crashRetries', () => {
    const manager = new FakeManager(['poison'], { crashRetries: 2 });
    for (let death = 0; death < 3; death += 1) {
      const child = manager.child(death).getReady();
      expect(child.lastBatch.attempts).toEqual(death === 0 ? undefined : [1 + death]);
      child.exit({ code: 3 });
    }
    expect(manager.retries).toMatchObject([
      { index: 0, id: 1, attempt: 1, delay: 0, error: { code: 'ERR_WORKER_CRASH' } },
      { index: 0, attempt: 2, delay: 0 },
    ]);
    expect(manager.failed).toMatchObject([
      { index: 0, job: 'poison', attempts: 3, error: { exitCode: 3, pid: 1002, signal: null } },
    ]);
    manager.clock.flush();
    expect(manager.over).toBe(1);
    expect(manager.children).toHaveLength(3);
  });

  it('holding one job that others had to run apart from first charges it the second time', () => {
    const manager = new FakeManager(list(3), { batchSize: 3, crashRetries: 0 });
    manager.child(0).getReady().exit(KILLED);
    const second = manager.child(1).getReady().complete();
    manager.clock.flush();
    second.exit(KILLED);
    expect(manager.failed.map(({ index }) => index)).toEqual([1]);
    manager.child(2).getReady().complete();
    manager.clock.flush();
    expect(manager.completed).toEqual([0, 2]);
  });

  it('without a job loses none', () => {
    const manager = new FakeManager(list(1), { workers: 1 });
    manager.scheduler.hold(true);
    manager.child(0).getReady().exit(KILLED);
    expect(manager.crashes).toEqual([[]].slice(1));
    manager.scheduler.hold(false);
    manager.clock.flush();
    manager.child(1).getReady().complete();
    expect(manager.completed).toEqual([0]);
  });

  it('of an uncaught error that an earlier job may have thrown suspects the job that runs, on a fresh worker', () => {
    const manager = new FakeManager(list(2), { batchSize: 1, crashRetries: 0, workers: 2 });
    const [one, two] = [manager.child(0).getReady(), manager.child(1)];
    one.complete();
    manager.clock.flush();
    expect(indicesOf(one.lastBatch)).toEqual([1]);
    one.say({ type: 'uncaught', error: errorToWire(new Error('late')), running: [1] });
    one.exit({ code: 1 });
    expect(manager.failed).toEqual([]);
    two.getReady();
    expect(indicesOf(two.lastBatch)).toEqual([1]);
    two.say({ type: 'uncaught', error: errorToWire(new Error('mine')), running: [1] });
    two.exit({ code: 1 });
    expect(manager.failed).toMatchObject([{ index: 1, error: { cause: { message: 'mine' } } }]);
  });

  it('where only used workers live, one of them is recycled to make room for a fresh one', () => {
    const manager = new FakeManager(list(4), { batchSize: 1, crashRetries: 0, workers: 2 });
    const [one, two] = [manager.child(0).getReady(), manager.child(1).getReady()];
    one.complete();
    manager.clock.flush();
    expect(indicesOf(one.lastBatch)).toEqual([2]);
    one.say({ type: 'uncaught', error: errorToWire(new Error('late')), running: [2] });
    one.exit({ code: 1 });
    const third = manager.child(2);
    third.exit({ code: 1 });
    manager.child(3).getReady();
    expect(indicesOf(manager.child(3).lastBatch)).toEqual([2]);
    manager.child(3).complete();
    two.complete();
    manager.clock.flush();
    expect(manager.completed.sort()).toEqual([0, 1, 2]);
  });

  it('after a stop leaves its jobs unsettled, but fails one that may not run again', () => {
    const stopped = new FakeManager(list(2), { batchSize: 2 });
    stopped.child(0).getReady();
    stopped.stop();
    stopped.child(0).exit(KILLED);
    expect([stopped.settled, stopped.over]).toEqual([[], 1]);
  });
});

describe('retries', () => {
  const again = (delay: number, limit = 1) => ({
    retries: { limit, delay: () => delay, when: () => true },
  });

  it('run a job again after its delay, and no worker waits for it', () => {
    const manager = new FakeManager(list(3), { batchSize: 1, ...again(100) });
    const child = manager.child(0).getReady();
    child.fail(new Error('once'));
    expect(manager.retries).toMatchObject([{ index: 0, attempt: 1, delay: 100, error: { message: 'once' } }]);
    for (const index of [1, 2]) {
      manager.clock.flush();
      expect(indicesOf(child.lastBatch)).toEqual([index]);
      child.complete();
    }
    manager.clock.advance(99);
    expect(child.batches).toHaveLength(3);
    expect(child.told).toEqual(['begin']);
    manager.clock.advance(1);
    expect(indicesOf(child.lastBatch)).toEqual([0]);
    expect(child.lastBatch.attempts).toEqual([2]);
    child.complete();
    manager.clock.flush();
    expect(manager.settled.at(-1)).toMatchObject({ index: 0, attempt: 2 });
    expect(child.told).toEqual(['begin', 'finish']);
  });

  it('end with the limit, and never come for what another try would not change', () => {
    const manager = new FakeManager(list(2), { batchSize: 1, ...again(0) });
    const child = manager.child(0).getReady();
    child.fail(new Error('one'));
    manager.clock.flush();
    child.fail(new Error('two'));
    manager.clock.flush();
    const error = errorToWire(new Error('refused'));
    child.complete(undefined, { values: 1, failed: [{ position: 0, kind: 'refused', error }] });
    manager.clock.flush();
    expect(manager.failed).toMatchObject([
      { index: 0, attempts: 2, error: { message: 'two' } },
      { index: 1, attempts: 1, error: { message: 'refused' } },
    ]);
  });

  it('have a budget apart from that of crashes; the attempt counts both', () => {
    const manager = new FakeManager(['x'], { ...again(0), crashRetries: 1 });
    manager.child(0).getReady().fail(new Error('one'));
    manager.clock.flush();
    manager.child(0).exit(KILLED);
    const child = manager.child(1).getReady();
    expect(child.lastBatch.attempts).toEqual([3]);
    child.fail(new Error('two'));
    expect(manager.failed).toMatchObject([{ attempts: 3, error: { message: 'two' } }]);
    expect(manager.retries.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it('far in the future take no timer that a computer can not hold', () => {
    const manager = new FakeManager(['x'], again(2 ** 40));
    manager.child(0).getReady().fail(new Error('once'));
    manager.clock.flush();
    expect(manager.clock.untilNext).toBe(2 ** 31 - 1);
    manager.clock.advance(2 ** 31);
    expect(manager.clock.untilNext).toBe(2 ** 31 - 2);
    manager.stop();
    manager.child(0).exit();
    expect(manager.clock.pending).toBe(0);
  });

  it('that wait are dropped by a stop', () => {
    const manager = new FakeManager(['x'], again(100));
    const child = manager.child(0).getReady().fail(new Error('once'));
    manager.clock.flush();
    manager.stop();
    manager.clock.flush();
    child.exit();
    expect([manager.over, manager.settled, manager.clock.pending]).toEqual([1, [], 0]);
  });
});

describe('timeout', () => {
  const LIMIT = 1000;
  /** What the child has to end by itself, and a message to arrive. */
  const ALLOWED = LIMIT + 1000 + 250;

  it('runs from the start of the attempt; the culprit is charged and a replacement is forked at once', () => {
    const manager = new FakeManager(list(2), { batchSize: 1, timeout: LIMIT });
    const child = manager.child(0);
    manager.clock.advance(20_000);
    child.getReady();
    manager.clock.advance(5000);
    expect(child.signals).toEqual([]);
    child.say({ type: 'started', batch: 0, position: 0 });
    manager.clock.advance(ALLOWED - 1);
    expect(child.signals).toEqual([]);
    manager.clock.advance(1);
    expect(child.signals).toEqual(['SIGTERM']);
    manager.clock.advance(500);
    expect(child.signals).toEqual(['SIGTERM', 'SIGKILL']);
    child.exit(KILLED);
    expect(manager.failed).toMatchObject([
      { index: 0, attempts: 1, duration: LIMIT, error: { code: 'ERR_JOB_TIMEOUT' } },
    ]);
    expect(manager.exits).toEqual([{ id: 1, reason: 'timeout' }]);
    manager.child(1).getReady().complete();
    expect(manager.completed).toEqual([1]);
  });
});
