import ThreadFactory, {
  type Completed,
  EngineError,
  type Failure,
  type JobContext,
  JobTimeoutError,
  JournalError,
  ThreadFactory as Named,
  OptionError,
  SerializationError,
  SpecError,
  type Summary,
  ThreadFactoryError,
  type ThreadFactoryEvents,
  type ThreadFactoryOptions,
  type ThreadFactorySpec,
  type WorkerContext,
  WorkerCrashError,
  WorkerStartError,
} from 'threadfactory';
import { describe, expectTypeOf, it } from 'vitest';

describe('the ES module', () => {
  it('has the class as default, by name, and on itself', () => {
    expectTypeOf(Named).toEqualTypeOf(ThreadFactory);
    expectTypeOf(ThreadFactory.ThreadFactory).toEqualTypeOf(ThreadFactory);
    expectTypeOf(ThreadFactory.default).toEqualTypeOf(ThreadFactory);
    expectTypeOf<ThreadFactory<string, number>>().toEqualTypeOf<Named<string, number>>();
  });

  it('has the errors by name and on the class', () => {
    expectTypeOf(ThreadFactory.SpecError).toEqualTypeOf(SpecError);
    for (const subclass of [SpecError, OptionError, WorkerStartError, WorkerCrashError, JobTimeoutError]) {
      expectTypeOf(subclass.prototype).toExtend<ThreadFactoryError>();
    }
    for (const subclass of [SerializationError, JournalError, EngineError]) {
      expectTypeOf(subclass.prototype).toExtend<ThreadFactoryError>();
    }
    expectTypeOf<WorkerCrashError>().toHaveProperty('exitCode').toEqualTypeOf<number | null>();
    const code = (error: unknown) => (error instanceof ThreadFactoryError ? error.code : undefined);
    expectTypeOf(code).returns.toEqualTypeOf<string | undefined>();
  });

  it('has the types by name and as members of the class', () => {
    expectTypeOf<ThreadFactory.Summary<1, 2, 3>>().toEqualTypeOf<Summary<1, 2, 3>>();
    expectTypeOf<ThreadFactory.Failure<1>>().toEqualTypeOf<Failure<1>>();
    expectTypeOf<ThreadFactory.Completed<1, 2>>().toEqualTypeOf<Completed<1, 2>>();
    expectTypeOf<ThreadFactory.ThreadFactoryOptions>().toEqualTypeOf<ThreadFactoryOptions>();
    expectTypeOf<ThreadFactory.ThreadFactorySpec<1, 2>>().toEqualTypeOf<ThreadFactorySpec<1, 2>>();
    expectTypeOf<ThreadFactory.ThreadFactoryEvents>().toEqualTypeOf<ThreadFactoryEvents>();
    expectTypeOf<ThreadFactory.JobContext<1>>().toEqualTypeOf<JobContext<1>>();
    expectTypeOf<ThreadFactory.WorkerContext<1>>().toEqualTypeOf<WorkerContext<1>>();
  });
});
