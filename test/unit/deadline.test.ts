import { describe, expect, it } from 'vitest';
import { Batch } from '../../src/manager/batch.js';
import type { AttemptAt, DeadlineLimits } from '../../src/manager/deadline.js';
import { Deadline } from '../../src/manager/deadline.js';
import { FakeClock } from '../helpers/fake-clock.js';

/** What a job of 1000 ms has: the second to end by itself, and a quarter for a message to arrive. */
const ALLOWED = 1000 + 1000 + 250;

/** A worker's batches, and each time it was said that some of their attempts are over their time. */
function watch(limits: Partial<DeadlineLimits> = {}) {
  const clock = new FakeClock();
  const heard: (readonly AttemptAt[])[] = [];
  let batches: Batch[] = [];
  const deadline = new Deadline(
    { timeout: 1000, startupTimeout: 5000, concurrency: 1, ...limits },
    clock,
    () => batches,
    (overdue) => heard.push(overdue),
  );
  const give = (...jobs: unknown[]): Batch => {
    const batch = new Batch(batches.length, { first: 0, jobs });
    batches = [...batches, batch];
    deadline.expectStart();
    return batch;
  };
  /** The next `count` of its jobs have ended. */
  const report = (batch: Batch, count: number): void => {
    const from = batch.next;
    batch.reportNext(from, count);
    if (batch.pending === 0) batches = batches.filter((other) => other !== batch);
    deadline.covered(batch, { from, count });
  };
  /** It is not exceeded a millisecond before, and then by these. */
  const exceededAfter = (ms: number, overdue: readonly AttemptAt[]): void => {
    clock.advance(ms - 1);
    expect(heard).toEqual([]);
    clock.advance(1);
    expect(heard).toEqual([overdue]);
  };
  return { clock, heard, deadline, give, report, exceededAfter };
}

describe('the time of attempts', () => {
  it('is exceeded once, by those alone that are over it, whatever comes after', () => {
    const { clock, heard, deadline, give } = watch({ concurrency: 3 });
    const batch = give('a', 'b', 'c');
    deadline.started(batch, 0);
    clock.advance(200);
    deadline.started(batch, 1);
    clock.advance(ALLOWED - 200);
    expect(heard).toEqual([[{ batch, position: 0 }]]);
    deadline.started(batch, 2);
    expect(clock.pending).toBe(0);
    clock.advance(10_000);
    expect(heard).toHaveLength(1);
  });

  it('is nobody’s once the worker has gone, though it was about to be looked at', () => {
    const { clock, heard, deadline, give } = watch();
    clock.hold();
    give('a');
    clock.advance(5000 + ALLOWED);
    deadline.end();
    expect(clock.waiting).toBe(1);
    clock.release();
    expect(heard).toEqual([]);
  });

  it('leaves no timer behind when the worker goes', () => {
    const { clock, deadline, give } = watch();
    deadline.started(give('a'), 0);
    expect(clock.pending).toBe(1);
    deadline.end();
    expect(clock.pending).toBe(0);
  });

  it('is looked at when what has arrived by then was handled', () => {
    const { clock, heard, deadline, give, report } = watch();
    clock.hold();
    const batch = give('a');
    deadline.started(batch, 0);
    clock.advance(ALLOWED);
    report(batch, 1);
    expect(clock.waiting).toBe(1);
    clock.release();
    expect([heard, clock.pending]).toEqual([[], 0]);
  });

  it('is not looked at while the manager comes round from work of its own: more may have been sent than the channel holds', () => {
    const { clock, heard, deadline, give, report } = watch();
    const batch = give('a', 'b');
    deadline.started(batch, 0);
    clock.pass(10_000);
    clock.advance(0);
    clock.advance(200);
    report(batch, 2);
    clock.advance(10_000);
    expect([heard, clock.pending]).toEqual([[], 0]);
  });

  it('is looked at in the end, though the manager is always busy', () => {
    const { clock, heard, deadline, give } = watch();
    const batch = give('a');
    deadline.started(batch, 0);
    for (let turn = 0; turn < 20; turn += 1) {
      clock.pass(1000);
      clock.advance(0);
    }
    expect([heard, clock.pending]).toEqual([[[{ batch, position: 0 }]], 0]);
  });

  it('begins with word of it, however long that took', () => {
    const { clock, deadline, give, exceededAfter } = watch({ startupTimeout: 100 });
    const batch = give('a');
    clock.advance(1000);
    deadline.started(batch, 0);
    exceededAfter(ALLOWED, [{ batch, position: 0 }]);
  });

  it('of what ran before is over, with one job at a time, when the next one begins: its report may be on the way', () => {
    const { clock, deadline, give, exceededAfter } = watch();
    const [one, two] = [give('a'), give('b')];
    deadline.started(one, 0);
    clock.advance(2000);
    deadline.started(two, 0);
    exceededAfter(ALLOWED, [{ batch: two, position: 0 }]);
  });
});

describe('a worker that says nothing of the job whose turn it is', () => {
  it('is not given longer by more jobs', () => {
    const { clock, give, exceededAfter } = watch();
    give('a');
    clock.advance(4000);
    give('b');
    exceededAfter(1000 + ALLOWED, []);
  });

  it('has its time from the report of the batch before', () => {
    const { clock, deadline, give, report, exceededAfter } = watch();
    const one = give('a');
    give('b');
    deadline.started(one, 0);
    clock.advance(1000);
    report(one, 1);
    exceededAfter(5000 + ALLOWED, []);
  });

  it('owes nothing while it holds nothing', () => {
    const { clock, heard, deadline, give, report } = watch();
    const batch = give('a');
    deadline.started(batch, 0);
    report(batch, 1);
    clock.advance(100_000);
    expect([heard, clock.pending]).toEqual([[], 0]);
  });
});
