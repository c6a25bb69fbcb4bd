import { describe, expect, test } from 'vitest';
import { FLUSH_MS } from '../../src/child/open-batches.js';
import { decodeColumn, joined } from '../../src/codec.js';
import { errorFromWire } from '../../src/error-wire.js';
import { SerializationError } from '../../src/errors.js';
import { TARGET_MS } from '../../src/manager/batch.js';
import type { ChildMessage, ResultsMessage } from '../../src/protocol.js';
import { FakeClock } from '../helpers/fake-clock.js';
import type { JobContext } from '../helpers/fakes-child.js';
import { batchOf, Gate, readyRunner, runnerOf, turn } from '../helpers/fakes-child.js';

const values = (...all: unknown[]) => all.map((value) => ({ value }));

/** What each job of a report took. */
function millisecondsOf({ nanoseconds, count }: Pick<ResultsMessage, 'nanoseconds' | 'count'>): number[] {
  const each = typeof nanoseconds === 'number' ? new Array<number>(count).fill(nanoseconds) : nanoseconds;
  return each.map((one) => one / 1e6);
}

/** Jobs of a batch that are never given time to be batched away: a promise each, opened by the test. */
function gates(count: number): Gate[] {
  return Array.from({ length: count }, () => new Gate());
}

describe('startup', () => {
  test('runs workerStartup, once, and asks for jobs when it has resolved', async () => {
    const gate = new Gate();
    const seen: unknown[] = [];
    const { runner, channel } = runnerOf(
      {
        async workerStartup({ id, index, attempt, local }) {
          seen.push({ id, index, attempt, local });
          await gate.opened;
          return 'a connection';
        },
      },
      { concurrency: 3 },
    );
    const beginning = runner.begin(7);
    await turn();
    expect(channel.sent).toEqual([]);
    gate.open();
    expect(await beginning).toBe(true);
    expect(channel.sent).toMatchObject([{ type: 'ready', finishes: false }]);
    expect(seen).toEqual([{ id: 7, index: undefined, attempt: undefined, local: undefined }]);
    expect(runner.local).toBe('a connection');
  });

  test('may be left out, or synchronous', async () => {
    expect((await readyRunner({})).runner.local).toBeUndefined();
    expect((await readyRunner({ workerStartup: () => 5 })).runner.local).toBe(5);
  });

  test.each([
    [
      'throws',
      () => {
        throw new RangeError('no disk');
      },
    ],
    ['rejects', () => Promise.reject(new RangeError('no disk'))],
  ])('that %s is reported as fatal, and no job is asked for', async (_, workerStartup) => {
    const { runner, channel } = runnerOf({ workerStartup });
    expect(await runner.begin(1)).toBe(false);
    expect(channel.types).toEqual(['fatal']);
    const [fatal] = channel.sent as Extract<ChildMessage, { type: 'fatal' }>[];
    expect(fatal?.phase).toBe('startup');
    expect(errorFromWire(fatal?.error)).toMatchObject({ name: 'RangeError', message: 'no disk' });
  });

  test('gives jobs back that come before it is done', async () => {
    const { runner, channel } = runnerOf({});
    runner.accept(batchOf([1, 2, 3]));
    expect(channel.results).toMatchObject([{ count: 0, returned: 3 }]);
  });

  test('has no job to report progress of', async () => {
    const { channel } = await readyRunner({ workerStartup: ({ progress }) => progress('loading') });
    expect(channel.sent).toEqual([]);
  });
});

describe('synchronous jobs', () => {
  test('run in order and are reported in one message of columns', async () => {
    const { runner, channel } = await readyRunner({ workerProcess: (job) => job * 2 });
    runner.accept(batchOf([1, 2, 3], { batch: 4, first: 10 }));
    expect(channel.results).toEqual([
      expect.objectContaining({ batch: 4, from: 0, count: 3, nanoseconds: 0 }),
    ]);
    expect(decodeColumn(channel.results[0]?.values ?? 0)).toEqual([2, 4, 6]);
    expect(channel.results[0]).not.toHaveProperty('positions');
    expect(channel.results[0]).not.toHaveProperty('failed');
  });

  test('know their worker, their index, their attempt and what startup made', async () => {
    const seen: unknown[] = [];
    const { runner } = runnerOf({
      workerStartup: () => 'a connection',
      workerProcess: (_, { id, index, attempt, local }) => seen.push({ id, index, attempt, local }),
    });
    await runner.begin(3);
    runner.accept(batchOf([0, 0], { first: 5 }));
    runner.accept(batchOf([0, 0], { batch: 1, first: 8, indices: [8, 20], attempts: [1, 4] }));
    const worker = { id: 3, local: 'a connection' };
    expect(seen).toEqual([
      { ...worker, index: 5, attempt: 1 },
      { ...worker, index: 6, attempt: 1 },
      { ...worker, index: 8, attempt: 1 },
      { ...worker, index: 20, attempt: 4 },
    ]);
  });

  test('have the times at which they ran', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner({ workerProcess: (ms) => clock.pass(ms) }, { clock });
    const startedAt = clock.epoch();
    runner.accept(batchOf([1, 2, 3]));
    expect(channel.results).toHaveLength(1);
    expect(channel.results[0]).toMatchObject({ startedAt, nanoseconds: [1e6, 2e6, 3e6] });
  });

  test('have their own time each, however short', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner({ workerProcess: (ms) => clock.pass(ms) }, { clock });
    runner.accept(batchOf([0.001, 0.002, 200, 0.001]));
    const microseconds = channel.results.flatMap(millisecondsOf).map((ms) => Math.round(ms * 1000));
    expect(microseconds).toEqual([1, 2, 200_000, 1]);
  });

  test('that take long after tiny ones are told soon, and the rest of them given back', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner({ workerProcess: (ms) => clock.pass(ms) }, { clock });
    runner.accept(batchOf([...new Array(100).fill(0.001), ...new Array(16).fill(300)], { budget: 100 }));
    expect(channel.results.map(({ count, returned }) => [count, returned])).toEqual([[101, 15]]);
  });

  test("pay for no other: to write a result or a report is nobody's time", async () => {
    const clock = new FakeClock();
    const slowToWrite = () =>
      new Map([
        [
          1,
          {
            get slow() {
              return clock.pass(300);
            },
          },
        ],
      ]);
    const { runner, channel } = await readyRunner(
      {
        workerProcess: (ms) => {
          clock.pass(ms);
          return ms === 2 ? slowToWrite() : ms;
        },
      },
      { clock, timeout: 150 },
    );
    runner.accept(batchOf([1, 2, 3, 4]));
    expect(channel.results.flatMap(({ failed = [] }) => failed)).toEqual([]);
    expect(channel.results.flatMap(millisecondsOf)).toEqual([1, 2, 3, 4]);
  });

  test('have times that add up', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner({ workerProcess: (ms) => clock.pass(ms) }, { clock });
    runner.accept(batchOf([...new Array(100).fill(0.001), ...new Array(50).fill(4)]));
    const lengths = channel.results.flatMap(millisecondsOf);
    expect(lengths).toHaveLength(150);
    expect(lengths.slice(-30)).toEqual(new Array(30).fill(4));
    expect(lengths.reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(200.1, 3);
  });
});

describe('asynchronous jobs', () => {
  test('run one after the other where one runs at once', async () => {
    const open = gates(3);
    const begun: number[] = [];
    const { runner, channel } = await readyRunner({
      workerProcess: async (job) => {
        begun.push(job);
        await open[job]?.opened;
        return `result ${job}`;
      },
    });
    runner.accept(batchOf([0, 1, 2]));
    open[2]?.open();
    await turn();
    expect(begun).toEqual([0]);
    open[0]?.open();
    await turn();
    expect(begun).toEqual([0, 1]);
    open[1]?.open();
    await turn();
    expect(begun).toEqual([0, 1, 2]);
    expect(channel.outcomes()).toEqual(values('result 0', 'result 1', 'result 2'));
  });

  test('are known by their indices while they run', async () => {
    const open = gates(3);
    const { runner } = await readyRunner({ workerProcess: (job) => open[job]?.opened }, { concurrency: 2 });
    runner.accept(batchOf([0, 1, 2], { first: 10 }));
    open[0]?.open();
    await turn();
    expect(runner.running).toEqual([11, 12]);
    open[1]?.open();
    await turn();
    expect(runner.running).toEqual([12]);
    open[2]?.open();
    await turn();
    expect(runner.running).toEqual([]);
  });

  test('run no more by the time that anybody looks at what they threw', async () => {
    const seen: (readonly number[])[] = [];
    const { runner } = await readyRunner({
      workerProcess: async () => {
        throw Object.defineProperty(new Error(), 'message', {
          get: () => {
            seen.push(runner.running);
            return 'looked at';
          },
        });
      },
    });
    runner.accept(batchOf([0]));
    await turn();
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.flat()).toEqual([]);
  });

  test('keep the time that they wait to themselves', async () => {
    const open = new Gate();
    const { runner, channel, clock } = await readyRunner({
      workerProcess: (job) => (job < 3 ? job : open.opened),
    });
    runner.accept(batchOf([0, 1, 2, 3]));
    clock.pass(50);
    open.open();
    await turn();
    expect(channel.results.map(({ nanoseconds }) => nanoseconds)).toEqual([[0, 0, 0, 50e6]]);
  });

  test('run as many at once as `concurrency` says, and are reported as they end', async () => {
    const open = gates(5);
    let running = 0;
    let most = 0;
    const { runner, clock, channel } = await readyRunner(
      {
        workerProcess: async (job) => {
          running += 1;
          most = Math.max(most, running);
          await open[job]?.opened;
          running -= 1;
          return job;
        },
      },
      { concurrency: 3 },
    );
    const startedAt = clock.epoch();
    runner.accept(batchOf([0, 1, 2], { batch: 0 }));
    runner.accept(batchOf([3, 4], { batch: 1, first: 3 }));
    for (const job of [2, 0, 4, 3, 1]) {
      clock.pass(20);
      open[job]?.open();
      await turn();
      expect(running).toBe(Math.min(3, running));
    }
    expect(most).toBe(3);
    expect(channel.outcomes(0)).toEqual(values(0, 1, 2));
    expect(channel.outcomes(1)).toEqual(values(3, 4));
    const all = channel.results.flatMap(({ batch, positions, from, starts, startedAt: first, ...report }) =>
      millisecondsOf(report).map((took, at) => ({
        job: batch * 3 + (positions?.[at] ?? from + at),
        at: (starts?.[at] ?? first) - startedAt,
        took,
      })),
    );
    expect(all).toEqual([
      { job: 2, at: 0, took: 20 },
      { job: 0, at: 0, took: 40 },
      { job: 4, at: 40, took: 20 },
      { job: 3, at: 20, took: 60 },
      { job: 1, at: 0, took: 100 },
    ]);
  });

  test('that end at once take one turn of the loop all together', async () => {
    const { runner, channel } = await readyRunner({ workerProcess: async (job) => job + 1 });
    runner.accept(batchOf(Array.from({ length: 500 }, (_, i) => i)));
    await turn();
    expect(channel.results).toHaveLength(1);
    expect(channel.outcomes()).toEqual(values(...Array.from({ length: 500 }, (_, i) => i + 1)));
  });

  test('may be any thenable', async () => {
    const then = (value: number) => (resolve: (value: number) => void) => resolve(value);
    const object = Object.fromEntries([['then', then(5)]]);
    const callable = Object.assign(() => {}, Object.fromEntries([['then', then(7)]]));
    const { runner, channel } = await readyRunner({
      workerProcess: (job) => (job === 0 ? object : callable),
    });
    runner.accept(batchOf([0, 1]));
    await turn();
    expect(channel.outcomes()).toEqual(values(5, 7));
  });

  test('mix with synchronous ones, and the times of both add up', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner(
      {
        workerProcess: (job) => {
          clock.pass(0.001);
          return job % 10 === 9 ? Promise.resolve(job) : job;
        },
      },
      { clock },
    );
    const jobs = Array.from({ length: 100 }, (_, i) => i);
    runner.accept(batchOf(jobs));
    await turn();
    expect(channel.outcomes()).toEqual(values(...jobs));
    const total = channel.results.flatMap(millisecondsOf).reduce((sum, one) => sum + one);
    expect(total).toBeCloseTo(0.1, 6);
  });
});

describe('failures', () => {
  test.each([
    ['an Error', new RangeError('no'), { name: 'RangeError', message: 'no' }],
    ['null', null, { code: 'ERR_THROWN', cause: null }],
    ['undefined', undefined, { code: 'ERR_THROWN', cause: undefined }],
    ['a string', 'no', { code: 'ERR_THROWN', cause: 'no' }],
  ])('of %s, thrown or rejected, fail that job alone', async (_, thrown, error) => {
    const { runner, channel } = await readyRunner({
      workerProcess: (job) => {
        if (job === 1) throw thrown;
        return job === 3 ? Promise.reject(thrown) : job;
      },
    });
    runner.accept(batchOf([0, 1, 2, 3, 4]));
    await turn();
    const outcomes = channel.outcomes();
    expect([outcomes[0], outcomes[2], outcomes[4]]).toEqual(values(0, 2, 4));
    expect([outcomes[1], outcomes[3]]).toMatchObject([
      { kind: 'threw', error },
      { kind: 'threw', error },
    ]);
  });

  test('by a `then` that throws when it is looked at are failures of the job', async () => {
    const trap = () => {
      throw new Error('trap');
    };
    const { runner, channel } = await readyRunner({
      workerProcess: () => Object.defineProperty({}, 'then', { get: trap }),
    });
    runner.accept(batchOf([0]));
    await turn();
    expect(channel.outcomes()).toMatchObject([{ kind: 'threw', error: { message: 'trap' } }]);
  });

  test('to send a result name the job and the property, and harm no neighbour', async () => {
    const { runner, channel } = await readyRunner({
      workerProcess: (job) => (job === 1 ? { a: [1, { log() {} }] } : job),
    });
    runner.accept(batchOf([0, 1, 2], { first: 40 }));
    const [before, refused, after] = channel.outcomes();
    expect([before, after]).toEqual(values(0, 2));
    expect(refused).toMatchObject({
      kind: 'refused',
      error: { code: 'ERR_SERIALIZATION', path: 'a[1].log' },
    });
    expect((refused as { error: Error }).error.message).toMatch(/^Cannot send the result of job 41: /);
  });

  test('to read a job fail it alone, and it is not begun', async () => {
    const begun: unknown[] = [];
    const { runner, channel } = await readyRunner<unknown>({
      workerProcess: (job) => {
        begun.push(job);
      },
    });
    const message = batchOf([1, new Map([[2, 2]]), 3], { first: 40 });
    const jobs = joined(message.jobs) as Buffer;
    // The Map goes by itself: behind a head of 20 bytes, v8's version and tag.
    jobs.fill(0xff, 22, 24);
    runner.accept({ ...message, jobs });
    expect(begun).toEqual([1, 3]);
    expect(channel.outcomes()).toMatchObject([
      { value: undefined },
      {
        kind: 'refused',
        error: { code: 'ERR_SERIALIZATION', message: expect.stringMatching(/^Cannot read job 41: /) },
      },
      { value: undefined },
    ]);
  });

  test('to read a batch are reported: none of it was begun', async () => {
    const begun: unknown[] = [];
    const { runner, channel } = await readyRunner({ workerProcess: (job) => begun.push(job) });
    runner.accept({ ...batchOf([1, 2], { batch: 9 }), jobs: Uint8Array.of(77, 77) });
    expect(channel.results).toMatchObject([
      { batch: 9, count: 2, undecodable: 'it holds something that can not be cloned' },
    ]);
    runner.accept(batchOf([3]));
    expect(begun).toEqual([3]);
  });
});

describe('what is not reported yet', () => {
  /** Runs jobs that take so many ms each; how many ms of unreported work there were when each of them began. */
  async function unreportedMs(durations: readonly number[], job: (context: JobContext) => void = () => {}) {
    const seen: number[] = [];
    const clock = new FakeClock();
    const workerProcess = (ms: number, context: JobContext) => {
      const reported = channel.results.reduce((sum, { count }) => sum + count, 0);
      seen.push(durations.slice(reported, context.index).reduce((sum, one) => sum + one, 0));
      job(context);
      clock.pass(ms);
    };
    const { runner, channel } = await readyRunner({ workerProcess }, { clock });
    runner.accept(batchOf(durations));
    return { seen, messages: channel.results.length };
  }

  test('is one report where a batch takes no longer than it may, which the manager sets at twice its aim', () => {
    expect(FLUSH_MS).toBe(2 * TARGET_MS);
  });

  test('is less work than a report is due for, whenever a job begins', async () => {
    const { seen, messages } = await unreportedMs([
      8,
      8,
      8,
      8,
      8,
      200,
      2,
      2,
      2,
      FLUSH_MS,
      18,
      18,
      1,
      4,
      4,
      4,
      4,
      4,
      4,
      4,
    ]);
    expect(Math.max(...seen)).toBeLessThan(FLUSH_MS);
    expect(messages).toBeLessThan(10);
  });

  test('is no more where jobs report progress, which takes no results along', async () => {
    const { seen } = await unreportedMs(new Array(20).fill(4), ({ progress }) => progress('half'));
    expect(Math.max(...seen)).toBeLessThan(FLUSH_MS);
  });

  test('is sent while an asynchronous job waits', async () => {
    const gate = new Gate();
    const { runner, clock, channel } = await readyRunner({
      workerProcess: (job) => (job === 2 ? gate.opened : job),
    });
    runner.accept(batchOf([0, 1, 2]));
    expect(channel.results).toEqual([]);
    clock.flush();
    expect(channel.outcomes()).toEqual(values(0, 1));
    gate.open();
    await turn();
    expect(channel.outcomes()).toEqual(values(0, 1, undefined));
  });

  test('can be sent at any time, and is sent once', async () => {
    const { runner, clock, channel } = await readyRunner({
      workerProcess: (job) => (job === 1 ? new Promise(() => {}) : job),
    });
    runner.accept(batchOf([0, 1]));
    runner.flush();
    clock.flush();
    runner.flush();
    expect(channel.results).toHaveLength(1);
    expect(channel.outcomes()).toEqual(values(0));
  });
});

describe('a batch over its budget', () => {
  test('gives back what has not begun', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner({ workerProcess: () => clock.pass(30) }, { clock });
    runner.accept(batchOf(new Array(10).fill(0), { budget: FLUSH_MS }));
    expect(channel.outcomes()).toHaveLength(4);
    expect(channel.returned).toBe(6);
  });

  test('gives it back then, however long the worker had waited for the batch', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner({ workerProcess: () => clock.pass(4) }, { clock });
    runner.accept(batchOf([0, 0]));
    clock.pass(30);
    runner.accept(batchOf(new Array(100).fill(0), { batch: 1, first: 2, budget: FLUSH_MS }));
    expect(channel.outcomes(1)).toHaveLength(FLUSH_MS / 4);
    expect(channel.returned).toBe(100 - FLUSH_MS / 4);
  });

  test('has nothing to give back with its last job', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner({ workerProcess: () => clock.pass(60) }, { clock });
    runner.accept(batchOf([0], { budget: 50 }));
    expect(channel.returned).toBe(0);
  });

  test('is judged by its own time, not by that of the batch it waited for', async () => {
    const gate = new Gate();
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner(
      {
        workerProcess: (job) => (job === 0 ? gate.opened : clock.pass(30)),
      },
      { clock },
    );
    runner.accept(batchOf([0], { budget: 50 }));
    runner.accept(batchOf([1, 1], { batch: 1, first: 1, budget: 50 }));
    clock.pass(1000);
    gate.open();
    await turn();
    expect(channel.returned).toBe(0);
    expect(channel.outcomes(1)).toHaveLength(2);
  });

  test('with jobs that report progress gives back all the same', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner(
      {
        workerProcess: (_, { progress }) => {
          clock.pass(4);
          progress('half');
        },
      },
      { clock },
    );
    runner.accept(batchOf(new Array(100).fill(0), { budget: FLUSH_MS }));
    expect(channel.outcomes()).toHaveLength(FLUSH_MS / 4);
    expect(channel.returned).toBe(100 - FLUSH_MS / 4);
  });
});

describe('memory over its limit', () => {
  test('gives back what has not begun, of every batch, and says why', async () => {
    const gate = new Gate();
    let rss = 100;
    const { runner, clock, channel } = await readyRunner(
      { workerProcess: (job) => (job === 0 ? gate.opened : job) },
      { maxMemory: 1000, rss: () => rss },
    );
    runner.accept(batchOf([9]));
    expect(channel.results.at(-1)?.full).toBeUndefined();
    runner.accept(batchOf([0, 1, 2], { batch: 1 }));
    runner.accept(batchOf([3, 4], { batch: 2 }));
    rss = 1001;
    clock.pass(FLUSH_MS);
    gate.open();
    await turn();
    expect(channel.outcomes(1)).toEqual(values(undefined));
    expect(channel.outcomes(2)).toEqual([]);
    expect(channel.returned).toBe(4);
    expect(channel.results.at(-1)?.full).toBe(true);
  });
});

test('memory is looked at between jobs, though not between tiny ones', async () => {
  let looks = 0;
  const clock = new FakeClock();
  const rss = (): number => {
    looks += 1;
    return clock.now() < 30 ? 100 : 1001;
  };
  const { runner, channel } = await readyRunner(
    { workerProcess: (ms) => clock.pass(ms) },
    { maxMemory: 1000, rss, clock },
  );
  runner.accept(batchOf([...new Array(1000).fill(0.001), ...new Array(20).fill(10)], { budget: 1000 }));
  expect(looks).toBeLessThan(20);
  expect(channel.results.map(({ count, returned, full }) => [count, returned, full])).toEqual([
    [1003, 17, true],
  ]);
});

describe('a full channel', () => {
  test('keeps jobs from being started until it has room', async () => {
    const begun: number[] = [];
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner(
      {
        workerProcess: (job) => {
          begun.push(job);
          clock.pass(FLUSH_MS);
        },
      },
      { clock },
    );
    channel.isFull = true;
    runner.accept(batchOf([0, 1, 2]));
    await turn();
    expect(begun).toEqual([0]);
    clock.pass(1000);
    channel.drain();
    await turn();
    expect(begun).toEqual([0, 1, 2]);
    expect(channel.results.flatMap(millisecondsOf)).toEqual([FLUSH_MS, FLUSH_MS, FLUSH_MS]);
  });
});

describe('a timeout', () => {
  const late = { kind: 'timeout', error: { code: 'ERR_JOB_TIMEOUT', timeout: 100 } };

  test.each([1, 2])(
    'fires the signal at its time, and the attempt fails with it whatever it throws then (concurrency %i)',
    async (concurrency) => {
      const seen: unknown[] = [];
      const { runner, clock, channel } = await readyRunner(
        {
          workerProcess: (_, { signal }) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                seen.push(signal.reason);
                reject(new Error('I was told to stop'));
              });
            }),
        },
        { timeout: 100, concurrency },
      );
      runner.accept(batchOf([0]));
      clock.advance(99);
      expect(seen).toEqual([]);
      clock.advance(1);
      expect(seen).toMatchObject([{ code: 'ERR_JOB_TIMEOUT', timeout: 100 }]);
      await turn();
      expect(channel.outcomes()).toMatchObject([late]);
      expect(clock.pending).toBe(0);
    },
  );

  test('counts from the start of the attempt, the synchronous part included', async () => {
    let signal: AbortSignal | undefined;
    const { runner, clock } = await readyRunner(
      {
        workerProcess: (_, context) => {
          signal = context.signal;
          clock.pass(60);
          return new Promise(() => {});
        },
      },
      { timeout: 100 },
    );
    runner.accept(batchOf([0]));
    clock.advance(39);
    expect(signal?.aborted).toBe(false);
    clock.advance(1);
    expect(signal?.aborted).toBe(true);
  });

  test('leaves a job alone that ends in time, and its timer is gone', async () => {
    const gate = new Gate();
    const { runner, clock, channel } = await readyRunner(
      { workerProcess: () => gate.opened },
      { timeout: 100 },
    );
    runner.accept(batchOf([0]));
    clock.advance(100 - 1);
    gate.open();
    await turn();
    expect(channel.outcomes()).toEqual(values(undefined));
    expect(clock.pending).toBe(0);
  });

  test.each([
    ['ends too late', 'sync', () => 'a result'],
    [
      'throws too late',
      'sync',
      () => {
        throw new Error('something else');
      },
    ],
    ['ends too late', 'async', async () => 'a result'],
    ['throws too late', 'async', () => Promise.reject(new Error('something else'))],
  ])('is the error of a job that %s without having been interrupted (%s)', async (_, __, end) => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner(
      {
        workerProcess: (ms) => {
          clock.pass(ms);
          return end();
        },
      },
      { timeout: 100, clock },
    );
    runner.accept(batchOf([101]));
    await turn();
    expect(channel.outcomes()).toMatchObject([late]);
  });

  test('of a job that ignores its signal is reported when it ends', async () => {
    const gate = new Gate();
    const { runner, clock, channel } = await readyRunner(
      { workerProcess: () => gate.opened },
      { timeout: 100 },
    );
    runner.accept(batchOf([0]));
    clock.advance(5000);
    await turn();
    expect(channel.results).toEqual([]);
    gate.open();
    await turn();
    expect(channel.outcomes()).toMatchObject([late]);
  });

  test('does not count what neighbours did at a stretch against a job that waited beside them', async () => {
    const clock = new FakeClock();
    // What is wanted `soon` comes after what has arrived: here, when the test says so.
    clock.hold();
    const gates = [new Gate(), new Gate()];
    const { runner, channel } = await readyRunner(
      {
        workerProcess: (job) => {
          clock.pass(80);
          return gates[job]?.opened;
        },
      },
      { timeout: 100, concurrency: 2, clock },
    );
    runner.accept(batchOf([0, 1]));
    // The loop turns at last: the timers are looked at before what the jobs have waited for.
    clock.advance(20);
    for (const gate of gates) gate.open();
    await turn();
    clock.release();
    expect(channel.outcomes()).toEqual(values(undefined, undefined));
    expect(clock.pending).toBe(0);
  });

  test('leaves a job behind that never ends, a second later, where nobody can kill it', async () => {
    const { runner, clock, channel } = await readyRunner(
      { workerProcess: (job) => (job === 0 ? new Promise(() => {}) : job) },
      { timeout: 100, abandons: true },
    );
    runner.accept(batchOf([0, 1]));
    clock.advance(1099);
    await turn();
    expect(channel.results).toEqual([]);
    clock.advance(1);
    await turn();
    expect(channel.outcomes()).toMatchObject([late, { value: 1 }]);
    expect(clock.pending).toBe(0);
  });

  test('that is left behind and rejects later harms nobody', async () => {
    const gate = new Gate();
    const { runner, clock, channel } = await readyRunner(
      { workerProcess: () => gate.opened.then(() => Promise.reject(new Error('late'))) },
      { timeout: 100, abandons: true },
    );
    runner.accept(batchOf([0]));
    clock.advance(1100);
    await turn();
    gate.open();
    await turn();
    expect(channel.outcomes()).toMatchObject([late]);
  });

  test('has the start of attempts announced that no message of the last two milliseconds covers', async () => {
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner(
      { workerProcess: (ms) => clock.pass(ms) },
      { timeout: 100, clock },
    );
    clock.pass(50);
    runner.accept(batchOf([5, 5, 0.5, 0.5, 0.5, 0.5, 5]));
    expect(channel.types).toEqual(['started', 'results', 'results', 'results', 'results']);
    expect(channel.sent[0]).toMatchObject({ batch: 0, position: 0 });
  });

  test('has starts announced though jobs report progress, which tells nothing about starts', async () => {
    let last = 0;
    const gaps: number[] = [];
    const clock = new FakeClock();
    const { runner, channel } = await readyRunner(
      {
        workerProcess: (ms, { progress }) => {
          const at = channel.sent.filter(({ type }) => type !== 'progress').length;
          if (at !== last) gaps.push(0);
          else gaps.push((gaps.at(-1) ?? 0) + ms);
          last = at;
          progress('half');
          clock.pass(ms);
        },
      },
      { timeout: 100, clock },
    );
    runner.accept(batchOf(new Array(20).fill(1.5)));
    expect(Math.max(...gaps)).toBeLessThan(2);
  });

  test('has every start announced where several jobs run at once', async () => {
    const { runner, channel } = await readyRunner(
      { workerProcess: () => new Promise(() => {}) },
      { timeout: 100, concurrency: 3 },
    );
    runner.accept(batchOf([0, 0, 0, 0]));
    expect(channel.sent).toMatchObject([0, 1, 2].map((position) => ({ type: 'started', position })));
  });
});

describe('progress', () => {
  test('is sent at once, so before the end of its job', async () => {
    const { runner, channel } = await readyRunner({
      workerProcess: (_, { progress }) => {
        progress({ done: 1n });
        return 'done';
      },
    });
    runner.accept(batchOf([0], { first: 17 }));
    expect(channel.types).toEqual(['progress', 'results']);
    expect(channel.sent[0]).toMatchObject({ index: 17 });
  });

  test('that can not be sent throws into the job', async () => {
    let thrown: unknown;
    const { runner, channel } = await readyRunner({
      workerProcess: (_, { progress }) => {
        try {
          progress({ a: () => {} });
        } catch (error) {
          thrown = error;
        }
      },
    });
    runner.accept(batchOf([0], { first: 17 }));
    expect(thrown).toBeInstanceOf(SerializationError);
    expect(thrown).toMatchObject({
      path: 'a',
      message: expect.stringMatching(/^Cannot send the progress of job 17: /),
    });
    expect(channel.types).toEqual(['results']);
  });

  test('of a job that has ended is not sent: it would come after `completed`', async () => {
    const contexts: JobContext[] = [];
    const { runner, channel } = await readyRunner({
      workerProcess: (job, context) => {
        contexts.push(context);
        for (const { progress } of contexts) progress(job);
        return job === 0 ? 'sync' : Promise.resolve('async');
      },
    });
    runner.accept(batchOf([0, 1]));
    await turn();
    for (const { progress } of contexts) progress('late');
    const progressed = channel.sent.filter(({ type }) => type === 'progress');
    expect(progressed).toMatchObject([{ index: 0 }, { index: 1 }]);
  });
});

describe('finish', () => {
  test('lets what runs end, gives back the rest, and runs workerFinish after it', async () => {
    const gate = new Gate();
    const seen: unknown[] = [];
    const { runner, channel } = runnerOf({
      workerStartup: () => 'a connection',
      workerProcess: async (job) => {
        await gate.opened;
        seen.push(job);
      },
      workerFinish: ({ id, local, index, attempt }) => {
        seen.push({ id, local, index, attempt });
      },
    });
    await runner.begin(2);
    runner.accept(batchOf([0, 1, 2]));
    runner.accept(batchOf([3], { batch: 1 }));
    const finished = runner.finish();
    await turn();
    expect(seen).toEqual([]);
    expect(channel.returned).toBe(3);
    gate.open();
    await finished;
    expect(seen).toEqual([0, { id: 2, local: 'a connection', index: undefined, attempt: undefined }]);
    expect(channel.outcomes()).toEqual(values(undefined));
  });

  test('waits for workerFinish, which may be left out', async () => {
    const gate = new Gate();
    let isOver = false;
    const { runner } = await readyRunner({ workerFinish: () => gate.opened });
    const finished = runner.finish().then(() => {
      isOver = true;
    });
    await turn();
    expect(isOver).toBe(false);
    gate.open();
    await finished;
    expect(isOver).toBe(true);
    const { runner: plain, channel } = await readyRunner({});
    await plain.finish();
    expect(channel.sent).toEqual([]);
  });

  test('reports a workerFinish that throws', async () => {
    const { runner, channel } = await readyRunner({
      workerFinish: () => Promise.reject(new Error('no disk')),
    });
    await runner.finish();
    const [fatal] = channel.sent as Extract<ChildMessage, { type: 'fatal' }>[];
    expect(fatal).toMatchObject({ type: 'fatal', phase: 'finish' });
    expect(errorFromWire(fatal?.error).message).toBe('no disk');
  });

  test('gives back what comes later', async () => {
    const { runner, channel } = await readyRunner({});
    await runner.finish();
    runner.accept(batchOf([1, 2]));
    expect(channel.returned).toBe(2);
    expect(channel.outcomes()).toEqual([]);
  });

  test('that comes while workerStartup runs waits for it, and has what it made', async () => {
    const gate = new Gate();
    const seen: unknown[] = [];
    const { runner, channel } = runnerOf({
      async workerStartup() {
        await gate.opened;
        return 'a connection';
      },
      workerFinish: ({ local }) => seen.push(local),
    });
    void runner.begin(1);
    const finished = runner.finish();
    await turn();
    expect(seen).toEqual([]);
    gate.open();
    await finished;
    expect(seen).toEqual(['a connection']);
    expect(channel.returned).toBe(0);
  });

  test('has nothing to do after a workerStartup that failed, or that never ran', async () => {
    const seen: unknown[] = [];
    const workerFinish = () => seen.push('finished');
    const { runner } = runnerOf({ workerStartup: () => Promise.reject(new Error('no disk')), workerFinish });
    void runner.begin(1);
    await runner.finish();
    await runnerOf({ workerFinish }).runner.finish();
    expect(seen).toEqual([]);
  });
});

describe('abort', () => {
  const untilAborted = (_: number, { signal }: JobContext) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

  test('fires the signal of all that runs, gives back the rest, and waits until nothing runs', async () => {
    const { runner, channel } = await readyRunner({ workerProcess: untilAborted }, { concurrency: 2 });
    runner.accept(batchOf([0, 1, 2, 3]));
    await runner.abort();
    await turn();
    expect(channel.returned).toBe(2);
    expect(channel.outcomes()).toMatchObject([
      { kind: 'threw', error: { code: 'ERR_ABORTED' } },
      { kind: 'threw', error: { code: 'ERR_ABORTED' } },
    ]);
  });

  test('is seen by a job that looks at its signal only afterwards', async () => {
    const gate = new Gate();
    let reason: unknown;
    const { runner } = await readyRunner({
      workerProcess: async (_, context) => {
        await gate.opened;
        reason = context.signal.reason;
      },
    });
    runner.accept(batchOf([0]));
    const aborted = runner.abort();
    gate.open();
    await aborted;
    expect(reason).toMatchObject({ code: 'ERR_ABORTED', message: 'The run was aborted' });
  });

  test('keeps workerFinish from running, though the worker was finishing', async () => {
    const seen: unknown[] = [];
    const { runner } = await readyRunner({
      workerProcess: untilAborted,
      workerFinish: () => seen.push('finished'),
    });
    runner.accept(batchOf([0]));
    const finished = runner.finish();
    await runner.abort();
    await finished;
    expect(seen).toEqual([]);
  });

  test('of a worker that runs nothing is over at once', async () => {
    const { runner, channel } = await readyRunner({});
    await runner.abort();
    expect(channel.sent).toEqual([]);
  });
});

describe('a context', () => {
  test('has one signal, made when somebody looks at it', async () => {
    const seen: AbortSignal[] = [];
    const { runner } = await readyRunner({
      workerProcess: (_, context) => {
        seen.push(context.signal, context.signal);
      },
    });
    runner.accept(batchOf([0]));
    expect(seen[0]).toBe(seen[1]);
    expect(seen[0]?.aborted).toBe(false);
  });

  test('can be copied, but for its signal', async () => {
    const copies: object[] = [];
    const { runner } = await readyRunner({
      workerStartup: () => 'local',
      workerProcess: (_, context) => {
        copies.push({ ...context });
      },
    });
    runner.accept(batchOf([0]));
    expect(copies).toEqual([
      { id: 1, index: 0, attempt: 1, local: 'local', machine: undefined, progress: expect.any(Function) },
    ]);
  });
});
