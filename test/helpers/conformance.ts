import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Engine, ThreadFactoryOptions } from '../../src/options.js';

/**
 * What every engine promises: the same tests for local processes, for BullMQ and for an engine in memory. An engine is made
 * for each test; the machines that do its work may serve all of them.
 */

/** An engine under test. */
export interface Target {
  /** Starts what all tests share; resolves when it is ready. */
  start?(): Promise<void>;
  stop?(): Promise<void>;
  /** Undefined for local processes. */
  engine(): Engine | undefined;
}

/** The built package. */
export const ThreadFactory = createRequire(import.meta.url)(
  '../../dist/index.cjs',
) as typeof import('../../src/index.js').ThreadFactory;

/** What the workers run. */
export const SPEC = join(import.meta.dirname, '../conformance/spec.cjs');

type Job = number | { readonly do: string; readonly [field: string]: unknown };
type Factory = InstanceType<typeof ThreadFactory<Job, unknown>>;

/** Registers the suite. */
export function conformance(title: string, target: Target): void {
  const make = (options: ThreadFactoryOptions<Job> = {}): Factory => {
    const factory = new ThreadFactory<Job, unknown>(SPEC, {
      workers: 2,
      output: 'ignore',
      engine: target.engine(),
      ...options,
    });
    onTestFinished(() => factory.stop());
    return factory;
  };

  describe(`${title} keeps the promises of an engine`, () => {
    beforeAll(() => target.start?.());
    afterAll(() => target.stop?.());
    lists(make);
    errors(make);
    endings(make);
    records(make);
  });
}

type Make = (options?: ThreadFactoryOptions<Job>) => Factory;

function lists(make: Make): void {
  it.each([
    ['an array', () => [1, 2, 3]],
    [
      'a generator',
      function* () {
        yield* [1, 2, 3];
      },
    ],
    [
      'an async generator',
      async function* () {
        yield* [1, 2, 3];
      },
    ],
    ['an empty list', () => []],
  ])('gets %s done, with results in job order', async (_, list: () => unknown) => {
    const summary = await make().start(list());
    const isEmpty = summary.total === 0;
    expect(summary.results).toEqual(isEmpty ? [] : [2, 4, 6]);
    expect(summary).toMatchObject({ completed: isEmpty ? 0 : 3, failed: 0, skipped: 0, stopped: false });
  });

  it('tells of each job once, with what is to be known of it', async () => {
    const factory = make();
    const told: unknown[] = [];
    factory.on('completed', (job) => told.push(job));
    await factory.start([1, { do: 'about' }, { do: 'echo', value: { deep: ['x', null, 1.5, { y: true }] } }]);
    expect(told).toHaveLength(3);
    const byIndex = (told as { index: number }[]).sort((a, b) => a.index - b.index);
    expect(byIndex).toMatchObject([
      { index: 0, job: 1, result: 2, attempt: 1, total: 3 },
      { index: 1, result: { index: 1, attempt: 1 } },
      { index: 2, result: { deep: ['x', null, 1.5, { y: true }] } },
    ]);
    const done = (told as { done: number }[]).map((job) => job.done);
    expect(done.sort()).toEqual([1, 2, 3]);
    for (const { id, startedAt, duration } of told as { id: number; startedAt: number; duration: number }[]) {
      expect(id).toBeGreaterThanOrEqual(1);
      expect(Math.abs(Date.now() - startedAt)).toBeLessThan(60_000);
      expect(duration).toBeGreaterThanOrEqual(0);
    }
  });

  it('gets a few thousand small jobs done, each once', async () => {
    const factory = make();
    const seen = new Set<number>();
    let told = 0;
    factory.on('completed', ({ index }) => {
      told += 1;
      seen.add(index);
    });
    const { results } = await factory.start(Array.from({ length: 5_000 }, (_, n) => n));
    expect([told, seen.size]).toEqual([5_000, 5_000]);
    expect(results).toEqual(Array.from({ length: 5_000 }, (_, n) => 2 * n));
  });

  it('pulls a lazy list of a million jobs no further than it can hold', async () => {
    let pulled = 0;
    function* million(): Generator<Job> {
      for (; pulled < 1_000_000; pulled += 1) yield { do: 'work', ms: 2 };
    }
    const factory = make({ keepResults: false });
    let completed = 0;
    factory.on('completed', () => {
      completed += 1;
      if (completed === 50) void factory.stop();
    });
    const summary = await factory.start(million());
    expect(summary.stopped).toBe('stop');
    expect(summary.completed).toBeGreaterThanOrEqual(50);
    expect(pulled).toBeLessThan(20_000);
  });

  it('yields completed jobs in job order, with a gap where one failed', async () => {
    const factory = make({ ordered: true });
    factory.on('error', () => {});
    Object.assign(globalThis, {
      conformanceList: [{ do: 'wait', ms: 60 }, 1, { do: 'fail', message: 'gap' }, 3, 4],
    });
    const yielded: unknown[] = [];
    for await (const { index, result } of factory) yielded.push([index, result]);
    expect(yielded).toEqual([
      [0, 60],
      [1, 2],
      [3, 6],
      [4, 8],
    ]);
  });

  it('tells progress of a job before its completion', async () => {
    const factory = make();
    const told: unknown[] = [];
    factory.on('progress', ({ index, data }) => told.push([index, data]));
    factory.on('completed', ({ index }) => told.push([index, 'completed']));
    await factory.start([1, { do: 'progress', times: 3 }]);
    expect(told.filter((entry) => (entry as [number])[0] === 1)).toEqual([
      [1, { at: 1 }],
      [1, { at: 2 }],
      [1, { at: 3 }],
      [1, 'completed'],
    ]);
  });
}

function errors(make: Make): void {
  it('fails a job that throws, with the error as it was, and no other', async () => {
    const factory = make();
    const failures: { error: Error; failure: unknown }[] = [];
    factory.on('error', (error, failure) => failures.push({ error, failure }));
    const job = { do: 'fail', message: 'as it was' };
    const { results } = await factory.start([1, job, 3]);
    expect(results).toEqual([2, undefined, 6]);
    expect(failures).toHaveLength(1);
    const [{ error, failure } = { error: undefined, failure: undefined }] = failures;
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: 'as it was', code: 'E_TEST', detail: { a: [1, 2] } });
    expect(error?.cause).toBeInstanceOf(TypeError);
    expect(error?.stack).toContain('spec.cjs');
    expect(failure).toMatchObject({ index: 1, job, attempts: 1 });
  });

  it('rejects with all failures where nobody listens', async () => {
    const run = make().start([1, { do: 'fail', message: 'silent' }]);
    await expect(run).rejects.toMatchObject({
      code: 'ERR_JOBS_FAILED',
      summary: { completed: 1, failed: 1 },
    });
  });

  it('runs a job again that threw, after its delay, and tells of it', async () => {
    const factory = make({ retries: { limit: 3, delay: 5 } });
    const retries: unknown[] = [];
    factory.on('retry', (error, { index, attempt, delay }) =>
      retries.push([error.message, index, attempt, delay]),
    );
    const { results } = await factory.start([1, { do: 'fail-until', attempt: 3 }]);
    expect(results).toEqual([2, 3]);
    expect(retries).toEqual([
      ['attempt 1', 1, 1, 5],
      ['attempt 2', 1, 2, 5],
    ]);
  });

  it('fails a job when its retries are spent', async () => {
    const factory = make({ retries: 1 });
    factory.on('error', () => {});
    const { failures } = await factory.start([{ do: 'fail-until', attempt: 9 }]);
    expect(failures).toMatchObject([{ index: 0, attempts: 2, error: { message: 'attempt 2' } }]);
  });

  it('ends an attempt that is over its time, in an endless loop too, and its neighbours run', async () => {
    const factory = make({ timeout: 200 });
    factory.on('error', () => {});
    const { results, failures } = await factory.start([1, { do: 'spin' }, 3, 4]);
    expect(results).toEqual([2, undefined, 6, 8]);
    expect(failures).toMatchObject([
      { index: 1, attempts: 1, error: { code: 'ERR_JOB_TIMEOUT', timeout: 200 } },
    ]);
  });

  it('fails a job that kills its worker when it is alone, and runs its neighbours', async () => {
    const factory = make({ crashRetries: 1 });
    const retries: unknown[] = [];
    factory
      .on('error', () => {})
      .on('retry', (error, { index, attempt }) => {
        retries.push([(error as { code?: unknown }).code, index, attempt]);
      });
    const list = [1, 2, { do: 'die' }, 4, 5, 6];
    const { results, failures } = await factory.start(list);
    expect(results).toEqual([2, 4, undefined, 8, 10, 12]);
    expect(failures).toMatchObject([
      { index: 2, attempts: 2, error: { code: 'ERR_WORKER_CRASH', signal: 'SIGKILL' } },
    ]);
    expect(retries).toEqual([['ERR_WORKER_CRASH', 2, 1]]);
  });

  it('fails a job that can not be sent, and one whose result can not', async () => {
    const factory = make();
    factory.on('error', () => {});
    const unsendable = { do: 'echo', value: { inner: () => {} } };
    const { results, failures } = await factory.start([1, unsendable, { do: 'function' }, 4]);
    expect(results).toEqual([2, undefined, undefined, 8]);
    const codes = failures.map(({ index, error }) => [index, (error as { code?: unknown }).code]);
    expect(codes.sort()).toEqual([
      [1, 'ERR_SERIALIZATION'],
      [2, 'ERR_SERIALIZATION'],
    ]);
    expect(failures.find(({ index }) => index === 1)?.error.message).toContain('"value.inner"');
  });

  it('ends with the error of a list that throws midway', async () => {
    function* half(): Generator<Job> {
      yield 1;
      throw new Error('half a list');
    }
    await expect(make().start(half())).rejects.toThrow('half a list');
  });
}

function endings(make: Make): void {
  it('stops after so many failures', async () => {
    const factory = make({ bail: 2 });
    factory.on('error', () => {});
    const list = Array.from({ length: 400 }, (): Job => ({ do: 'fail', message: 'again' }));
    const { stopped, failed } = await factory.start(list);
    expect(stopped).toBe('bail');
    expect(failed).toBeGreaterThanOrEqual(2);
    expect(failed).toBeLessThan(400);
  });

  it('stops when it is told: what runs ends, what waits for a retry is left', async () => {
    const factory = make({ retries: { limit: 1, delay: 60_000 } });
    const told: string[] = [];
    factory.on('finished', () => told.push('finished'));
    const retried = new Promise<void>((resolve) => {
      factory.once('retry', () => resolve());
    });
    const run = factory.start([
      { do: 'fail-until', attempt: 2 },
      { do: 'wait', ms: 50 },
    ]);
    await retried;
    await factory.stop();
    expect(told).toEqual(['finished']);
    expect(await run).toMatchObject({ stopped: 'stop', failed: 0 });
  });

  it('is aborted at once, with the reason of the signal, and without finished', async () => {
    const controller = new AbortController();
    const factory = make({ signal: controller.signal });
    let finished = false;
    factory.on('finished', () => {
      finished = true;
    });
    factory.once('completed', () => controller.abort(new Error('enough')));
    await expect(factory.start([1, { do: 'wait', ms: 60_000 }])).rejects.toThrow('enough');
    expect(finished).toBe(false);
  });

  it('hands out nothing while it is paused', async () => {
    const factory = make();
    let completed = 0;
    factory.on('completed', () => {
      completed += 1;
    });
    factory.pause();
    const run = factory.start(
      (function* (): Generator<Job> {
        yield 1;
        yield 2;
      })(),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(completed).toBe(0);
    factory.unpause();
    expect(await run).toMatchObject({ completed: 2 });
  });
}

function records(make: Make): void {
  it('goes on from a journal: what is recorded is not run again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'threadfactory-conformance-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const journal = join(folder, 'run.jsonl');
    const first = make({ journal });
    first.on('error', () => {});
    const begun = await first.start([1, { do: 'fail', message: 'for now' }, 3]);
    expect(begun).toMatchObject({ completed: 2, failed: 1 });
    const again = make({ journal });
    again.on('error', () => {});
    const told: number[] = [];
    again.on('completed', ({ index }) => told.push(index));
    const summary = await again.start([1, { do: 'fail', message: 'for now' }, 3, 4]);
    expect(summary).toMatchObject({ completed: 1, failed: 1, skipped: 2 });
    expect(summary.results).toEqual([2, undefined, 6, 8]);
    expect(told).toEqual([3]);
  });
}
