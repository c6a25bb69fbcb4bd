import { spawn } from 'node:child_process';
import { once as event } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { JobFailure } from '../../src/index.js';
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
  const made: Factory[] = [];
  // Local processes are as many as a test has use for: one, unless it says so. With machines they are theirs.
  const make = (options: ThreadFactoryOptions<Job> = {}): Factory => {
    const factory = new ThreadFactory<Job, unknown>(SPEC, {
      workers: 1,
      output: 'ignore',
      engine: target.engine(),
      ...options,
    });
    made.push(factory);
    return factory;
  };

  describe(`${title} keeps the promises of an engine`, () => {
    beforeAll(() => target.start?.());
    afterEach(async () => {
      for (const factory of made.splice(0)) await factory.stop();
    });
    afterAll(() => target.stop?.());
    lists(make);
    lotsOfJobs(make);
    errors(make);
    retries(make);
    endings(make);
    records(make);
    // Machines start their workers anew for a run with another time limit, and once more after it.
    times(make);
  });
}

type Make = (options?: ThreadFactoryOptions<Job>) => Factory;

/** Runs for the first test that asks, whichever it is; the others look at the same. */
function once<Result>(run: () => Promise<Result>): () => Promise<Result> {
  let first: Promise<Result> | undefined;
  return () => {
    first ??= run();
    return first;
  };
}

function lists(make: Make): void {
  /** A list of good jobs, and what was told of them in the order in which it was. */
  const good = once(async () => {
    const factory = make({ workers: 2 });
    const told: { index: number; data?: unknown; done?: number }[] = [];
    factory.on('progress', ({ index, data }) => told.push({ index, data }));
    factory.on('completed', (job) => told.push(job));
    const value = { deep: ['x', null, 1.5, { y: true }] };
    const list = [1, { do: 'about' }, { do: 'echo', value }, { do: 'progress', times: 3 }];
    return { summary: await factory.start(list), told };
  });

  /** A generator whose jobs have to wait until it is unpaused. */
  const held = once(async () => {
    const factory = make();
    let completed = 0;
    factory.on('completed', () => {
      completed += 1;
    });
    factory.pause();
    const run = factory.start(
      (function* (): Generator<Job> {
        yield* [1, 2, 3];
      })(),
    );
    // A process comes and goes twice, while a worker would be there and do what it was given.
    for (let i = 0; i < 2; i += 1) await event(spawn(process.execPath, ['-e', '']), 'exit');
    const whilePaused = completed;
    factory.unpause();
    return { whilePaused, summary: await run };
  });

  const inFull = { completed: 3, failed: 0, skipped: 0, stopped: false, results: [2, 4, 6] };

  it('gets an array done, with results in job order', async () => {
    const { summary } = await good();
    const results = [2, { index: 1 }, { deep: ['x', null, 1.5, { y: true }] }, 'told'];
    expect(summary).toMatchObject({ completed: 4, failed: 0, skipped: 0, stopped: false, results });
  });

  it('gets a generator done, with results in job order', async () => {
    expect((await held()).summary).toMatchObject(inFull);
  });

  it('gets an async generator done, with results in job order', async () => {
    const list = (async function* () {
      yield* [1, 2, 3];
    })();
    expect(await make().start(list)).toMatchObject(inFull);
  });

  it('gets an empty list done', async () => {
    const nothing = { total: 0, completed: 0, failed: 0, skipped: 0, stopped: false, results: [] };
    expect(await make().start([])).toMatchObject(nothing);
  });

  it('hands out nothing while it is paused', async () => {
    const { whilePaused, summary } = await held();
    expect(whilePaused).toBe(0);
    expect(summary).toMatchObject({ completed: 3 });
  });

  it('tells of each job once, with what is to be known of it', async () => {
    const told = (await good()).told.filter((entry) => !('data' in entry));
    expect(told).toHaveLength(4);
    const byIndex = [...told].sort((a, b) => a.index - b.index);
    expect(byIndex).toMatchObject([
      { index: 0, job: 1, result: 2, attempt: 1, total: 4 },
      { index: 1, result: { index: 1, attempt: 1 } },
      { index: 2, result: { deep: ['x', null, 1.5, { y: true }] } },
      { index: 3, result: 'told' },
    ]);
    expect(told.map(({ done }) => done).sort()).toEqual([1, 2, 3, 4]);
    for (const { id, startedAt, duration } of told as unknown as Record<string, number>[]) {
      expect(id).toBeGreaterThanOrEqual(1);
      expect(Math.abs(Date.now() - (startedAt ?? 0))).toBeLessThan(60_000);
      expect(duration).toBeGreaterThanOrEqual(0);
    }
  });

  it('tells progress of a job before its completion', async () => {
    const told = (await good()).told.filter(({ index }) => index === 3);
    expect(told.map((entry) => ('data' in entry ? entry.data : 'completed'))).toEqual([
      { at: 1 },
      { at: 2 },
      { at: 3 },
      'completed',
    ]);
  });
}

function lotsOfJobs(make: Make): void {
  it('gets a few thousand small jobs done, each once', async () => {
    const factory = make({ workers: 2 });
    const seen = new Set<number>();
    let told = 0;
    factory.on('completed', ({ index }) => {
      told += 1;
      seen.add(index);
    });
    const { results } = await factory.start(Array.from({ length: 2_000 }, (_, n) => n));
    expect([told, seen.size]).toEqual([2_000, 2_000]);
    expect(results).toEqual(Array.from({ length: 2_000 }, (_, n) => 2 * n));
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
    const factory = make({ workers: 2, ordered: true });
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
}

function errors(make: Make): void {
  /** Good jobs and bad ones in one list, and the failures that were told. */
  const bad = { do: 'fail', message: 'as it was' };
  const mixed = once(async () => {
    const factory = make({ workers: 2 });
    const told: { error: Error; failure: JobFailure | undefined }[] = [];
    factory.on('error', (error, failure) => told.push({ error, failure }));
    const unsendable = { do: 'echo', value: { inner: () => {} } };
    return { summary: await factory.start([1, bad, 3, unsendable, { do: 'function' }, 6]), told };
  });

  it('fails a job that throws, with the error as it was, and no other', async () => {
    const { summary, told } = await mixed();
    expect(summary.results).toEqual([2, undefined, 6, undefined, undefined, 12]);
    expect(told.map(({ failure }) => failure?.index).sort()).toEqual([1, 3, 4]);
    const { error, failure } = told.find(({ failure: its }) => its?.index === 1) ?? {};
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: 'as it was', code: 'E_TEST', detail: { a: [1, 2] } });
    expect(error?.cause).toBeInstanceOf(TypeError);
    expect(error?.stack).toContain('spec.cjs');
    expect(failure).toMatchObject({ index: 1, job: bad, attempts: 1 });
  });

  it('fails a job that can not be sent, and one whose result can not', async () => {
    const { failures } = (await mixed()).summary;
    const codes = failures.map(({ index, error }) => [index, (error as { code?: unknown }).code]);
    expect(codes.sort()).toEqual([
      [1, 'E_TEST'],
      [3, 'ERR_SERIALIZATION'],
      [4, 'ERR_SERIALIZATION'],
    ]);
    expect(failures.find(({ index }) => index === 3)?.error.message).toContain('"value.inner"');
  });

  it('rejects with all failures where nobody listens', async () => {
    const run = make().start([1, { do: 'fail', message: 'silent' }]);
    await expect(run).rejects.toMatchObject({
      code: 'ERR_JOBS_FAILED',
      summary: { completed: 1, failed: 1 },
    });
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

  it('ends with the error of a list that throws midway', async () => {
    function* half(): Generator<Job> {
      yield 1;
      throw new Error('half a list');
    }
    await expect(make().start(half())).rejects.toThrow('half a list');
  });
}

function retries(make: Make): void {
  /** Two jobs that throw: one until its last attempt, one for ever. */
  const again = once(async () => {
    const factory = make({ retries: { limit: 2, delay: 5 } });
    factory.on('error', () => {});
    const told: unknown[][] = [];
    factory.on('retry', (error, { index, attempt, delay }) =>
      told.push([error.message, index, attempt, delay]),
    );
    const list = [1, { do: 'fail-until', attempt: 3 }, { do: 'fail-until', attempt: 9 }];
    return { summary: await factory.start(list), told };
  });

  it('runs a job again that threw, after its delay, and tells of it', async () => {
    const { summary, told } = await again();
    expect(summary.results).toEqual([2, 3, undefined]);
    expect(told.filter(([, index]) => index === 1)).toEqual([
      ['attempt 1', 1, 1, 5],
      ['attempt 2', 1, 2, 5],
    ]);
  });

  it('fails a job when its retries are spent', async () => {
    const { summary, told } = await again();
    expect(summary.failures).toMatchObject([{ index: 2, attempts: 3, error: { message: 'attempt 3' } }]);
    expect(told.filter(([, index]) => index === 2)).toHaveLength(2);
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

function times(make: Make): void {
  it('ends an attempt that is over its time, though its process is blocked, and its neighbours run', async () => {
    const factory = make({ timeout: 800 });
    factory.on('error', () => {});
    const { results, failures } = await factory.start([1, { do: 'block' }, 3, 4]);
    expect(results).toEqual([2, undefined, 6, 8]);
    expect(failures).toMatchObject([
      { index: 1, attempts: 1, error: { code: 'ERR_JOB_TIMEOUT', timeout: 800 } },
    ]);
  });
}
