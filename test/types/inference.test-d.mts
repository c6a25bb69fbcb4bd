import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import ThreadFactory, {
  type Completed,
  type Summary,
  type ThreadFactoryOptions,
  type ThreadFactorySpec,
} from 'threadfactory';
import { describe, expectTypeOf, it } from 'vitest';

// What a factory's four type parameters came to.
type Types<F> =
  F extends ThreadFactory<infer Job, infer Result, infer Local, infer Value>
    ? [Job, Result, Local, Value]
    : never;

interface Log {
  key: string;
  size: number;
}

const list = (): Log[] => [{ key: 'a.gz', size: 1 }];

describe('a spec written in order', () => {
  it('needs no annotation when its functions are synchronous', () => {
    const factory = new ThreadFactory({
      manager: () => list(),
      workerStartup: (context) => {
        expectTypeOf(context.id).toEqualTypeOf<number>();
        return { client: new Map<string, number>() };
      },
      workerProcess: (job, context) => {
        expectTypeOf(job).toEqualTypeOf<Log>();
        expectTypeOf(context.local.client).toEqualTypeOf<Map<string, number>>();
        return job.size * 2;
      },
      workerFinish: (context) => {
        expectTypeOf(context.local.client).toEqualTypeOf<Map<string, number>>();
      },
      managerFinish: (summary) => {
        expectTypeOf(summary.results).toEqualTypeOf<(number | undefined)[]>();
        expectTypeOf(summary.failures[0]?.job).toEqualTypeOf<Log | undefined>();
        return 'total';
      },
    });
    expectTypeOf<Types<typeof factory>>().toEqualTypeOf<
      [Log, number, { client: Map<string, number> }, string]
    >();
    expectTypeOf(factory.start()).resolves.toEqualTypeOf<Summary<Log, number, string>>();
    expectTypeOf(factory.summary).toEqualTypeOf<Summary<Log, number, string> | undefined>();
  });

  it('needs none when they are asynchronous', () => {
    const factory = new ThreadFactory({
      manager: async () => list(),
      workerStartup: async () => new Set(['a']),
      workerProcess: async (job, context) => {
        expectTypeOf(job).toEqualTypeOf<Log>();
        expectTypeOf(context.local).toEqualTypeOf<Set<string>>();
        return { rows: [job.key] };
      },
      workerFinish: async (context) => {
        context.local.clear();
      },
      managerFinish: async (summary) => {
        expectTypeOf(summary.results[0]).toEqualTypeOf<{ rows: string[] } | undefined>();
        return summary.completed;
      },
    });
    expectTypeOf(factory.start()).resolves.toEqualTypeOf<Summary<Log, { rows: string[] }, number>>();
    expectTypeOf<Types<typeof factory>[2]>().toEqualTypeOf<Set<string>>();
  });

  it('needs none when they are methods', () => {
    const factory = new ThreadFactory({
      async *manager() {
        yield 1;
      },
      async workerStartup() {
        return 'local';
      },
      async workerProcess(job, context) {
        expectTypeOf(job).toEqualTypeOf<number>();
        expectTypeOf(context.local).toEqualTypeOf<string>();
        return [job];
      },
      async managerFinish({ results }) {
        return results.flat();
      },
    });
    expectTypeOf<Types<typeof factory>>().toEqualTypeOf<[number, number[], string, (number | undefined)[]]>();
  });

  it('has neither local nor value without the functions that make them', () => {
    const factory = new ThreadFactory({
      manager: () => [1],
      workerProcess: (job, context) => {
        expectTypeOf(context.local).toEqualTypeOf<undefined>();
        return job;
      },
    });
    expectTypeOf<Types<typeof factory>>().toEqualTypeOf<[number, number, undefined, undefined]>();
    expectTypeOf(factory.start()).resolves.toHaveProperty('value').toEqualTypeOf<undefined>();
  });

  it('may call the job function `worker`', () => {
    const factory = new ThreadFactory({
      manager: () => ['a'],
      workerStartup: () => 1,
      worker: (job, { local, signal, index, attempt, progress }) => {
        expectTypeOf(job).toEqualTypeOf<string>();
        expectTypeOf(local).toEqualTypeOf<number>();
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
        expectTypeOf(index).toEqualTypeOf<number>();
        expectTypeOf(attempt).toEqualTypeOf<number>();
        expectTypeOf(progress).toEqualTypeOf<(data: unknown) => void>();
        return job.length;
      },
      managerFinish: (summary) => summary.results.length,
    });
    expectTypeOf<Types<typeof factory>>().toEqualTypeOf<[string, number, number, number]>();
  });

  it('does not have both names of the job function', () => {
    const process = (job: number): number => job;
    // @ts-expect-error two names of one function
    new ThreadFactory({ manager: () => [1], workerProcess: process, worker: process });
  });

  it('has a job function', () => {
    // @ts-expect-error neither workerProcess nor worker
    new ThreadFactory({ manager: () => [1] });
  });
});

describe('the jobs', () => {
  const workerProcess = <Job,>(job: Job): Job => job;

  it('are those of an array, a Set, a Map and a generator', () => {
    const array = new ThreadFactory({ manager: () => [1, 2] as const, workerProcess });
    const set = new ThreadFactory({ manager: () => new Set(['a']), workerProcess: (job) => job });
    const map = new ThreadFactory({ manager: () => new Map([['a', 1]]), workerProcess: (job) => job[1] });
    const generator = new ThreadFactory({
      *manager() {
        yield new Date();
      },
      workerProcess: (job) => job.getTime(),
    });
    expectTypeOf<Types<typeof array>[0]>().toEqualTypeOf<1 | 2>();
    expectTypeOf<Types<typeof set>[0]>().toEqualTypeOf<string>();
    expectTypeOf<Types<typeof map>[0]>().toEqualTypeOf<[string, number]>();
    expectTypeOf<Types<typeof generator>[0]>().toEqualTypeOf<Date>();
  });

  it('are those of an async generator, also of a promised one', () => {
    async function* keys(): AsyncGenerator<Log> {
      yield* list();
    }
    const direct = new ThreadFactory({ manager: keys, workerProcess: (job) => job.key });
    const promised = new ThreadFactory({ manager: async () => keys(), workerProcess: (job) => job.key });
    expectTypeOf<Types<typeof direct>>().toEqualTypeOf<[Log, string, undefined, undefined]>();
    expectTypeOf<Types<typeof promised>>().toEqualTypeOf<[Log, string, undefined, undefined]>();
  });

  it('of a Readable are whatever the job function says', () => {
    const readable = (): Readable => createReadStream('list');
    const factory = new ThreadFactory({ manager: readable, workerProcess: (job: Buffer) => job.length });
    expectTypeOf<Types<typeof factory>[1]>().toEqualTypeOf<number>();
  });

  it('may be made from the input of start', () => {
    const annotated = new ThreadFactory({
      manager: (input: { bucket: string }) => [input.bucket],
      workerProcess: (job) => job.length,
    });
    const optional = new ThreadFactory({
      manager: (input?: string) => [input ?? ''],
      workerProcess: (job) => job.length,
    });
    const unannotated = new ThreadFactory({
      manager: (input) => {
        expectTypeOf(input).toBeUnknown();
        return [String(input)];
      },
      workerProcess: (job) => job.length,
    });
    for (const factory of [annotated, optional, unannotated]) {
      expectTypeOf<Types<typeof factory>>().toEqualTypeOf<[string, number, undefined, undefined]>();
    }
    expectTypeOf(annotated.start).toBeCallableWith({ bucket: 'logs' });
    expectTypeOf(annotated.start).toBeCallableWith();
  });

  it('are not a number', () => {
    // @ts-expect-error no list
    new ThreadFactory({ manager: () => 5, workerProcess: (job: number) => job });
  });
});

describe('a factory', () => {
  const factory = new ThreadFactory({
    manager: () => list(),
    workerProcess: async (job) => job.size > 0,
    managerFinish: () => 'done' as const,
  });

  it('yields completed jobs', async () => {
    for await (const completed of factory) {
      expectTypeOf(completed).toEqualTypeOf<Completed<Log, boolean>>();
      expectTypeOf(completed.job).toEqualTypeOf<Log>();
      expectTypeOf(completed.result).toEqualTypeOf<boolean>();
      expectTypeOf(completed.total).toEqualTypeOf<number | undefined>();
    }
  });

  it('knows the arguments of its events', () => {
    factory
      .on('ready', (worker) => expectTypeOf(worker).toEqualTypeOf<{ id: number; pid: number }>())
      .on('progress', ({ index, id, data }) => {
        expectTypeOf([index, id]).toEqualTypeOf<number[]>();
        expectTypeOf(data).toBeUnknown();
      })
      .on('completed', (completed) => expectTypeOf(completed).toEqualTypeOf<Completed<Log, boolean>>())
      .on('retry', (error, { index, job, id, attempt, delay }) => {
        expectTypeOf(error).toEqualTypeOf<Error>();
        expectTypeOf(job).toEqualTypeOf<Log>();
        expectTypeOf([index, id, attempt, delay]).toEqualTypeOf<number[]>();
      })
      .on('error', (error, failure) => {
        expectTypeOf(error).toEqualTypeOf<Error>();
        expectTypeOf(failure?.job).toEqualTypeOf<Log | undefined>();
        expectTypeOf(failure?.attempts).toEqualTypeOf<number | undefined>();
      })
      .on('exit', ({ pid, code, signal, reason }) => {
        expectTypeOf(pid).toEqualTypeOf<number>();
        expectTypeOf(code).toEqualTypeOf<number | null>();
        expectTypeOf(signal).toEqualTypeOf<string | null>();
        expectTypeOf(reason).toExtend<string>();
      })
      .once('finished', (summary) => expectTypeOf(summary).toEqualTypeOf<Summary<Log, boolean, 'done'>>());
    // @ts-expect-error no such event
    factory.on('complete', (completed: unknown) => completed);
  });

  it('can be paused, stopped and disposed of', async () => {
    expectTypeOf(factory.pause()).toEqualTypeOf<void>();
    expectTypeOf(factory.unpause()).toEqualTypeOf<void>();
    expectTypeOf(factory.stop()).toEqualTypeOf<Promise<void>>();
    await using disposable = factory;
    expectTypeOf(disposable).toEqualTypeOf(factory);
  });

  it('comes from a module by path or URL, with the types it is given', () => {
    const untyped = new ThreadFactory('./spec.js');
    const typed = new ThreadFactory<Log, number>(new URL('./spec.js', import.meta.url), { workers: 2 });
    expectTypeOf(untyped.start()).resolves.toHaveProperty('results').toEqualTypeOf<unknown[]>();
    expectTypeOf(typed.start()).resolves.toHaveProperty('results').toEqualTypeOf<(number | undefined)[]>();
  });

  it('hands its job to the key function and takes no unknown option', () => {
    const spec = { manager: () => list(), workerProcess: (job: Log) => job.size };
    new ThreadFactory(spec, {
      key: (job) => job.key,
      retries: { limit: 3, when: (error) => error !== null },
    });
    // @ts-expect-error no such option
    new ThreadFactory(spec, { worker: 4 });
  });

  it('infers the same beside options that were declared before', () => {
    const options: ThreadFactoryOptions = { workers: 2 };
    const factory = new ThreadFactory({ manager: () => [1], workerProcess: (n) => `${n}` }, options);
    expectTypeOf<Types<typeof factory>>().toEqualTypeOf<[number, string, undefined, undefined]>();
    const spec: ThreadFactorySpec<number, string> = { manager: () => [1], workerProcess: String };
    expectTypeOf(new ThreadFactory(spec, options)).toExtend<ThreadFactory<number, string>>();
  });

  it('may be subclassed', () => {
    class Counted<Job, Result> extends ThreadFactory<Job, Result> {
      count = 0;
    }
    const counted = new Counted({ manager: () => [1], workerProcess: (job) => `${job}` });
    expectTypeOf(counted).toExtend<ThreadFactory<number, string>>();
    expectTypeOf(Counted.isWorker).toEqualTypeOf<boolean>();
  });
});
