import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { useJournalledRuns } from '../helpers/journalled.js';

const runs = useJournalledRuns();
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const byValue = (job: unknown): string => String(job);
const resultOf = (job: unknown): string => `result of ${String(job)}`;

const LISTS: readonly (readonly [string, (jobs: readonly unknown[]) => unknown])[] = [
  ['an array', (jobs) => [...jobs]],
  ['a Set', (jobs) => new Set(jobs)],
  [
    'a generator',
    function* (jobs) {
      yield* jobs;
    },
  ],
  [
    'an async generator',
    async function* (jobs) {
      yield* jobs;
    },
  ],
];

describe.each(LISTS)('a journal of a list that is %s', (_, listOf) => {
  it.each([
    ['without a key', undefined],
    ['with one', byValue],
  ])('that is complete runs no job, and managerFinish again (%s)', async (_, key) => {
    const all = { jobs: () => listOf(numbers(30)), options: key === undefined ? {} : { key } };
    await runs.live(all);
    const text = readFileSync(runs.path(), 'utf8');
    const startups: unknown[] = [];
    const life = await runs.live({
      ...all,
      spec: {
        workerStartup: (context) => startups.push(context.id),
        managerFinish: ({ results, skipped }) => `${skipped} skipped, the last: ${results[29]}`,
      },
    });
    expect(life.rejection).toBeUndefined();
    expect([life.ran, life.completed, life.failed, startups]).toEqual([[], [], [], []]);
    expect(life.summary).toMatchObject({ total: 30, completed: 0, failed: 0, skipped: 30, stopped: false });
    expect(life.summary?.results).toEqual(numbers(30).map(resultOf));
    expect(life.summary?.value).toBe('30 skipped, the last: result of 29');
    expect(readFileSync(runs.path(), 'utf8')).toBe(text);
  });

  it('that has changed says at which position, once, and runs no job', async () => {
    await runs.live({ jobs: () => listOf(numbers(30)) });
    const text = readFileSync(runs.path(), 'utf8');
    const changed = numbers(40).map((n) => (n < 3 ? n : n + 100));
    const life = await runs.live({ jobs: () => listOf(changed), options: { batchSize: 100 } });
    expect(life.rejection).toMatchObject({
      code: 'ERR_JOURNAL',
      message: expect.stringMatching(/job 3 .*choose another path.*`key`/s),
    });
    expect(life.runErrors).toEqual([life.rejection]);
    expect([life.ran, life.completed, life.failed]).toEqual([[], [], []]);
    expect(readFileSync(runs.path(), 'utf8')).toBe(text);
    expect((await runs.live({ jobs: () => listOf(numbers(30)) })).summary?.skipped).toBe(30);
  });

  it('runs only what is new of a list that has grown, shrunk and been reordered, with a key', async () => {
    const options = { key: byValue };
    await runs.live({ jobs: () => listOf(['b', 'a', 'gone', 'c']), options });
    const life = await runs.live({ jobs: () => listOf(['new', 'c', 'a', 'newer', 'b']), options });
    expect(life.rejection).toBeUndefined();
    expect([...life.ran].sort()).toEqual(['new', 'newer']);
    expect([...life.completed].sort()).toEqual([0, 3]);
    expect(life.summary).toMatchObject({ total: 5, completed: 2, skipped: 3 });
    expect(life.summary?.results).toEqual(['new', 'c', 'a', 'newer', 'b'].map(resultOf));
  });

  it('tries failed jobs again, and none that completed', async () => {
    const jobs = () => listOf(numbers(20));
    const first = await runs.live({
      jobs,
      spec: {
        workerProcess: (job) => {
          if (Number(job) % 5 === 0) throw new Error(`no ${job}`);
          return resultOf(job);
        },
      },
    });
    expect(first.failed).toEqual([0, 5, 10, 15]);
    const second = await runs.live({ jobs });
    expect(second.ran).toEqual([0, 5, 10, 15]);
    expect(second.summary).toMatchObject({ completed: 4, failed: 0, skipped: 16 });
    expect(second.summary?.results).toEqual(numbers(20).map(resultOf));
  });

  it('that was stopped goes on, its unsettled jobs not recorded', async () => {
    const jobs = () => listOf(numbers(50));
    const first = await runs.live({
      jobs,
      options: { batchSize: 1 },
      meanwhile: (factory) =>
        factory.on('completed', ({ done }) => {
          if (done === 7) void factory.stop();
        }),
    });
    expect(first.summary?.stopped).toBe('stop');
    const done = first.summary?.completed ?? 0;
    expect(done).toBeGreaterThanOrEqual(7);
    expect(done).toBeLessThan(50);
    expect(runs.lines()).toHaveLength(done);
    const second = await runs.live({ jobs });
    expect(second.summary).toMatchObject({ total: 50, completed: 50 - done, skipped: done, stopped: false });
    expect(second.summary?.results).toEqual(numbers(50).map(resultOf));
  });

  it('that was aborted goes on', async () => {
    const jobs = () => listOf(numbers(50));
    const controller = new AbortController();
    const first = await runs.live({
      jobs,
      options: { batchSize: 1, signal: controller.signal },
      meanwhile: (factory) =>
        factory.on('completed', ({ done }) => {
          if (done === 7) controller.abort(new Error('enough'));
        }),
    });
    expect(first.rejection?.message).toBe('enough');
    const done = runs.lines().length;
    expect(done).toBeGreaterThanOrEqual(7);
    const second = await runs.live({ jobs });
    expect(second.summary).toMatchObject({ total: 50, completed: 50 - done, skipped: done });
    expect(second.summary?.results).toEqual(numbers(50).map(resultOf));
  });

  it('yields in a loop what is run, and not what was skipped', async () => {
    const jobs = () => listOf(numbers(20));
    await runs.live({ jobs, options: { bail: 1 }, spec: { workerProcess: evenOnly } });
    const { skipped, indices } = await iterated(jobs, {});
    expect(skipped + indices.length).toBe(20);
    expect(skipped).toBeGreaterThan(0);
    expect(indices.length).toBeGreaterThan(0);
  });

  it('that was left in a loop goes on, and yields no job twice', async () => {
    const jobs = () => listOf(numbers(50));
    const first: number[] = [];
    for await (const { index } of runs.factory({ jobs, options: { batchSize: 1 } })) {
      first.push(index);
      if (first.length === 3) break;
    }
    const recorded = runs.lines().length;
    const { skipped, indices } = await iterated(jobs, {});
    expect([skipped, indices.length]).toEqual([recorded, 50 - recorded]);
    expect(indices.filter((index) => first.includes(index))).toEqual([]);
  });

  it('yields in order what is run, as it comes, although others were skipped', async () => {
    const skipping = numbers(20).filter((n) => n % 4 !== 1);
    await runs.live({ jobs: () => skipping, options: { key: byValue } });
    const { skipped, indices } = await iterated(() => listOf(numbers(20)), { ordered: true, key: byValue });
    expect(skipped).toBe(15);
    expect(indices).toEqual([1, 5, 9, 13, 17]);
  });

  it('keeps no results where none are wanted, and counts what was skipped', async () => {
    const jobs = () => listOf(numbers(20));
    await runs.live({ jobs });
    const life = await runs.live({ jobs, options: { keepResults: false } });
    expect(life.summary).toMatchObject({ total: 20, skipped: 20, completed: 0, results: [] });
  });
});

function evenOnly(job: unknown): unknown {
  if (Number(job) === 9) throw new Error('odd');
  return resultOf(job);
}

async function iterated(
  jobs: () => unknown,
  options: object,
): Promise<{ skipped: number; indices: number[] }> {
  const factory = runs.factory({ jobs, options });
  const indices: number[] = [];
  for await (const { index, job, result } of factory) {
    expect(result).toBe(resultOf(job));
    indices.push(index);
  }
  return { skipped: factory.summary?.skipped ?? 0, indices };
}

describe('two jobs with one key', () => {
  const jobs = ['a', 'b', 'c', 'b', 'd'];

  it('in an array are an error at once, and no job runs', async () => {
    const life = await runs.live({ jobs: () => jobs, options: { key: byValue } });
    expect(life.rejection).toMatchObject({
      code: 'ERR_JOURNAL',
      message: expect.stringMatching(/the key "b".*job 3 is the second/),
    });
    expect(life.runErrors).toEqual([life.rejection]);
    expect([life.ran, life.failed, runs.lines()]).toEqual([[], [], []]);
  });

  it('in an array are an error at once where one of them is recorded already', async () => {
    await runs.live({ jobs: () => ['a', 'b'], options: { key: byValue } });
    const life = await runs.live({ jobs: () => jobs, options: { key: byValue } });
    expect(life.rejection).toMatchObject({ code: 'ERR_JOURNAL' });
    expect(life.ran).toEqual([]);
    expect((await runs.live({ jobs: () => ['a', 'b'], options: { key: byValue } })).summary?.skipped).toBe(2);
  });

  it('in a lazy list fail the second one alone, each time, and all others run', async () => {
    for (const [ran, skipped, refused] of [
      [['a', 'b', 'c', 'd'], 0, 1],
      [[], 4, 2],
    ] as const) {
      const life = await runs.live({ jobs: () => lazily(jobs), options: { key: byValue } });
      expect(life.rejection).toBeUndefined();
      expect([life.ran, life.failed]).toEqual([ran, [3]]);
      expect(life.summary).toMatchObject({ total: 5, failed: 1, skipped });
      expect(life.summary?.failures[0]?.error).toMatchObject({ code: 'ERR_JOURNAL' });
      const recorded = runs.lines().map(({ type }) => type);
      expect(recorded.filter((type) => type === 'completed')).toHaveLength(4);
      expect(recorded.filter((type) => type === 'failed')).toHaveLength(refused);
    }
  });

  it('in a lazy list are told of on the diagnostics channel, as all failures are', async () => {
    const told: unknown[] = [];
    const note = (message: unknown): void => {
      const { index, error } = message as { index: number; error?: { code: string } };
      told.push([index, error?.code]);
    };
    subscribe('threadfactory:job', note);
    await runs.live({ jobs: () => lazily(['a', 'a']), options: { key: byValue } });
    unsubscribe('threadfactory:job', note);
    expect(told.sort()).toEqual([
      [0, undefined],
      [1, 'ERR_JOURNAL'],
    ]);
  });

  it('in a lazy list count for bail', async () => {
    const life = await runs.live({ jobs: () => lazily(jobs), options: { key: byValue, bail: 1 } });
    expect(life.summary).toMatchObject({ stopped: 'bail', failed: 1 });
  });
});

describe('a key that is no string', () => {
  it('is an error at once for an array, and says for which job', async () => {
    const key = (job: unknown): string => (job === 'c' ? (undefined as never) : String(job));
    const life = await runs.live({ jobs: () => ['a', 'b', 'c'], options: { key } });
    expect(life.rejection).toMatchObject({
      code: 'ERR_JOURNAL',
      message: expect.stringMatching(/string for job 2, got undefined/),
    });
    expect(life.ran).toEqual([]);
  });
});

function* lazily(jobs: readonly unknown[]): Generator<unknown> {
  yield* jobs;
}

describe('a job', () => {
  it('is in the journal before its event is emitted', async () => {
    const recorded: boolean[] = [];
    const life = await runs.live({
      jobs: () => numbers(20),
      options: { batchSize: 5 },
      spec: { workerProcess: evenOnly },
      meanwhile: (factory) => {
        const has = (index: number): boolean => runs.lines().some((line) => line.index === index);
        factory.on('completed', ({ index }) => recorded.push(has(index)));
        factory.on('error', (_, failure) => recorded.push(has(failure?.index ?? -1)));
      },
    });
    expect(life.summary).toMatchObject({ completed: 19, failed: 1 });
    expect(recorded).toEqual(new Array(20).fill(true));
  });

  it('that is retried has a line for each attempt, and begins anew in the next run', async () => {
    const attempts: number[] = [];
    const jobs = () => ['stubborn'];
    const first = await runs.live({
      jobs,
      options: { retries: 2 },
      spec: {
        workerProcess: (_, { attempt }) => {
          attempts.push(attempt);
          throw new Error(`attempt ${attempt}`);
        },
      },
    });
    expect(first.summary).toMatchObject({ failed: 1, completed: 0 });
    expect(runs.lines().map(({ type, attempt }) => [type, attempt])).toEqual([
      ['retry', 1],
      ['retry', 2],
      ['failed', 3],
    ]);
    const second = await runs.live({ jobs, options: { retries: 2 } });
    expect([attempts, second.completed]).toEqual([[1, 2, 3], [0]]);
    expect(runs.lines().at(-1)).toMatchObject({ type: 'completed', attempt: 1 });
  });

  it('that timed out is tried again', async () => {
    const jobs = () => numbers(4);
    const first = await runs.live({
      jobs,
      options: { timeout: 20, concurrency: 4 },
      spec: { workerProcess: (job) => (job === 2 ? new Promise(() => {}) : resultOf(job)) },
    });
    expect(first.failed).toEqual([2]);
    expect(first.summary?.failures[0]?.error).toMatchObject({ code: 'ERR_JOB_TIMEOUT' });
    const second = await runs.live({ jobs });
    expect([second.ran, second.summary?.skipped]).toEqual([[2], 3]);
  });

  it.each([['without a key'], ['with a key']])(
    'has its result back exactly as it was (%s)',
    async (identity) => {
      const circle: unknown[] = [];
      circle.push(circle);
      const values: readonly unknown[] = [
        ...[undefined, null, Number.NaN, -0, Number.POSITIVE_INFINITY, 2n ** 70n, '', 'ü\u2028\ud800'],
        ...[new Date(0), /x/gi, new Map([[{ a: 1 }, new Set([1])]]), Buffer.from('bytes')],
        ...[new Float64Array([1, Number.NaN]), new ArrayBuffer(3), new RangeError('far'), circle],
        ...[
          { deep: [{ is: undefined }, [-0]] },
          JSON.parse('{"__proto__":1}'),
          [1, 'two', { three: [true] }],
        ],
      ];
      const setup = {
        jobs: () => values.map((_, i) => i),
        options: identity === 'with a key' ? { key: byValue } : {},
        spec: { workerProcess: (job: unknown) => values[Number(job)] },
      };
      const first = await runs.live(setup);
      const second = await runs.live(setup);
      expect([second.ran, second.summary?.skipped]).toEqual([[], values.length]);
      expect(isDeepStrictEqual(first.summary?.results, values)).toBe(true);
      expect(isDeepStrictEqual(second.summary?.results, values)).toBe(true);
    },
  );
});

describe('a second run on one journal', () => {
  it('is refused with the name of the first, until the first is over', async () => {
    const jobs = () => numbers(4);
    const refusals: unknown[] = [];
    const attempt = async (): Promise<void> => {
      const second = await runs.live({ jobs });
      refusals.push([second.rejection?.code, second.rejection?.message, second.ran]);
    };
    let during = Promise.resolve();
    const first = await runs.live({
      jobs,
      meanwhile: (factory) =>
        factory.once('completed', () => {
          during = attempt();
        }),
      spec: {
        managerFinish: async () => {
          await during;
          await attempt();
        },
      },
    });
    expect(first.rejection).toBeUndefined();
    const refused = ['ERR_JOURNAL', expect.stringMatching(/in use by this process itself.*Wait/s), []];
    expect(refusals).toEqual([refused, refused]);
    expect((await runs.live({ jobs })).summary?.skipped).toBe(4);
  });
});

describe('in order', () => {
  it('a result is yielded before the list has ended, although the jobs before it were skipped', async () => {
    const options = { key: byValue, ordered: true };
    await runs.live({ jobs: () => numbers(10), options: { key: byValue } });
    let goOn = (): void => {};
    const yielded = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const factory = runs.factory({
      options,
      jobs: async function* () {
        yield* numbers(12);
        await yielded;
        yield* [12, 13];
      },
    });
    const indices: number[] = [];
    for await (const { index } of factory) {
      indices.push(index);
      if (index === 11) goOn();
    }
    expect(indices).toEqual([10, 11, 12, 13]);
  });

  it('a slow job holds back no run, however many were skipped behind it', async () => {
    // An ordered run looks 4096 jobs ahead: job 4097 shares its place in the window with job 1.
    const running = [0, 4095, 4096, 8190, 8192, 8250];
    const recorded = numbers(8300).filter((n) => !running.includes(n));
    await runs.live({ jobs: () => recorded, options: { key: byValue } });
    let release = (): void => {};
    const slow = new Promise<void>((resolve) => {
      release = resolve;
    });
    const begun: unknown[] = [];
    const factory = runs.factory({
      options: { key: byValue, ordered: true, batchSize: 2, concurrency: 4 },
      jobs: () => numbers(8300),
      spec: {
        workerProcess: async (job) => {
          begun.push(job);
          if (job === 0) await slow;
          return resultOf(job);
        },
      },
    });
    let before: unknown[] = [];
    factory.on('completed', ({ index }) => {
      // The last that may begin beside the first: nothing else could be running.
      if (index !== 4095) return;
      before = [...begun];
      release();
    });
    const indices: number[] = [];
    for await (const { index } of factory) indices.push(index);
    expect(before).toEqual([0, 4095]);
    expect(indices).toEqual(running);
  });
});
