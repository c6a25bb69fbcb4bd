import { describe, expect, it } from 'vitest';
import { joined, tooLarge } from '../../src/codec.js';
import { encode, indicesOf } from '../helpers/fake-worker.js';
import { FakeManager } from '../helpers/manager.js';

const list = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/**
 * Runs a list to its end, each worker its oldest batch in turn.
 * @returns the jobs of each batch as they were handed out, and those that had to wait behind another batch
 */
function runOut(
  { children, clock }: FakeManager,
  ms: (index: number) => number,
): { handedOut: number[][]; waited: Set<number> } {
  for (const child of children) child.getReady();
  const done = new Set<unknown>();
  const waited = new Set<number>();
  for (let ran = true; ran; ) {
    ran = false;
    for (const child of children) {
      const batch = child.batches.find((one) => !done.has(one));
      if (batch === undefined) continue;
      ran = true;
      done.add(batch);
      child.complete(batch, { nanoseconds: indicesOf(batch).map((index) => ms(index) * 1e6) });
      clock.flush();
      for (const { batches } of children) {
        const [, ...others] = batches.filter((one) => !done.has(one));
        for (const index of others.flatMap(indicesOf)) waited.add(index);
      }
    }
  }
  const all = children.flatMap(({ batches }) => batches).sort((a, b) => a.batch - b.batch);
  return { handedOut: all.map(indicesOf), waited };
}

describe('handing out', () => {
  it('forks no more workers than there are jobs, and gives a job to nobody who is not ready', () => {
    const { children, clock } = new FakeManager(list(2), { workers: 8 });
    clock.flush();
    expect(children.map(({ told }) => told)).toEqual([[], []]);
    for (const child of children) child.getReady();
    expect(children.map(({ batches }) => batches.map(indicesOf))).toEqual([[[0]], [[1]]]);
  });

  it('gives workers as many batches of a fixed size as it takes to reach their concurrency, to each in turn', () => {
    for (const jobs of [list(60), new Set(list(60)).values()]) {
      const { children, clock } = new FakeManager(jobs, { workers: 2, concurrency: 10, batchSize: 3 });
      clock.flush();
      for (const child of children) child.getReady();
      clock.flush();
      // The fourth batch of three is the first with which ten jobs run at once.
      expect(children.map(({ batches }) => batches.length)).toEqual([4, 4]);
    }
    const few = new FakeManager(list(8), { workers: 2, concurrency: 10, batchSize: 1 });
    for (const child of few.children) child.getReady();
    few.clock.flush();
    expect(few.children.flatMap(({ batches }) => batches)).toHaveLength(8);
  });

  it('begins with one job and grows with what jobs were measured to take', () => {
    const manager = new FakeManager(list(10_000), { workers: 1 });
    const child = manager.child(0).getReady();
    const sizes = [];
    for (let round = 0; round < 4; round += 1) {
      for (const batch of child.batches.slice(sizes.length)) {
        sizes.push(batch.count);
        child.complete(batch, { nanoseconds: 0.5e6 });
      }
      manager.clock.flush();
    }
    // At 0.5 ms a job, 100 of them fill the target of 50 ms; a batch is at most eight times the one before it.
    expect(sizes.slice(0, 5)).toEqual([1, 8, 64, 100, 100]);
  });

  it('keeps a second batch with a worker, but only while more is left than a long job could block', () => {
    const manager = new FakeManager(list(1000), { workers: 1, batchSize: 100 });
    const child = manager.child(0).getReady();
    expect(child.batches).toHaveLength(1);
    child.complete(undefined, { nanoseconds: 0.9e6 });
    manager.clock.flush();
    // 0.72 s are left: another batch may wait behind this one.
    expect(child.batches.map(indicesOf).map(([first]) => first)).toEqual([0, 100, 200]);
    const held: number[] = [];
    for (let at = 1; at < child.batches.length; at += 1) {
      child.complete(child.batches[at], { nanoseconds: 0.9e6 });
      manager.clock.flush();
      held.push(child.batches.length - at - 1);
    }
    // The last 90 ms worth of jobs is not queued behind others; all jobs went out all the same.
    expect(held).toEqual([2, 2, 2, 2, 2, 2, 1, 1, 0]);
    expect(manager.completed).toEqual(list(1000));
  });

  it('splits the tail between the workers', () => {
    const manager = new FakeManager(list(40), { workers: 2 });
    const [one, two] = [manager.child(0).getReady(), manager.child(1).getReady()];
    one.complete(undefined, { nanoseconds: 0.01e6 });
    manager.clock.flush();
    expect(one.batches.map(({ count }) => count)).toEqual([1, 8]);
    two.complete(undefined, { nanoseconds: 0.01e6 });
    manager.clock.flush();
    // 22 are left; each of two workers may take half of them.
    expect(two.batches.map(({ count }) => count)).toEqual([1, 8]);
    one.complete(undefined, { nanoseconds: 0.01e6 });
    manager.clock.flush();
    expect(one.lastBatch.count).toBe(11);
  });

  it('gives nothing to wait behind another batch once a job was long, however short the others were', () => {
    const manager = new FakeManager(list(30), { workers: 1 });
    const one = manager.child(0).getReady();
    one.complete(undefined, { nanoseconds: 1e6 });
    manager.clock.flush();
    one.complete(undefined, { nanoseconds: [...new Array(7).fill(1e6), 5000e6] });
    manager.clock.flush();
    expect(one.batches.map(({ count }) => count)).toEqual([1, 8, 1]);
  });

  it('runs the end of a list whose jobs take longer and longer from its last job on, one by one', () => {
    const manager = new FakeManager(list(200), { workers: 2 });
    const { handedOut, waited } = runOut(manager, (index) => index + 1);
    const tail = handedOut.flat().slice(handedOut.flat().indexOf(199));
    expect(tail.length).toBeGreaterThan(8);
    expect(tail.length).toBeLessThanOrEqual(16);
    expect(tail).toEqual(list(200).slice(-tail.length).reverse());
    expect(handedOut.slice(-tail.length)).toEqual(tail.map((index) => [index]));
    // As elsewhere, one may wait behind another while more is left than two long jobs for each worker.
    expect(tail.filter((index) => waited.has(index)).length).toBeGreaterThan(0);
    expect(tail.slice(-4).filter((index) => waited.has(index))).toEqual([]);
    expect(manager.completed.sort((a, b) => a - b)).toEqual(list(200));
  });

  it('runs any other list in its order, and one of which results are wanted in order', () => {
    const same = new FakeManager(list(200), { workers: 2 });
    expect(runOut(same, () => 5).handedOut.flat()).toEqual(list(200));
    const falling = new FakeManager(list(200), { workers: 2 });
    expect(runOut(falling, (index) => 200 - index).handedOut.flat()).toEqual(list(200));
    const ordered = new FakeManager(list(200), { workers: 2, ordered: true });
    expect(runOut(ordered, (index) => index + 1).handedOut.flat()).toEqual(list(200));
  });

  it('gives what a worker has given back to another one', () => {
    const manager = new FakeManager(list(20), { workers: 2, batchSize: 10 });
    const [one, two] = [manager.child(0).getReady(), manager.child(1).getReady()];
    two.complete();
    manager.clock.flush();
    one.complete(undefined, { count: 2, returned: 8 });
    manager.clock.flush();
    expect(one.batches.map(indicesOf)).toEqual([list(10), [2, 3, 4, 5, 6, 7, 8, 9]]);
    one.complete();
    manager.clock.flush();
    expect(manager.completed.sort((a, b) => a - b)).toEqual(list(20));
    expect(one.told.at(-1)).toBe('finish');
  });

  it('counts no batch as under way when all of it was given back', () => {
    const manager = new FakeManager(list(4), { batchSize: 4 });
    const child = manager.child(0).getReady();
    child.complete(undefined, { count: 0, values: 0, returned: 4 });
    manager.clock.flush();
    expect(child.batches).toHaveLength(2);
    child.complete();
    manager.clock.flush();
    expect(manager.completed).toEqual(list(4));
  });

  it('fills a concurrent worker job by job', () => {
    const manager = new FakeManager(list(6), { concurrency: 3, batchSize: 1 });
    const child = manager.child(0).getReady();
    for (let step = 0; step < 3; step += 1) manager.scheduler.step();
    expect(child.batches.map(indicesOf)).toEqual([[0], [1], [2]]);
  });

  it('hands nothing out while it is held, and goes on afterwards', () => {
    const manager = new FakeManager(list(2), { batchSize: 1 });
    manager.scheduler.pace.hold(true);
    const child = manager.child(0).getReady();
    expect(child.batches).toEqual([]);
    manager.scheduler.pace.hold(false);
    manager.clock.flush();
    manager.scheduler.pace.hold(true);
    child.complete();
    manager.clock.flush();
    expect(child.batches).toHaveLength(1);
    manager.scheduler.pace.hold(false);
    manager.scheduler.pace.hold(false);
    manager.clock.flush();
    expect(child.batches).toHaveLength(2);
  });

  it('forks nobody for one that dies while nothing is handed out', () => {
    const manager = new FakeManager(list(2));
    manager.scheduler.pace.hold(true);
    manager.child(0).getReady().exit({ code: 1 });
    expect(manager.children).toHaveLength(1);
    manager.scheduler.pace.hold(false);
    manager.clock.flush();
    expect(manager.children).toHaveLength(2);
  });

  it('fails a job that can not be sent, and sends its neighbours', () => {
    const manager = new FakeManager([0, () => {}, 2], { batchSize: 3 });
    const child = manager.child(0).getReady();
    expect(child.batches.map(indicesOf)).toEqual([[0, 2]]);
    expect(manager.failed).toMatchObject([{ index: 1, attempts: 1, error: { code: 'ERR_SERIALIZATION' } }]);
    child.complete();
    manager.clock.flush();
    expect(manager.completed).toEqual([0, 2]);
    expect(child.told.at(-1)).toBe('finish');
  });

  it('ends where none of the jobs can be sent', () => {
    const manager = new FakeManager([() => {}], {});
    const child = manager.child(0).getReady();
    manager.clock.flush();
    expect(manager.failed).toHaveLength(1);
    expect(child.told).toEqual(['begin', 'finish']);
  });

  it('leaves out what need not run', () => {
    const manager = new FakeManager(list(6), { batchSize: 6, admit: (index) => index % 2 === 1 });
    const child = manager.child(0).getReady();
    child.complete();
    manager.clock.flush();
    expect(child.batches.flatMap(indicesOf)).toEqual([1, 3, 5]);
  });

  it('ends without a worker where nothing has to run, however long the list', () => {
    const manager = new FakeManager(list(25_000), { admit: () => false, ordered: true });
    manager.clock.flush();
    expect([manager.children.length, manager.over]).toEqual([0, 1]);
  });

  it('runs ahead of the oldest unsettled job of an ordered run by a window only', () => {
    const manager = new FakeManager(list(5000), { workers: 2, batchSize: 1000, ordered: true });
    const [slow, fast] = [manager.child(0).getReady(), manager.child(1).getReady()];
    for (let at = 0; at < fast.batches.length; at += 1) {
      fast.complete(fast.batches[at], { nanoseconds: 0.001e6 });
      manager.clock.flush();
    }
    expect(Math.max(...fast.batches.flatMap(indicesOf))).toBe(4095);
    expect(slow.batches).toHaveLength(1);
    slow.complete(undefined, { nanoseconds: 0.001e6 });
    manager.clock.flush();
    expect([...slow.batches, ...fast.batches].flatMap(indicesOf).length).toBe(5000);
  });

  it('runs what is added to a set or a map meanwhile, as iteration has it', () => {
    for (const grown of [
      new Set<unknown>(list(20)),
      new Map<unknown, unknown>(list(20).map((n) => [n, n])),
    ]) {
      const manager = new FakeManager(grown, { workers: 2 });
      const { handedOut } = runOut(manager, (index) => {
        if (index === 5) for (const n of list(30)) grown instanceof Set ? grown.add(n) : grown.set(n, n);
        return 5;
      });
      expect(handedOut.flat()).toEqual(list(30));
      expect([manager.completed.length, manager.source.total, manager.scheduler.done]).toEqual([
        30,
        30,
        true,
      ]);
    }
  });

  it('reads a lazy list ahead as it comes, and ends with it', async () => {
    const waiting: ((result: IteratorResult<number>) => void)[] = [];
    const lazy = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<number>>((resolve) => waiting.push(resolve)),
      }),
    };
    const manager = new FakeManager(lazy, { workers: 2 });
    expect(manager.children).toHaveLength(0);
    waiting.shift()?.({ done: false, value: 7 });
    await Promise.resolve();
    await Promise.resolve();
    manager.clock.flush();
    manager.child(0).getReady().complete();
    manager.clock.flush();
    expect(manager.children).toHaveLength(1);
    expect(manager.over).toBe(0);
    waiting.shift()?.({ done: true, value: undefined });
    await Promise.resolve();
    await Promise.resolve();
    manager.clock.flush();
    manager.child(0).exit();
    expect(manager.over).toBe(1);
  });
  it('cuts what is too large for one message: sizes were learnt from smaller jobs', () => {
    const large = Buffer.alloc(40 * 2 ** 20);
    const manager = new FakeManager([large, large, large, 'small', 'small'], { batchSize: 5 });
    const child = manager.child(0).getReady();
    const given: number[][] = [];
    while (given.flat().length < 5) {
      given.push(indicesOf(child.lastBatch));
      child.complete();
      manager.clock.flush();
    }
    expect([given, manager.completed]).toEqual([
      [[0], [1], [2, 3, 4]],
      [0, 1, 2, 3, 4],
    ]);
  });

  it('fails each job that can not be sent, however many of a batch', () => {
    let looks = 0;
    const job = () => ({
      get looked() {
        return ++looks;
      },
      no: () => {},
    });
    const manager = new FakeManager(Array.from({ length: 50 }, job), { batchSize: 50 });
    manager.child(0).getReady();
    manager.clock.flush();
    // Each as often as it takes to find that out, not once more for each half of the batch.
    expect(looks).toBeLessThanOrEqual(5 * 50);
    expect(manager.failed.map(({ index }) => index)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(new Set(manager.failed.map(({ error }) => (error as { code?: string }).code))).toEqual(
      new Set(['ERR_SERIALIZATION']),
    );
  });
});

describe('settling', () => {
  it('says what a job came to, with its own time', () => {
    const manager = new FakeManager(['a', 'b', 'c'], { batchSize: 3 });
    const child = manager.child(0).getReady();
    child.complete(undefined, { startedAt: 5000, nanoseconds: [10e6, 20e6, 30e6] });
    expect(manager.settled).toMatchObject([
      { index: 0, job: 'a', result: 'a', id: 1, attempt: 1, startedAt: 5000, duration: 10 },
      { index: 1, job: 'b', result: 'b', startedAt: 5010, duration: 20 },
      { index: 2, job: 'c', result: 'c', startedAt: 5030, duration: 30 },
    ]);
  });

  it('takes reports out of order, with their own starts', () => {
    const manager = new FakeManager(list(3), { batchSize: 3, concurrency: 3 });
    const child = manager.child(0).getReady();
    child.complete(undefined, { count: 2, positions: [2, 0], starts: [7, 9], nanoseconds: 1e6 });
    child.complete(undefined, { count: 1, positions: [1], starts: [8] });
    expect(manager.settled.map(({ index, startedAt }) => [index, startedAt])).toEqual([
      [2, 7],
      [0, 9],
      [1, 8],
    ]);
  });

  it('takes a second report of a job, of a job given back, and of a batch it does not know for nothing', () => {
    const manager = new FakeManager(list(3), { batchSize: 3 });
    const child = manager.child(0).getReady();
    const batch = child.lastBatch;
    child.complete(batch, { count: 1, returned: 1 });
    child.complete(batch, { from: 0, count: 1 });
    child.complete(batch, { from: 2, count: 1 });
    child.complete({ ...batch, batch: 99 });
    expect(manager.completed).toEqual([0]);
    child.complete(batch, { from: 1, count: 1 });
    child.complete(batch);
    manager.clock.flush();
    child.complete();
    manager.clock.flush();
    expect(manager.completed).toEqual([0, 1, 2]);
    expect(child.told.at(-1)).toBe('finish');
  });

  it('fails the job alone whose result can not be read', () => {
    const manager = new FakeManager(list(2), { batchSize: 2 });
    const child = manager.child(0).getReady();
    child.complete(undefined, { values: Uint8Array.of(9) });
    manager.clock.flush();
    for (const _ of [0, 1]) {
      if (manager.settled.length === 2) break;
      child.complete(undefined, indicesOf(child.lastBatch).includes(1) ? { values: Uint8Array.of(9) } : {});
      manager.clock.flush();
    }
    expect(manager.failed).toContainEqual(
      expect.objectContaining({ index: 1, error: expect.objectContaining({ code: 'ERR_SERIALIZATION' }) }),
    );
    expect(manager.settled).toHaveLength(2);
  });

  it('runs the jobs of a batch that the child could not read one by one; the guilty one fails', () => {
    const manager = new FakeManager(list(2), { batchSize: 2 });
    const child = manager.child(0).getReady();
    child.complete(undefined, { values: 0, undecodable: 'it is nested too deeply' });
    manager.clock.flush();
    expect(indicesOf(child.lastBatch)).toEqual([0]);
    child.complete(undefined, { values: 0, undecodable: 'it is nested too deeply' });
    manager.clock.flush();
    child.complete();
    manager.clock.flush();
    expect(manager.failed).toMatchObject([{ index: 0, error: { code: 'ERR_SERIALIZATION' } }]);
    expect(manager.completed).toEqual([1]);
  });

  it('passes progress on', () => {
    const manager = new FakeManager(list(1));
    const child = manager.child(0).getReady();
    child.say({ type: 'progress', index: 0, data: encode([{ half: true }]) });
    expect(manager.progress).toEqual([{ index: 0, id: 1, data: { half: true } }]);
  });

  it('passes on, in the place of progress that can not be read, the error that says why', () => {
    const manager = new FakeManager(list(1));
    const child = manager.child(0).getReady();
    const data = joined(encode([new Map()])) as Buffer;
    // The Map goes by itself: behind a head of 20 bytes, v8's version and tag.
    data.fill(0xff, 22, 24);
    child.say({ type: 'progress', index: 0, data });
    expect(manager.progress).toMatchObject([
      {
        index: 0,
        data: {
          code: 'ERR_SERIALIZATION',
          message: expect.stringMatching(/^Cannot read the progress of job 0: /),
        },
      },
    ]);
  });

  it('passes on, in the place of progress for which there was no way, the error that says so', () => {
    const manager = new FakeManager(list(1));
    const child = manager.child(0).getReady();
    child.say({ type: 'progress', index: 0, data: tooLarge(2 ** 30) });
    const message = expect.stringContaining(`its ${2 ** 30} bytes are too many`) as string;
    expect(manager.progress).toMatchObject([{ index: 0, data: { code: 'ERR_SERIALIZATION', message } }]);
  });
});

describe('the end', () => {
  it('is there when every job has settled and every worker has gone', () => {
    const manager = new FakeManager(list(2), { workers: 2 });
    for (const child of manager.children) child.getReady();
    for (const child of manager.children) child.complete();
    manager.clock.flush();
    expect(manager.children.map(({ told }) => told)).toEqual([
      ['begin', 'finish'],
      ['begin', 'finish'],
    ]);
    manager.child(0).exit();
    expect(manager.over).toBe(0);
    manager.child(1).exit();
    expect(manager.over).toBe(1);
    expect(manager.exits).toEqual([
      { id: 1, reason: 'finished' },
      { id: 2, reason: 'finished' },
    ]);
    expect(manager.clock.pending).toBe(0);
  });

  it('comes at once for an empty list, without a worker', () => {
    const manager = new FakeManager([]);
    manager.clock.flush();
    expect(manager.children).toEqual([]);
    expect(manager.over).toBe(1);
  });

  it('after a stop lets running jobs end, begins nothing and asks every worker to finish', () => {
    const manager = new FakeManager(list(1000), { batchSize: 10 });
    const child = manager.child(0).getReady();
    manager.stop();
    expect(child.told).toEqual(['begin', 'finish']);
    child.complete(undefined, { count: 3, returned: 7 });
    manager.clock.flush();
    expect(child.batches).toHaveLength(1);
    expect(manager.completed).toEqual([0, 1, 2]);
    child.exit();
    expect(manager.over).toBe(1);
    manager.scheduler.halt('stopped');
    expect(manager.over).toBe(1);
    expect(manager.clock.pending).toBe(0);
  });

  it('after a stop leaves a job that threw unsettled if it would run again, and fails it if not', () => {
    const manager = new FakeManager(list(2), {
      batchSize: 2,
      retries: { limit: 1, delay: () => 5, when: (error) => (error as Error).message === 'again' },
    });
    const child = manager.child(0).getReady();
    manager.stop();
    child.fail(new Error('again'), undefined, 0);
    child.fail(new Error('never'), undefined, 1);
    child.exit();
    expect(manager.failed.map(({ index }) => index)).toEqual([1]);
    expect(manager.retries).toEqual([]);
    expect(manager.over).toBe(1);
    expect(manager.clock.pending).toBe(0);
  });

  it('after an abort kills whoever does not leave by itself', () => {
    const manager = new FakeManager(list(100), { workers: 2 });
    const child = manager.child(0).getReady();
    manager.scheduler.halt('aborted');
    expect(child.told).toEqual(['begin', 'abort']);
    expect(child.signals).toEqual([]);
    expect(manager.child(1).signals).toEqual(['SIGKILL']);
    manager.clock.advance(500);
    expect(child.signals).toEqual(['SIGKILL']);
    for (const one of manager.children) one.exit({ signal: 'SIGKILL' });
    expect(manager.over).toBe(1);
    expect(manager.clock.pending).toBe(0);
  });

  it('may come from a job that settles: bail after so many failures', () => {
    const manager = new FakeManager(list(100), { batchSize: 10, bail: { count: 2 } });
    const child = manager.child(0).getReady();
    child.fail(new Error('no'), undefined, 0);
    expect(child.told).toEqual(['begin']);
    child.fail(new Error('no'), undefined, 1);
    expect(child.told).toEqual(['begin', 'finish']);
    child.complete(undefined, { from: 2, count: 1, returned: 7 });
    child.exit();
    expect([manager.completed, manager.failed.length, manager.over]).toEqual([[2], 2, 1]);
  });

  it('may come from a share of failures, from a hundred settled on', () => {
    const manager = new FakeManager(list(1000), { batchSize: 99, bail: { share: 0.02 } });
    const child = manager.child(0).getReady();
    child.fail(new Error('no'), undefined, 0);
    child.fail(new Error('no'), undefined, 1);
    child.complete(undefined, { from: 2, count: 97 });
    expect(child.told).toEqual(['begin']);
    manager.clock.flush();
    child.fail(new Error('no'));
    expect(child.told).toEqual(['begin', 'finish']);
  });

  it('may come in the middle of handing out, when a job can not be sent', () => {
    const manager = new FakeManager([() => {}, 1, 2], { batchSize: 3, bail: { count: 1 } });
    const child = manager.child(0).getReady();
    expect(child.batches).toEqual([]);
    expect(child.told).toEqual(['begin', 'finish']);
    child.exit();
    expect(manager.over).toBe(1);
  });

  it('comes when the list throws while it is pulled', () => {
    function* broken() {
      yield 1;
      yield 2;
      throw new Error('torn');
    }
    const manager = new FakeManager(broken(), { batchSize: 1 });
    const child = manager.child(0).getReady();
    child.complete();
    manager.clock.flush();
    expect(manager.errors).toMatchObject([{ message: 'torn' }]);
    expect(child.told).toEqual(['begin', 'finish']);
    child.exit();
    expect(manager.over).toBe(1);
  });
});
