import { describe, expect, it } from 'vitest';
import { Batch } from '../../src/manager/batch.js';
import type { AttemptAt, OvertimeLimits } from '../../src/manager/overtime.js';
import { Overtime } from '../../src/manager/overtime.js';
import { FakeClock } from '../helpers/fake-clock.js';

/** What a job of 1000 ms has: the second to end by itself, and a quarter for a message to arrive. */
const ALLOWED = 1000 + 1000 + 250;

/** A worker's batches, and each time it was said that some of their attempts are over their time. */
function watch(limits: Partial<OvertimeLimits> = {}) {
  const clock = new FakeClock();
  const heard: (readonly AttemptAt[])[] = [];
  let batches: Batch[] = [];
  const overtime = new Overtime(
    { timeout: 1000, startupTimeout: 5000, concurrency: 1, ...limits },
    clock,
    () => batches,
    (overdue) => heard.push(overdue),
  );
  const give = (...jobs: unknown[]): Batch => {
    const batch = new Batch(batches.length, { first: 0, jobs });
    batches = [...batches, batch];
    overtime.expectStart();
    return batch;
  };
  /** The next `count` of its jobs have ended. */
  const report = (batch: Batch, count: number): void => {
    const from = batch.next;
    batch.reportNext(from, count);
    if (batch.pending === 0) batches = batches.filter((other) => other !== batch);
    overtime.covered(batch, { from, count });
  };
  return { clock, heard, overtime, give, report };
}

describe('the time of attempts', () => {
  it('is exceeded once, by those alone that are over it, whatever comes after', () => {
    const { clock, heard, overtime, give } = watch({ concurrency: 3 });
    const batch = give('a', 'b', 'c');
    overtime.started(batch, 0);
    clock.advance(200);
    overtime.started(batch, 1);
    clock.advance(ALLOWED - 200);
    expect(heard).toEqual([[{ batch, position: 0 }]]);
    overtime.started(batch, 2);
    expect(clock.pending).toBe(0);
    clock.advance(10_000);
    expect(heard).toHaveLength(1);
  });

  it('is nobody’s once the worker has gone, though it was about to be looked at', () => {
    const { clock, heard, overtime, give } = watch();
    const soon: (() => void)[] = [];
    clock.soon = (callback) => void soon.push(callback);
    give('a');
    clock.advance(5000 + ALLOWED);
    overtime.end();
    expect(soon).toHaveLength(1);
    for (const callback of soon) callback();
    expect(heard).toEqual([]);
  });

  it('leaves no timer behind when the worker goes', () => {
    const { clock, overtime, give } = watch();
    overtime.started(give('a'), 0);
    expect(clock.pending).toBe(1);
    overtime.end();
    expect(clock.pending).toBe(0);
  });

  it('is looked at when what has arrived by then was handled', () => {
    const { clock, heard, overtime, give, report } = watch();
    const soon: (() => void)[] = [];
    clock.soon = (callback) => void soon.push(callback);
    const batch = give('a');
    overtime.started(batch, 0);
    clock.advance(ALLOWED);
    report(batch, 1);
    expect(soon).toHaveLength(1);
    for (const callback of soon) callback();
    expect([heard, clock.pending]).toEqual([[], 0]);
  });

  it('begins with word of it, however long that took', () => {
    const { clock, heard, overtime, give } = watch({ startupTimeout: 100 });
    const batch = give('a');
    clock.advance(1000);
    overtime.started(batch, 0);
    clock.advance(ALLOWED - 1);
    expect(heard).toEqual([]);
    clock.advance(1);
    expect(heard).toEqual([[{ batch, position: 0 }]]);
  });

  it('of what ran before is over, with one job at a time, when the next one begins: its report may be on the way', () => {
    const { clock, heard, overtime, give } = watch();
    const [one, two] = [give('a'), give('b')];
    overtime.started(one, 0);
    clock.advance(2000);
    overtime.started(two, 0);
    clock.advance(ALLOWED - 1);
    expect(heard).toEqual([]);
    clock.advance(1);
    expect(heard).toEqual([[{ batch: two, position: 0 }]]);
  });
});

describe('a worker that says nothing of the job whose turn it is', () => {
  it('is not given longer by more jobs', () => {
    const { clock, heard, give } = watch();
    give('a');
    clock.advance(4000);
    give('b');
    clock.advance(1000 + ALLOWED - 1);
    expect(heard).toEqual([]);
    clock.advance(1);
    expect(heard).toEqual([[]]);
  });

  it('has its time from the report of the batch before', () => {
    const { clock, heard, overtime, give, report } = watch();
    const one = give('a');
    give('b');
    overtime.started(one, 0);
    clock.advance(1000);
    report(one, 1);
    clock.advance(5000 + ALLOWED - 1);
    expect(heard).toEqual([]);
    clock.advance(1);
    expect(heard).toEqual([[]]);
  });

  it('owes nothing while it holds nothing', () => {
    const { clock, heard, overtime, give, report } = watch();
    const batch = give('a');
    overtime.started(batch, 0);
    report(batch, 1);
    clock.advance(100_000);
    expect([heard, clock.pending]).toEqual([[], 0]);
  });
});
