import ThreadFactory = require('threadfactory');
import vitest = require('vitest');

const { describe, expectTypeOf, it } = vitest;

describe('the CommonJS module', () => {
  it('is the class', () => {
    const factory = new ThreadFactory({
      manager: () => [1, 2, 3],
      workerStartup: () => 'local',
      workerProcess: (job, context) => `${context.local} ${job}`,
      managerFinish: (summary) => summary.results.length,
    });
    expectTypeOf(factory.start()).resolves.toEqualTypeOf<ThreadFactory.Summary<number, string, number>>();
    expectTypeOf(ThreadFactory.isWorker).toEqualTypeOf<boolean>();
    factory.on('completed', (completed) => {
      expectTypeOf(completed).toEqualTypeOf<ThreadFactory.Completed<number, string>>();
    });
  });

  it('has itself, the errors and the types as its members', () => {
    expectTypeOf(ThreadFactory.ThreadFactory).toEqualTypeOf(ThreadFactory);
    expectTypeOf(ThreadFactory.default).toEqualTypeOf(ThreadFactory);
    expectTypeOf(new ThreadFactory.SpecError('x')).toExtend<ThreadFactory.ThreadFactoryError>();
    expectTypeOf<ThreadFactory.ThreadFactoryOptions['workers']>().toEqualTypeOf<number | undefined>();
    const { SpecError } = ThreadFactory;
    expectTypeOf<InstanceType<typeof SpecError>['code']>().toEqualTypeOf<string>();
  });
});
