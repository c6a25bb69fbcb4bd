import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { callerFile, moduleNamed, moduleOfCaller } from './call-site.js';
import { systemClock } from './clock.js';
import type { EngineDriver } from './engine.js';
import { SpecError, ThreadFactoryError } from './errors.js';
import type { Completed, ThreadFactoryEvents } from './events.js';
import { isInside } from './inside.js';
import { iterate } from './iteration.js';
import type { ResolvedOptions, ThreadFactoryOptions } from './options.js';
import { resolveOptions } from './options.js';
import { BOOTSTRAP, SELF } from './paths.js';
import type { FactoryRef, ModuleRef } from './protocol.js';
import type { Commanded } from './registry.js';
import { commandSide, isWorker, nextOrdinal, workerSide } from './registry.js';
import type { Run } from './run.js';
import type { CheckedSpec, Summary, ThreadFactorySpec, WorkerNamedSpec } from './spec.js';
import { checkSpec, NO_SPEC, specOfModule } from './spec.js';
import { tell, tellCompleted } from './tell.js';

/**
 * Runs a list of jobs on every core: forks a worker process a core, which loads the module that called
 * `new ThreadFactory`, and hands them the jobs that `manager` lists.
 */
export class ThreadFactory<
  Job = unknown,
  Result = unknown,
  Local = undefined,
  Value = undefined,
> extends EventEmitter<ThreadFactoryEvents<Job, Awaited<Result>, Value>> {
  /** Whether this process is a worker: the same module runs there, and its top level with it. */
  static get isWorker(): boolean {
    return isWorker();
  }

  /** What the last run came to. */
  summary: Summary<Job, Awaited<Result>, Value> | undefined;

  readonly #options: ResolvedOptions;
  readonly #module: ModuleRef;
  readonly #factory: FactoryRef;
  #spec: CheckedSpec | undefined;
  #run: Run | undefined;
  #running: Promise<unknown> | undefined;
  #paused = false;
  #stopping = false;
  /** Whether a listener was told why the last run failed. */
  #told = false;
  /** What the command line wants of it, where that runs it. */
  readonly #commanded: Commanded | undefined;

  /**
   * @param spec the functions; or the path or `file:` URL of a module that exports them
   * @param options see ThreadFactoryOptions
   * @throws SpecError when the functions are wrong, or can't be reached from a worker
   * @throws OptionError when an option is
   */
  constructor(
    spec:
      | ThreadFactorySpec<Job, Result, Local, Value>
      | WorkerNamedSpec<Job, Result, Local, Value>
      | string
      | URL,
    options?: ThreadFactoryOptions<Job, Awaited<Result>>,
  ) {
    super();
    this.#options = resolveOptions(options);
    if (SELF === '' || !existsSync(BOOTSTRAP)) {
      throw new SpecError(
        `threadfactory can not find the entry file of its workers, ${BOOTSTRAP}: it was bundled away from it. ` +
          'Mark threadfactory external in your bundler.',
      );
    }
    const caller = callerFile(new.target, SELF);
    if (typeof spec === 'string' || spec instanceof URL) {
      this.#module = moduleNamed(spec, caller);
      this.#factory = 'exports';
    } else {
      this.#spec = checkSpec(spec);
      const { module } = this.#options;
      this.#module = module === undefined ? moduleOfCaller(caller) : moduleNamed(module, caller);
      this.#factory = nextOrdinal(this.#module.id);
      workerSide()?.constructed(this.#module.id, this.#factory, this.#spec);
    }
    this.#commanded = commandSide()?.constructed(this, { module: this.#module.id, caller, options });
    if (this.#commanded !== undefined) this.#options = resolveOptions(this.#commanded.options);
  }

  /**
   * Runs the list to its end.
   * @param input handed to `manager`
   * @returns the summary; rejects with an AggregateError (`ERR_JOBS_FAILED`) when jobs failed that no `error` listener
   * was told of, with the error itself when the run failed, with the signal's reason when it was aborted. In a worker
   * it never settles.
   */
  start(input?: unknown): Promise<Summary<Job, Awaited<Result>, Value>> {
    if (isInside('job')) return Promise.reject(nested());
    if (isWorker()) {
      workerSide()?.started(this.#module.id, this.#factory);
      return new Promise(() => {});
    }
    const running = this.#go(input, false, () => {});
    const visible = running.then((summary) => summary);
    // A failure that a listener was told of is no unhandled rejection as well.
    running.catch(() => {
      if (this.#told) visible.catch(() => {});
    });
    return visible as Promise<Summary<Job, Awaited<Result>, Value>>;
  }

  /** Starts a run and yields completed jobs as they come, or in job order with `ordered: true`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Completed<Job, Awaited<Result>>> {
    if (isInside('job')) throw nested();
    if (isWorker()) {
      workerSide()?.started(this.#module.id, this.#factory);
      const never = (): Promise<never> => new Promise(() => {});
      return { next: never, return: never, [Symbol.asyncIterator]: () => this[Symbol.asyncIterator]() };
    }
    if (this.#running !== undefined) {
      throw new ThreadFactoryError(
        'This factory was started already: iterate it instead of calling start().',
        { code: 'ERR_RUNNING' },
      );
    }
    return iterate<Completed<Job, Awaited<Result>>>({
      ordered: this.#options.ordered,
      run: (sink) => this.#go(undefined, true, (job, failed) => sink(job as never, failed)),
      hold: (on) => this.#run?.hold('consumer', on),
      stop: () => this.stop(),
    });
  }

  /** Hands out nothing more until `unpause()`; what was handed out runs on. */
  pause(): void {
    this.#paused = true;
    this.#run?.hold('pause', true);
  }

  /** Goes on after `pause()`. */
  unpause(): void {
    this.#paused = false;
    this.#run?.hold('pause', false);
  }

  /** Hands out nothing more, lets running jobs end, runs `workerFinish`; resolves after `finished`. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    // A run that is about to begin ends before it does.
    this.#stopping = true;
    this.#run?.stop('stop');
    // What the run waits for can't wait for the run: `managerFinish`, and a job where they run in this process.
    if (isInside('job') || (this.#run !== undefined && isInside(this.#run))) return;
    await this.#running.catch(() => {});
  }

  /** The same as `stop()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #go(input: unknown, iterated: boolean, sink: (job: object, failed: boolean) => void): Promise<unknown> {
    if (this.#running !== undefined) {
      return Promise.reject(
        new ThreadFactoryError(
          'This factory is running. Wait for start() to settle, or the iteration to end, before the next run.',
          { code: 'ERR_RUNNING' },
        ),
      );
    }
    this.#stopping = false;
    this.#told = false;
    const running = this.#begin(input, iterated, sink).finally(() => {
      this.#run = undefined;
      this.#running = undefined;
    });
    this.#running = running;
    this.#commanded?.started(running);
    return running;
  }

  async #begin(
    input: unknown,
    iterated: boolean,
    sink: (job: object, failed: boolean) => void,
  ): Promise<unknown> {
    const options = this.#options;
    const commanded = this.#commanded;
    const emit = (name: keyof ThreadFactoryEvents, ...args: readonly unknown[]) => tell(this, name, ...args);
    // Never synchronously: whoever calls start() may attach listeners after it.
    const { handleSignals, jobsFailed, localEngine, Run } = await import('./manager.js');
    const loaded = await this.#loadSpec();
    const { manager, ...functions } = loaded.spec;
    const { journal, key, fsync, keepResults } = options;
    const show = options.progress && (await import('./progress.js')).showProgress;
    const run: Run = new Run(
      {
        spec: { ...functions, manager: commanded?.manager ?? manager },
        options: { ...options, ordered: (iterated || commanded !== undefined) && options.ordered },
        module: this.#module,
        factory: this.#factory,
        keepResults: keepResults ?? !iterated,
        engine: (options.engine as EngineDriver | undefined) ?? localEngine,
        openJournal:
          journal === undefined
            ? undefined
            : async () => {
                const { openJournal } = await import('./journal.js');
                return openJournal({ path: journal, module: this.#module.id, key, fsync });
              },
        drawn: () => progress?.live === true || commanded?.relayed === true,
      },
      {
        wants: (name) => (iterated && name === 'completed') || this.listenerCount(name) > 0,
        ready: (about) => emit('ready', about),
        progress: (about) => emit('progress', about),
        retry: (error, about) => emit('retry', error, about),
        exit: (about) => emit('exit', about),
        warning: (error) => emit('warning', error),
        completed: (job) => {
          tellCompleted(this, job);
          if (iterated) sink(job, false);
        },
        failed: ({ index, job, id, attempts, error }) => {
          if (this.listenerCount('error') > 0) emit('error', error, { index, job, id, attempts });
          if (iterated) sink({ index }, true);
        },
        skipped: (index) => {
          if (iterated) sink({ index }, true);
          commanded?.skipped(index);
        },
        runFailed: (error) => {
          this.#told = true;
          emit('error', error);
        },
      },
    );
    this.#run = run;
    if ('failure' in loaded) run.fail(loaded.failure);
    if (this.#paused) run.hold('pause', true);
    if (this.#stopping) run.stop('stop');
    const release = options.handleSignals ? handleSignals(run) : () => {};
    const progress = options.progress && show?.(options.progress, () => run.snapshot(), systemClock);
    try {
      const summary = await run.go(input);
      progress?.end({ how: run.how(summary) });
      this.summary = summary as Summary<Job, Awaited<Result>, Value>;
      if (run.aborted !== undefined) throw run.aborted.value;
      emit('finished', summary);
      if (run.failed !== undefined) throw run.failed.error;
      if (run.unreported > 0) throw jobsFailed(summary);
      return summary;
    } finally {
      release();
    }
  }

  /** The functions; of a module that can't be loaded the error, with which the run fails. */
  async #loadSpec(): Promise<{ readonly spec: CheckedSpec; readonly failure?: unknown }> {
    if (this.#spec !== undefined) return { spec: this.#spec };
    const { loadModule } = await import('./child/load.js');
    try {
      const namespace = await loadModule(this.#module);
      this.#spec = specOfModule(namespace, this.#module.id, this.#commanded?.manager === undefined);
      return { spec: this.#spec };
    } catch (failure) {
      return { spec: NO_SPEC, failure };
    }
  }
}

function nested(): SpecError {
  return new SpecError(
    'A factory can not be started from inside a job: workers fork no workers of their own. List more jobs in `manager` instead.',
  );
}
