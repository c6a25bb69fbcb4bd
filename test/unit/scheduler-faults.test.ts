import { describe, expect, it } from 'vitest';
import { errorToWire } from '../../src/error-wire.js';
import { timeoutError } from '../../src/errors.js';
import { type FakeChild, indicesOf } from '../helpers/fake-worker.js';
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
    child.complete(undefined, { nanoseconds: 50e6 });
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
    manager.scheduler.pace.hold(true);
    manager.child(0).getReady().exit(KILLED);
    expect(manager.crashes).toEqual([]);
    manager.scheduler.pace.hold(false);
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
    const manager = new FakeManager(list(4), { batchSize: 1, crashRetries: 0, workers: 1 });
    const one = manager.child(0).getReady();
    one.complete();
    manager.clock.flush();
    one.say({ type: 'uncaught', error: errorToWire(new Error('late')), running: [1] });
    one.exit({ code: 1 });
    // Not another death: this one was given its suspect, and completes it.
    const two = manager.child(1).getReady();
    expect(indicesOf(two.lastBatch)).toEqual([1]);
    two.complete();
    manager.clock.flush();
    expect(indicesOf(two.lastBatch)).toEqual([2]);

    const both = new FakeManager(list(5), { batchSize: 1, crashRetries: 0, workers: 2 });
    const [left, right] = [both.child(0).getReady(), both.child(1).getReady()];
    for (const child of [left, right]) child.complete();
    both.clock.flush();
    left.say({ type: 'uncaught', error: errorToWire(new Error('late')), running: [2] });
    left.exit({ code: 1 });
    const fresh = both.child(2);
    fresh.exit({ code: 1 });
    both.child(3).exit({ code: 1 });
    both.child(4).exit({ code: 1 });
    right.complete();
    both.clock.flush();
    expect(right.told).toEqual(['begin', 'finish']);
    right.exit();
    both.child(5).getReady();
    expect(indicesOf(both.child(5).lastBatch)).toEqual([2]);
  });

  it('of an uncaught error beside which several jobs ran has one worker run them again, each alone', () => {
    const manager = new FakeManager(list(4), { batchSize: 1, concurrency: 4, crashRetries: 0 });
    const one = manager.child(0).getReady();
    expect(one.batches.map(indicesOf)).toEqual([[0], [1], [2], [3]]);
    one.say({ type: 'uncaught', error: errorToWire(new Error('stray')), running: [0, 1, 2, 3] });
    one.exit({ code: 1 });
    const two = manager.child(1).getReady();
    for (const index of list(4)) {
      expect(indicesOf(two.lastBatch)).toEqual([index]);
      two.complete();
      manager.clock.flush();
    }
    two.exit();
    expect([manager.children.length, manager.completed, manager.over]).toEqual([2, list(4), 1]);
  });

  it('of an uncaught error that one of several throws again charges that one, on a fresh worker', () => {
    const manager = new FakeManager(list(3), { batchSize: 1, concurrency: 3, crashRetries: 0 });
    const dies = (child: FakeChild, ...running: number[]): void => {
      child.say({ type: 'uncaught', error: errorToWire(new Error('mine')), running });
      child.exit({ code: 1 });
    };
    dies(manager.child(0).getReady(), 0, 1, 2);
    const two = manager.child(1).getReady();
    expect(indicesOf(two.lastBatch)).toEqual([0]);
    two.complete();
    manager.clock.flush();
    expect(indicesOf(two.lastBatch)).toEqual([1]);
    dies(two, 1);
    const three = manager.child(2).getReady();
    expect(indicesOf(three.lastBatch)).toEqual([2]);
    three.complete();
    manager.clock.flush();
    expect(three.told).toEqual(['begin', 'finish']);
    three.exit();
    dies(manager.child(3).getReady(), 1);
    expect([manager.completed, manager.failed.map(({ index }) => index)]).toEqual([[0, 2], [1]]);
  });

  it('while it was leaving is blamed on what it still ran: recycling is no excuse', () => {
    const manager = new FakeManager(list(3), { concurrency: 2, batchSize: 1, crashRetries: 0 });
    const child = manager.child(0).getReady();
    manager.scheduler.step();
    child.complete(child.batches[0], { full: true });
    expect(child.told).toEqual(['begin', 'finish']);
    child.exit(KILLED);
    expect([manager.exits, manager.crashes]).toEqual([[{ id: 1, reason: 'recycled' }], [[1]]]);
    expect(manager.failed).toMatchObject([{ index: 1, error: { code: 'ERR_WORKER_CRASH' } }]);
  });

  it('after a stop leaves its jobs unsettled', () => {
    const stopped = new FakeManager(list(2), { batchSize: 2 });
    stopped.child(0).getReady();
    stopped.stop();
    stopped.child(0).exit(KILLED);
    expect([stopped.settled, stopped.over]).toEqual([[], 1]);
  });
});

describe('a worker that has closed its channel', () => {
  it('is replaced at once, and no job that it would never get is blamed for its end', () => {
    const manager = new FakeManager(list(2), { crashRetries: 0, batchSize: 1 });
    const child = manager.child(0).getReady();
    child.disconnect();
    child.complete();
    manager.clock.flush();
    expect([child.batches.length, manager.children.length]).toEqual([1, 2]);
    child.exit({ code: 1 });
    const next = manager.child(1).getReady().complete();
    manager.clock.flush();
    next.exit();
    expect([manager.completed, manager.failed, manager.over]).toEqual([[0, 1], [], 1]);
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
    // The replacement loads while the old process still lives; its number waits for that to go.
    manager.child(1).say({ type: 'loaded', took: 0 });
    expect(manager.child(1).told).toEqual([]);
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

  it('of one job leaves its neighbours uncharged; who ran before it in the batch has settled', () => {
    const manager = new FakeManager(list(5), { batchSize: 5, timeout: LIMIT });
    const child = manager.child(0).getReady();
    child.say({ type: 'started', batch: 0, position: 0 });
    child.complete(undefined, { count: 2 });
    manager.clock.advance(ALLOWED);
    child.exit({ signal: 'SIGTERM' });
    expect([manager.completed, manager.failed]).toEqual([[0, 1], []]);
    const next = manager.child(1).getReady();
    expect([indicesOf(next.lastBatch), next.lastBatch.attempts]).toEqual([[2], undefined]);
    next.say({ type: 'started', batch: next.lastBatch.batch, position: 0 });
    manager.clock.advance(ALLOWED);
    next.exit({ signal: 'SIGTERM' });
    expect(manager.failed).toMatchObject([{ index: 2, attempts: 1, error: { code: 'ERR_JOB_TIMEOUT' } }]);
    const last = manager.child(2).getReady();
    for (let at = 0; at < last.batches.length; at += 1) {
      last.complete(last.batches[at]);
      manager.clock.flush();
    }
    expect(manager.completed).toEqual([0, 1, 3, 4]);
  });

  it('is charged to `retries`, and run again', () => {
    const manager = new FakeManager(['x'], {
      timeout: LIMIT,
      retries: { limit: 1, delay: () => 10, when: () => true },
    });
    const hang = (number: number): void => {
      const child = manager.child(number).getReady();
      child.say({ type: 'started', batch: child.lastBatch.batch, position: 0 });
      manager.clock.advance(ALLOWED);
      child.exit({ signal: 'SIGTERM' });
    };
    hang(0);
    expect(manager.retries).toMatchObject([
      { index: 0, attempt: 1, delay: 10, error: { code: 'ERR_JOB_TIMEOUT' } },
    ]);
    manager.clock.advance(10);
    hang(1);
    expect(manager.failed).toMatchObject([{ index: 0, attempts: 2 }]);
    manager.clock.flush();
    expect([manager.over, manager.clock.pending]).toEqual([1, 0]);
  });

  it('and a report that comes after the kill are one ending: what the worker says of each', () => {
    const manager = new FakeManager(['quick', 'late', 'next'], { timeout: LIMIT, batchSize: 3 });
    const child = manager.child(0).getReady();
    // What was begun within the next few milliseconds is not announced.
    child.say({ type: 'started', batch: 0, position: 0 });
    manager.clock.advance(ALLOWED);
    const failed = [{ position: 1, kind: 'timeout' as const, error: errorToWire(timeoutError(LIMIT)) }];
    child.complete(child.lastBatch, { count: 2, failed });
    child.exit({ signal: 'SIGTERM' });
    expect(manager.completed).toEqual([0]);
    expect(manager.failed).toMatchObject([{ index: 1, error: { code: 'ERR_JOB_TIMEOUT' } }]);
    manager.child(1).getReady().complete();
    expect(manager.completed).toEqual([0, 2]);
  });

  it('and a result in the same turn are one ending: the result', () => {
    const manager = new FakeManager(['x'], { timeout: LIMIT });
    const child = manager.child(0).getReady();
    manager.clock.after(ALLOWED, () => child.complete());
    child.say({ type: 'started', batch: 0, position: 0 });
    manager.clock.advance(ALLOWED);
    expect([manager.completed, child.signals]).toEqual([[0], []]);
  });

  it.each(['stopped', 'recycled'] as const)('ends a job whose worker was %s meanwhile', (how) => {
    const manager = new FakeManager(list(2), { timeout: LIMIT, concurrency: 2, batchSize: 1 });
    const child = manager.child(0).getReady();
    manager.scheduler.step();
    for (const { batch } of child.batches) child.say({ type: 'started', batch, position: 0 });
    if (how === 'stopped') manager.stop();
    child.complete(child.batches[0], { full: how === 'recycled' });
    expect(child.told).toEqual(['begin', 'finish']);
    manager.clock.advance(ALLOWED);
    child.exit({ signal: 'SIGTERM' });
    expect(manager.exits).toEqual([{ id: 1, reason: how }]);
    expect(manager.failed).toMatchObject([{ index: 1, error: { code: 'ERR_JOB_TIMEOUT' } }]);
    manager.clock.flush();
    for (const other of manager.living) other.exit();
    expect([manager.over, manager.clock.pending]).toEqual([1, 0]);
  });
});

describe('recycling', () => {
  it('after so many jobs: the worker finishes, its replacement waits for its number', () => {
    const manager = new FakeManager(list(5), { maxJobsPerWorker: 2 });
    const child = manager.child(0).getReady().complete();
    manager.clock.flush();
    expect(child.batches.map(indicesOf)).toEqual([[0], [1]]);
    child.complete();
    manager.clock.flush();
    expect(child.told).toEqual(['begin', 'finish']);
    const next = manager.child(1);
    next.getReady();
    expect([next.name, next.batches.length]).toEqual([undefined, 0]);
    child.exit();
    next.say({ type: 'ready', finishes: false });
    expect([next.name, next.batches.map(indicesOf)]).toEqual([1, [[2]]]);
    expect(manager.exits).toEqual([{ id: 1, reason: 'recycled' }]);
  });

  it('counts no jobs that a worker gave back', () => {
    const manager = new FakeManager(list(6), { maxJobsPerWorker: 4, batchSize: 4 });
    const child = manager.child(0).getReady().complete(undefined, { count: 1, returned: 3 });
    manager.clock.flush();
    expect([child.told, child.batches.map(indicesOf)]).toEqual([
      ['begin'],
      [
        [0, 1, 2, 3],
        [1, 2, 3],
      ],
    ]);
    child.complete();
    manager.clock.flush();
    expect(child.told).toEqual(['begin', 'finish']);
  });

  it('over its memory: what it did not begin goes to the replacement', () => {
    const manager = new FakeManager(list(10), { batchSize: 10 });
    const child = manager.child(0).getReady().complete(undefined, { count: 3, returned: 7, full: true });
    expect(child.told).toEqual(['begin', 'finish']);
    manager.clock.flush();
    child.exit();
    const next = manager.child(1).getReady();
    expect(indicesOf(next.lastBatch)).toEqual([3, 4, 5, 6, 7, 8, 9]);
    next.complete();
    manager.clock.flush();
    expect([manager.completed, next.told]).toEqual([list(10), ['begin', 'finish']]);
  });

  it('does not happen when nothing is left to do', () => {
    const manager = new FakeManager(list(1), { maxJobsPerWorker: 1 });
    const child = manager.child(0).getReady().complete();
    manager.clock.flush();
    child.exit();
    expect([manager.children.length, manager.over]).toEqual([1, 1]);
  });
});

describe('a run in which no worker can start', () => {
  it('fails with the first reason, and lets nobody wait for it', () => {
    const manager = new FakeManager(list(10), { workers: 2 });
    for (const number of [0, 1, 2, 3]) {
      const child = manager.children[number];
      child?.say({ type: 'fatal', phase: 'startup', error: errorToWire(new Error('no db')) });
      child?.exit({ code: 1 });
    }
    expect(manager.errors).toMatchObject([{ code: 'ERR_WORKER_START', cause: { message: 'no db' } }]);
    manager.clock.flush();
    expect([manager.over, manager.settled, manager.clock.pending]).toEqual([1, [], 0]);
  });

  it('goes on with the workers that live', () => {
    const manager = new FakeManager(list(3), { workers: 2, batchSize: 1 });
    const child = manager.child(0).getReady();
    for (const number of [1, 2, 3]) manager.child(number).exit({ code: 1 });
    for (let at = 0; at < 3; at += 1) {
      child.complete();
      manager.clock.flush();
    }
    child.exit();
    expect([manager.completed, manager.errors, manager.over]).toEqual([[0, 1, 2], [], 1]);
  });
});

describe('an abort', () => {
  it.each(['throws', 'dies'])('leaves a job unsettled that %s of it, though it was stopped before', (how) => {
    const manager = new FakeManager(list(1), { crashRetries: 0 });
    const child = manager.child(0).getReady();
    manager.stop();
    manager.scheduler.halt('aborted');
    if (how === 'throws') child.fail(new Error('told to'));
    child.exit({ signal: 'SIGKILL' });
    expect([manager.settled, manager.crashes, manager.over]).toEqual([[], [], 1]);
  });
});

describe('results and an abort in the same turn', () => {
  it.each(['before', 'after'])('are one ending at most: the result came %s it', (when) => {
    const manager = new FakeManager(list(1));
    const child = manager.child(0).getReady();
    if (when === 'before') child.complete();
    manager.scheduler.halt('aborted');
    if (when === 'after') child.complete();
    child.complete();
    child.exit();
    expect([manager.completed, manager.over]).toEqual([[0], 1]);
  });
});
