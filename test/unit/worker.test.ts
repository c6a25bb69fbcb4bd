import { describe, expect, it } from 'vitest';
import { errorToWire } from '../../src/error-wire.js';
import { Batch } from '../../src/manager/batch.js';
import type { WorkerLimits } from '../../src/manager/worker.js';
import { Worker } from '../../src/manager/worker.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { encode, FakeChild } from '../helpers/fake-worker.js';

const LIMITS: WorkerLimits = {
  startupTimeout: 30_000,
  shutdownTimeout: 5000,
  timeout: undefined,
  concurrency: 1,
};

/** One worker with its fake child, and all it told its pool, in order. */
function start(limits: Partial<WorkerLimits> = {}) {
  const clock = new FakeClock();
  const heard: string[] = [];
  const children: FakeChild[] = [];
  const worker = new Worker(
    (events) => {
      const child = new FakeChild(events, 77);
      children.push(child);
      return child;
    },
    { ...LIMITS, ...limits },
    clock,
    {
      loaded: () => heard.push('loaded'),
      ready: () => heard.push('ready'),
      results: (_, batch, { from, count }) => {
        heard.push(`results ${batch.seq}`);
        for (let at = 0; at < count; at += 1) batch.report(from + at);
      },
      progress: (_, index) => heard.push(`progress ${index}`),
      exited: () => heard.push('exited'),
      lost: () => heard.push('lost'),
    },
  );
  const [child] = children;
  if (child === undefined) throw new Error('It forked nothing');
  let seq = 0;
  const give = (...jobs: unknown[]): Batch => {
    const batch = new Batch(seq, { first: 0, jobs });
    worker.give(batch, { batch: seq, first: 0, jobs: encode(jobs), count: jobs.length, budget: 50 }, false);
    seq += 1;
    return batch;
  };
  return { worker, child, clock, heard, give };
}

/** The same, numbered and ready. */
function ready(limits: Partial<WorkerLimits> = {}) {
  const started = start(limits);
  started.worker.assign(1);
  started.child.getReady();
  return started;
}

describe('the start of a worker', () => {
  it('waits for its module, then for its number, then for workerStartup', () => {
    const { worker, child, heard } = start();
    expect(worker.state).toBe('starting');
    child.say({ type: 'loaded', took: 0 });
    expect([worker.state, child.told]).toEqual(['waiting', []]);
    worker.assign(3);
    expect([worker.state, child.told, child.name]).toEqual(['beginning', ['begin'], 3]);
    child.say({ type: 'ready', finishes: false });
    expect([worker.state, heard]).toEqual(['ready', ['loaded', 'ready']]);
  });

  it('begins at once with a number it had before it was loaded', () => {
    const { worker, child } = start();
    worker.assign(1);
    expect(child.told).toEqual([]);
    child.say({ type: 'loaded', took: 0 });
    expect([worker.state, child.told]).toEqual(['beginning', ['begin']]);
  });

  it('is not ready any more where that comes after it was killed for its delay', () => {
    const { worker, child, clock, heard } = start({ startupTimeout: 1000, beginsAtOnce: true });
    worker.assign(1);
    clock.advance(1000);
    child.say({ type: 'loaded', took: 1000 });
    child.say({ type: 'ready', finishes: false });
    child.exit({ signal: 'SIGKILL' });
    expect([worker.wasReady, worker.reason, heard]).toEqual([false, 'startup', ['exited']]);
  });

  it('without functions that start or finish it is told its number while it loads, once', () => {
    const { worker, child, heard } = start({ beginsAtOnce: true });
    worker.assign(1);
    expect([worker.state, child.told]).toEqual(['starting', ['begin']]);
    child.say({ type: 'loaded', took: 0 });
    expect([worker.state, child.told]).toEqual(['beginning', ['begin']]);
    child.say({ type: 'ready', finishes: false });
    expect([worker.state, heard]).toEqual(['ready', ['loaded', 'ready']]);
  });

  it('without such functions it is killed where it was to go before it had loaded', () => {
    const { worker, child } = start({ beginsAtOnce: true });
    worker.assign(1);
    worker.finish('finished');
    expect([child.told, child.signals]).toEqual([['begin'], ['SIGTERM']]);
  });

  it('without such functions, but without a number, it waits for that', () => {
    const { worker, child } = start({ beginsAtOnce: true });
    child.say({ type: 'loaded', took: 0 });
    expect([worker.state, child.told]).toEqual(['waiting', []]);
    worker.assign(2);
    expect([worker.state, child.told]).toEqual(['beginning', ['begin']]);
  });

  it('ends what is not ready within startupTimeout: SIGTERM, then SIGKILL', () => {
    const { worker, child, clock } = start({ startupTimeout: 1000 });
    clock.advance(999);
    expect(child.signals).toEqual([]);
    clock.advance(1);
    expect([child.signals, worker.state, worker.wasLate]).toEqual([['SIGTERM'], 'stopping', true]);
    clock.advance(500);
    expect(child.signals).toEqual(['SIGTERM', 'SIGKILL']);
    child.exit({ signal: 'SIGKILL' });
    expect([worker.state, worker.reason, clock.pending]).toEqual(['exited', 'startup', 0]);
  });

  it('does not count the time it waits for its number', () => {
    const { worker, child, clock } = start({ startupTimeout: 1000 });
    clock.advance(600);
    child.say({ type: 'loaded', took: 600 });
    clock.advance(100_000);
    worker.assign(1);
    clock.advance(399);
    expect(child.signals).toEqual([]);
    clock.advance(1);
    expect(child.signals).toEqual(['SIGTERM']);
  });

  it('has its own time, not that of a manager that was busy meanwhile', () => {
    const { worker, child, clock } = start({ startupTimeout: 1000 });
    worker.assign(1);
    clock.hold();
    // Its timer is looked at before the message that has waited with it.
    clock.pass(60_000);
    clock.advance(0);
    child.say({ type: 'loaded', took: 300 });
    clock.release();
    expect([worker.state, child.signals]).toEqual(['beginning', []]);
    clock.advance(699);
    expect(clock.waiting).toBe(0);
    clock.advance(1);
    clock.release();
    expect(child.signals).toEqual(['SIGTERM']);
  });

  it('that failed is helped on the way out, and keeps the first word about it', () => {
    const { worker, child } = start();
    worker.assign(1);
    child.say({ type: 'loaded', took: 0 });
    child.say({ type: 'fatal', phase: 'startup', error: errorToWire(new Error('no db')) });
    child.say({ type: 'fatal', phase: 'load', error: errorToWire(new Error('second')) });
    expect(child.signals).toContain('SIGTERM');
    child.exit({ code: 1 });
    expect([worker.reason, worker.fatal?.phase]).toEqual(['startup', 'startup']);
  });

  it('is over for a process that leaves before it is ready, whatever it says afterwards', () => {
    const { worker, child, heard, clock } = start();
    child.exit({ code: 1 });
    expect([worker.reason, heard, clock.pending]).toEqual(['startup', ['exited'], 0]);
  });

  it('takes "loaded" and "ready" once, and only in their turn', () => {
    const { worker, child, heard } = ready();
    child.say({ type: 'loaded', took: 0 });
    child.say({ type: 'ready', finishes: false });
    expect([worker.state, heard]).toEqual(['ready', ['loaded', 'ready']]);
    const early = start();
    early.child.say({ type: 'ready', finishes: false });
    expect([early.worker.state, early.heard]).toEqual(['starting', []]);
  });
});

describe('a worker that is ready', () => {
  it('holds a batch until all of it was reported', () => {
    const { worker, child, heard, give } = ready();
    give('a', 'b');
    expect([worker.held, worker.given, worker.lastSize]).toEqual([2, 2, 2]);
    child.complete(undefined, { count: 1 });
    expect([worker.held, worker.batches.length]).toEqual([1, 1]);
    child.complete(undefined, { from: 1 });
    expect([worker.held, worker.batches.length]).toEqual([0, 0]);
    child.complete();
    expect(heard.filter((word) => word.startsWith('results'))).toEqual(['results 0', 'results 0']);
  });

  it('passes progress on', () => {
    const { child, heard } = ready();
    child.say({ type: 'progress', index: 4, data: encode([1]) });
    expect(heard.at(-1)).toBe('progress 4');
  });

  it('and exits by itself has crashed', () => {
    const { worker, child, clock, give } = ready();
    const batch = give('a');
    child.lastWords = 'oh no';
    child.exit({ code: 7 });
    expect([worker.reason, worker.exit?.code, worker.stderr(), worker.pid]).toEqual([
      'crashed',
      7,
      'oh no',
      77,
    ]);
    expect([batch.pending, clock.pending]).toEqual([1, 0]);
  });

  it('and has closed its channel takes no more jobs and is killed, since nothing more will come', () => {
    const { worker, child, clock, heard } = ready();
    child.disconnect();
    expect([worker.state, worker.living, heard.at(-1)]).toEqual(['stopping', false, 'lost']);
    clock.advance(100);
    // It has exited as well.
    child.disconnect();
    clock.advance(399);
    expect(child.signals).toEqual([]);
    clock.advance(1);
    expect(child.signals).toEqual(['SIGKILL']);
    child.exit({ signal: 'SIGKILL' });
    child.disconnect();
    expect([worker.reason, worker.killedFor, clock.pending]).toEqual(['crashed', 'disconnect', 0]);
  });

  it('by the time it has gone has not started', () => {
    const { worker, child, heard } = start();
    worker.assign(1);
    child.say({ type: 'loaded', took: 0 });
    child.disconnect();
    child.say({ type: 'ready', finishes: false });
    child.exit({ code: 1 });
    expect([worker.wasReady, worker.reason, heard]).toEqual([false, 'startup', ['loaded', 'exited']]);
  });

  it('had closed its channel, but whose process had gone by itself before it was to be killed for that, was not', () => {
    const { worker, child, clock } = ready();
    child.disconnect();
    child.gone = true;
    clock.advance(500);
    expect([child.signals, worker.killedFor]).toEqual([[], undefined]);
  });

  it('and lives on though it closed its channel as it began is killed when it is told to finish', () => {
    const { worker, child, clock } = start();
    worker.assign(1);
    child.say({ type: 'loaded', took: 0 });
    child.disconnect();
    worker.finish('stopped');
    clock.advance(500);
    expect([child.told, child.signals]).toEqual([['begin'], ['SIGTERM', 'SIGKILL']]);
  });

  it('keeps the last uncaught error until a report shows that it survived it', () => {
    const { worker, child, give } = ready();
    give('a');
    child.say({ type: 'uncaught', error: errorToWire(new Error('late')), running: [0] });
    expect(worker.uncaught?.running).toEqual([0]);
    child.complete();
    expect(worker.uncaught).toBeUndefined();
  });
});

describe('the end of a worker', () => {
  it('politely: it finishes, with shutdownTimeout from when nothing runs any more', () => {
    const { worker, child, clock, give } = ready();
    give('a');
    worker.finish('stopped');
    expect([worker.state, worker.living, child.told]).toEqual(['stopping', false, ['begin', 'finish']]);
    clock.advance(100_000);
    expect(child.signals).toEqual([]);
    child.complete();
    clock.advance(4999);
    expect(child.signals).toEqual([]);
    clock.advance(1);
    expect(child.signals).toEqual(['SIGKILL']);
    child.exit({ signal: 'SIGKILL' });
    expect([worker.reason, worker.killedFor, clock.pending]).toEqual(['stopped', 'shutdownTimeout', 0]);
  });

  it('politely while it starts up: shutdownTimeout is from when it is ready', () => {
    const { worker, child, clock } = start();
    worker.assign(1);
    child.say({ type: 'loaded', took: 0 });
    worker.finish('stopped');
    clock.advance(20_000);
    child.say({ type: 'ready', finishes: false });
    clock.advance(4999);
    expect(child.signals).toEqual([]);
    clock.advance(1);
    expect([child.signals, worker.state]).toEqual([['SIGKILL'], 'stopping']);
  });

  it('has one reason, the first', () => {
    const { worker, child } = ready();
    worker.finish('recycled');
    worker.finish('stopped');
    worker.kill('timeout');
    expect(child.told).toEqual(['begin', 'finish']);
    expect(worker.reason).toBe('recycled');
  });

  it('before it began anything is a signal; while workerStartup runs it waits for that', () => {
    const early = start();
    early.worker.finish('finished');
    expect([early.child.told, early.child.signals]).toEqual([[], ['SIGTERM']]);

    const beginning = start({ startupTimeout: 1000, shutdownTimeout: 200 });
    beginning.worker.assign(1);
    beginning.child.say({ type: 'loaded', took: 0 });
    beginning.worker.finish('finished');
    expect([beginning.child.told, beginning.child.signals]).toEqual([['begin', 'finish'], []]);
    beginning.child.say({ type: 'ready', finishes: false });
    expect([beginning.worker.state, beginning.worker.wasReady]).toEqual(['stopping', true]);
    beginning.clock.advance(1200);
    expect([beginning.child.signals, beginning.worker.killedFor]).toEqual([['SIGKILL'], 'shutdownTimeout']);
  });

  it('at once: the signal of its jobs fires, and half a second later it is killed', () => {
    const { worker, child, clock } = ready();
    worker.abort();
    expect([child.told, child.signals]).toEqual([['begin', 'abort'], []]);
    clock.advance(500);
    expect(child.signals).toEqual(['SIGKILL']);
    child.exit({ signal: 'SIGKILL' });
    worker.abort();
    worker.kill('stopped');
    worker.finish('stopped');
    expect([worker.reason, worker.killedFor, child.told.length, clock.pending]).toEqual([
      'aborted',
      undefined,
      2,
      0,
    ]);
  });

  it('at once fires the signal of jobs that were to end in good order, but sends one that was killed no message', () => {
    const leaving = ready();
    leaving.give('a');
    leaving.worker.finish('stopped');
    leaving.worker.abort();
    expect([leaving.child.told.at(-1), leaving.child.signals]).toEqual(['abort', []]);
    leaving.clock.advance(500);
    leaving.child.exit({ signal: 'SIGKILL' });
    expect([leaving.child.signals, leaving.worker.reason, leaving.worker.fault]).toEqual([
      ['SIGKILL'],
      'stopped',
      undefined,
    ]);

    const killed = ready();
    killed.worker.kill('timeout');
    killed.worker.abort();
    expect([killed.child.told.at(-1), killed.child.signals]).toEqual(['begin', ['SIGTERM', 'SIGKILL']]);
  });

  it('at once kills what has begun no job, and destroying kills whatever it does', () => {
    const { worker, child } = start();
    worker.abort();
    worker.destroy();
    expect([child.told, child.signals]).toEqual([[], ['SIGKILL', 'SIGKILL']]);
  });
});

describe('the time of an attempt', () => {
  /** What a job of 1000 ms has: the second to end by itself, and a quarter for a message to arrive. */
  const ALLOWED = 1000 + 1000 + 250;
  const timed = { timeout: 1000 };

  it('begins when the child says so, and ends with SIGTERM, SIGKILL and the position that was late', () => {
    const { worker, child, clock, heard, give } = ready(timed);
    const batch = give('a', 'b');
    clock.advance(10_000);
    child.say({ type: 'started', batch: 0, position: 1 });
    clock.advance(ALLOWED - 1);
    expect(child.signals).toEqual([]);
    clock.advance(1);
    expect([child.signals, worker.state, heard.at(-1)]).toEqual([['SIGTERM'], 'stopping', 'lost']);
    expect(worker.overdue).toEqual([{ batch, position: 1 }]);
    clock.advance(500);
    child.exit({ signal: 'SIGKILL' });
    expect([worker.reason, child.signals, clock.pending]).toEqual(['timeout', ['SIGTERM', 'SIGKILL'], 0]);
  });

  it('of a job without word of its own begins with the report of the one before it', () => {
    const { worker, child, clock, give } = ready(timed);
    const batch = give('a', 'b', 'c');
    child.say({ type: 'started', batch: 0, position: 0 });
    clock.advance(2000);
    child.complete(undefined, { count: 1 });
    clock.advance(ALLOWED - 1);
    expect(child.signals).toEqual([]);
    clock.advance(1);
    expect(worker.overdue).toEqual([{ batch, position: 1 }]);
  });

  it('ends with its report; no timer stays when nothing runs', () => {
    const { child, clock, give } = ready(timed);
    give('a');
    child.say({ type: 'started', batch: 0, position: 0 });
    child.complete();
    clock.advance(ALLOWED);
    expect([child.signals, clock.pending]).toEqual([[], 0]);
  });

  it('that is over while its report is on the way in the same turn is not over', () => {
    const { worker, child, clock, give } = ready(timed);
    give('a');
    child.say({ type: 'started', batch: 0, position: 0 });
    clock.hold();
    // The manager was busy: its timer is looked at before the message that has waited with it.
    clock.advance(ALLOWED);
    expect(clock.waiting).toBe(1);
    child.complete();
    clock.release();
    expect([child.signals, worker.state, worker.held]).toEqual([[], 'ready', 0]);
  });

  it('of each concurrent job is its own', () => {
    const { worker, child, clock, give } = ready({ ...timed, concurrency: 2 });
    const [one, two] = [give('a'), give('b')];
    child.say({ type: 'started', batch: 0, position: 0 });
    clock.advance(1500);
    child.say({ type: 'started', batch: 1, position: 0 });
    clock.advance(700);
    child.complete(child.batches[0]);
    clock.advance(ALLOWED - 701);
    expect(child.signals).toEqual([]);
    clock.advance(1);
    expect(worker.overdue).toEqual([{ batch: two, position: 0 }]);
    expect(one.pending).toBe(0);
  });

  it('is counted once, and not for a batch nobody knows', () => {
    const { worker, child, clock, give } = ready(timed);
    give('a');
    child.say({ type: 'started', batch: 9, position: 0 });
    child.say({ type: 'started', batch: 0, position: 0 });
    clock.advance(ALLOWED);
    clock.advance(400);
    child.say({ type: 'started', batch: 0, position: 0 });
    expect([worker.overdue?.length, child.signals]).toEqual([1, ['SIGTERM']]);
    child.exit({ signal: 'SIGTERM' });
    expect(clock.pending).toBe(0);
  });

  it('is a long one for a worker that never says that it began: its start, and then what an attempt has', () => {
    const { worker, child, clock, give } = ready({ ...timed, startupTimeout: 5000 });
    give('a');
    clock.advance(5000 + ALLOWED - 1);
    expect(child.signals).toEqual([]);
    clock.advance(1);
    expect([child.signals, worker.overdue]).toEqual([['SIGTERM'], []]);
  });
});
