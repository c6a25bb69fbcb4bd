import { describe, expect, test, vi } from 'vitest';
import type { Parcel } from '../../src/manager/batch.js';
import type { Admit } from '../../src/manager/queue.js';
import { Queue } from '../../src/manager/queue.js';
import { createSource } from '../../src/manager/source.js';

function queueOf(list: unknown, admit?: Admit) {
  const source = createSource(list, { available: () => {}, failed: () => {} }, 1);
  return { queue: new Queue(source, admit), source };
}

/** The indices of a parcel. */
function indicesOf(parcel: Parcel | undefined): readonly number[] | undefined {
  return parcel && (parcel.indices ?? parcel.jobs.map((_, at) => parcel.first + at));
}

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];

describe('the queue', () => {
  test('takes the list in order', () => {
    const { queue } = queueOf(letters);
    expect(queue.take(3, 0)).toEqual({ first: 0, jobs: ['a', 'b', 'c'] });
    expect(queue.take(3, 0)).toEqual({ first: 3, jobs: ['d', 'e', 'f'] });
    expect(queue.remaining).toBe(4);
    expect(queue.drained).toBe(false);
    expect(queue.take(9, 0)).toEqual({ first: 6, jobs: ['g', 'h', 'i', 'j'] });
    expect(queue.take(9, 0)).toBeUndefined();
    expect(queue.drained).toBe(true);
  });

  test('does not know how much an open list will bring', () => {
    const { queue } = queueOf(new Set(letters).values());
    expect(queue.remaining).toBe(Number.POSITIVE_INFINITY);
    expect(queue.known(0)).toBe(1);
  });

  test('takes due retries first, then what was given back, then the list', () => {
    const { queue } = queueOf(letters);
    queue.take(4, 0);
    queue.giveBack({ first: 2, jobs: ['c', 'd'] });
    queue.addRetry({ index: 0, job: 'a' }, 100);
    expect(queue.take(1, 50)).toEqual({ first: 2, jobs: ['c'] });
    expect(queue.take(5, 100)).toEqual({ first: 0, jobs: ['a'], indices: [0] });
    expect(queue.take(5, 100)).toEqual({ first: 3, jobs: ['d'] });
    expect(queue.take(1, 100)).toEqual({ first: 4, jobs: ['e'] });
  });

  test('is not drained while a retry, a suspect or a job that came back waits', () => {
    const { queue } = queueOf(['a', 'b', 'c']);
    queue.take(3, 0);
    expect(queue.drained).toBe(true);
    queue.addRetry({ index: 0, job: 'a' }, 100);
    expect(queue.drained).toBe(false);
    expect(queue.take(1, 99)).toBeUndefined();
    queue.take(1, 100);
    expect(queue.drained).toBe(true);
    queue.addSuspect({ index: 1, job: 'b', needsFreshWorker: true });
    expect(queue.drained).toBe(false);
    expect(queue.suspect).toEqual({ index: 1, job: 'b', needsFreshWorker: true });
    expect(queue.takeSuspect()).toEqual({ index: 1, job: 'b', needsFreshWorker: true });
    expect(queue.takeSuspect()).toBeUndefined();
    queue.giveBack({ first: 2, jobs: ['c'] });
    expect(queue.drained).toBe(false);
    queue.take(1, 0);
    expect(queue.drained).toBe(true);
  });

  test('counts what could run now, and what is left', () => {
    const { queue } = queueOf(letters);
    queue.take(5, 0);
    queue.addSuspect({ index: 0, job: 'a', needsFreshWorker: false });
    queue.giveBack({ first: 1, jobs: ['b', 'c'] });
    queue.addRetry({ index: 3, job: 'd' }, 100);
    expect(queue.known(99)).toBe(8);
    expect(queue.known(100)).toBe(9);
    expect(queue.remaining).toBe(8);
  });

  test('forgets everything when the run ends early', () => {
    const { queue, source } = queueOf(letters);
    queue.take(4, 0);
    queue.addSuspect({ index: 0, job: 'a', needsFreshWorker: false });
    queue.addRetry({ index: 1, job: 'b' }, 0);
    queue.giveBack({ first: 2, jobs: ['c', 'd'] });
    queue.clear();
    source.close();
    expect(queue.drained).toBe(true);
    expect(queue.known(0)).toBe(0);
    expect(queue.nextDue).toBeUndefined();
    expect(queue.take(9, 0)).toBeUndefined();
  });
});

describe('retries', () => {
  test('come when they are due, soonest first, and in the order they came where that is the same', () => {
    const { queue } = queueOf([]);
    const dues = [50, 20, 80, 20, 70, 10, 60, 30, 20, 40, 90, 5];
    for (const [index, due] of dues.entries()) queue.addRetry({ index, job: `job ${index}` }, due);
    expect(queue.nextDue).toBe(5);
    expect(queue.take(9, 4)).toBeUndefined();
    expect(indicesOf(queue.take(2, 25))).toEqual([11, 5]);
    expect(queue.take(9, 25)).toEqual({ first: 1, jobs: ['job 1', 'job 3', 'job 8'], indices: [1, 3, 8] });
    expect(queue.nextDue).toBe(30);
    expect(indicesOf(queue.take(9, 1000))).toEqual([7, 9, 0, 6, 4, 2, 10]);
    expect(queue.nextDue).toBeUndefined();
  });
});

describe('jobs that were given back', () => {
  test('come out by their place in the list, whatever order they came back in', () => {
    const { queue } = queueOf(letters);
    queue.take(10, 0);
    queue.giveBack({ first: 6, jobs: ['g', 'h'] });
    queue.giveBack({ first: 0, jobs: ['a'] });
    queue.giveBack({ first: 3, jobs: ['d', 'f'], indices: [3, 5] });
    queue.giveBack({ first: 9, jobs: [] });
    expect(queue.known(0)).toBe(5);
    expect(indicesOf(queue.take(9, 0))).toEqual([0]);
    expect(indicesOf(queue.take(1, 0))).toEqual([3]);
    expect(indicesOf(queue.take(9, 0))).toEqual([5]);
    expect(indicesOf(queue.take(1, 0))).toEqual([6]);
    expect(indicesOf(queue.take(9, 0))).toEqual([7]);
    expect(queue.take(9, 0)).toBeUndefined();
    expect(queue.drained).toBe(true);
  });
});

describe('the end of the list', () => {
  const takeAll = (queue: Queue) => {
    const taken: unknown[] = [];
    for (let parcel = queue.takeLast(0); parcel !== undefined; parcel = queue.takeLast(0)) {
      taken.push([parcel.jobs, indicesOf(parcel)]);
    }
    return taken;
  };

  test('is taken job by job, the last one first', () => {
    const { queue, source } = queueOf(letters);
    queue.take(7, 0);
    expect(queue.takeLast(0)).toEqual({ first: 9, jobs: ['j'] });
    expect([queue.remaining, queue.known(0), queue.drained, source.taken]).toEqual([2, 2, false, 10]);
    // Whatever is taken from the front then, it is still there.
    expect(queue.take(1, 0)).toEqual({ first: 7, jobs: ['h'] });
    expect(takeAll(queue)).toEqual([[['i'], [8]]]);
    expect([queue.remaining, queue.drained]).toEqual([0, true]);
  });

  test('has in it what was given back, by its place, and comes after retries that are due', () => {
    const { queue } = queueOf(letters);
    queue.take(8, 0);
    queue.giveBack({ first: 2, jobs: ['c', 'f'], indices: [2, 5] });
    queue.addRetry({ index: 0, job: 'a' }, 0);
    queue.addRetry({ index: 1, job: 'b' }, 50);
    expect(takeAll(queue)).toEqual([
      [['a'], [0]],
      [['j'], [9]],
      [['i'], [8]],
      [['f'], [5]],
      [['c'], [2]],
    ]);
    expect([queue.remaining, queue.drained]).toEqual([1, false]);
  });

  test('has only jobs that are admitted', () => {
    const { queue } = queueOf(letters, (index) => index % 2 === 0);
    queue.take(2, 0);
    expect(takeAll(queue)).toEqual([
      [['i'], [8]],
      [['g'], [6]],
      [['e'], [4]],
    ]);
    expect(queue.drained).toBe(true);
  });

  test('is there of a set, and of a lazy list whose end was read ahead', async () => {
    const lazy = async function* () {
      yield* letters;
    };
    for (const list of [new Set(letters), lazy()]) {
      const { queue, source } = queueOf(list);
      source.readAhead(20);
      await vi.waitUntil(() => source.total !== undefined);
      queue.take(8, 0);
      expect(takeAll(queue)).toEqual([
        [['j'], [9]],
        [['i'], [8]],
      ]);
      expect(queue.drained).toBe(true);
    }
  });
});

describe('a limit', () => {
  test('keeps jobs of the list at or beyond it, and nothing that came back', () => {
    const { queue } = queueOf(letters);
    expect(indicesOf(queue.take(9, 0, 4))).toEqual([0, 1, 2, 3]);
    expect(queue.take(9, 0, 4)).toBeUndefined();
    queue.giveBack({ first: 3, jobs: ['d'] });
    expect(indicesOf(queue.take(9, 0, 4))).toEqual([3]);
    expect(indicesOf(queue.take(9, 0, 6))).toEqual([4, 5]);
  });
});

describe('admission', () => {
  test('is asked once for each job of the list, in order, and leaves out those it declines', () => {
    const asked: unknown[] = [];
    const { queue } = queueOf(letters, (index, job) => {
      asked.push([index, job]);
      return index % 2 === 1;
    });
    expect(queue.take(2, 0)).toEqual({ first: 1, jobs: ['b', 'd'], indices: [1, 3] });
    queue.giveBack({ first: 3, jobs: ['d'], indices: [3] });
    expect(indicesOf(queue.take(4, 0))).toEqual([3]);
    expect(indicesOf(queue.take(9, 0))).toEqual([5, 7, 9]);
    expect(asked).toEqual(letters.map((letter, index) => [index, letter]));
  });

  test('goes on through the list until a job may run', () => {
    const { queue } = queueOf(letters, (index) => index === 8);
    expect(queue.take(2, 0)).toEqual({ first: 8, jobs: ['i'] });
    expect(queue.take(2, 0)).toBeUndefined();
    expect(queue.drained).toBe(true);
  });

  test('that declines all leaves nothing', () => {
    const { queue } = queueOf(letters, () => false);
    expect(queue.take(2, 0)).toBeUndefined();
    expect(queue.drained).toBe(true);
  });

  test('is looked ahead for, so that it is known how many jobs have to run', () => {
    const { queue, source } = queueOf(letters, (index) => index >= 3);
    expect(queue.known(0)).toBe(0);
    queue.lookAhead(2);
    expect(queue.known(0)).toBe(2);
    expect(source.taken).toBe(5);
    queue.lookAhead(2);
    expect(source.taken).toBe(5);
    expect(indicesOf(queue.take(9, 0))).toEqual([3, 4]);
    expect(indicesOf(queue.take(2, 0))).toEqual([5, 6]);
    queue.lookAhead(2, 8);
    expect(indicesOf(queue.take(9, 0))).toEqual([7]);
  });

  test('is not looked ahead for where all jobs run, nor beyond the end', () => {
    const { queue, source } = queueOf(letters);
    queue.lookAhead(2);
    expect(source.taken).toBe(0);
    const none = queueOf(letters, () => false);
    none.queue.lookAhead(2);
    expect(none.queue.drained).toBe(true);
  });

  test('rests after ten thousand jobs that it declined, and says so once', () => {
    const { queue, source } = queueOf(
      Array.from({ length: 25_000 }, (_, i) => i),
      () => false,
    );
    expect(queue.take(10_000, 0)).toBeUndefined();
    expect(source.taken).toBe(10_000);
    expect(queue.take(10_000, 0)).toBeUndefined();
    expect(source.taken).toBe(10_000);
    expect([queue.catchBreath(), queue.catchBreath()]).toEqual([true, false]);
    expect(queue.take(10_000, 0)).toBeUndefined();
    expect(source.taken).toBe(20_000);
  });

  test('rests at the limit, which those that were declined may have moved', () => {
    const { queue } = queueOf(letters, (index) => index >= 4);
    expect(queue.take(9, 0, 4)).toBeUndefined();
    expect(queue.catchBreath()).toBe(true);
    expect(indicesOf(queue.take(9, 0, 8))).toEqual([4, 5, 6, 7]);
    expect(queue.catchBreath()).toBe(false);
  });
});
