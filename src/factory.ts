import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { callerFile, moduleNamed, moduleOfCaller } from './call-site.js';
import type { Conductor, Front } from './conductor.js';
import { conductorOf } from './conductor.js';
import { SpecError } from './errors.js';
import type { Completed, ThreadFactoryEvents } from './events.js';
import { isInside } from './inside.js';
import type { ThreadFactoryOptions } from './options.js';
import { rejectOptionsIn, resolveOptions } from './options.js';
import { BOOTSTRAP, SELF } from './paths.js';
import type { FactoryRef, ModuleRef } from './protocol.js';
import { isWorker, isWorkersThread, nextOrdinal, workerSide } from './registry.js';
import type { CheckedSpec, Summary, ThreadFactorySpec, WorkerNamedSpec } from './spec.js';
import { checkSpec } from './spec.js';

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

  readonly #module: ModuleRef;
  readonly #factory: FactoryRef;
  /** Its half in the manager's process; undefined in a worker, which takes the functions and runs nothing. */
  readonly #conductor: Conductor | undefined;

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
    options?: ThreadFactoryOptions<Job>,
  ) {
    super();
    // First: what options default to is in another built file.
    if (SELF === '' || !existsSync(BOOTSTRAP)) {
      throw new SpecError(
        `threadfactory can not find the entry file of its workers, ${BOOTSTRAP}: it was bundled away from it. ` +
          'Mark threadfactory external in your bundler.',
      );
    }
    // In a worker as well, though they are the manager's business: what throws must throw there, too.
    const resolved = isWorker() ? resolveOptions(options, () => 1) : resolveOptions(options);
    const caller = callerFile(new.target, SELF);
    let checked: CheckedSpec | undefined;
    if (typeof spec === 'string' || spec instanceof URL) {
      this.#module = moduleNamed(spec, caller);
      this.#factory = 'exports';
    } else {
      rejectOptionsIn(spec);
      checked = checkSpec(spec);
      const { module } = resolved;
      this.#module = module === undefined ? moduleOfCaller(caller) : moduleNamed(module, caller);
      this.#factory = nextOrdinal(this.#module.id);
      workerSide()?.constructed(this.#module.id, this.#factory, checked);
    }
    if (isWorker()) return;
    this.#conductor = conductorOf(this as Front, {
      spec: checked,
      module: this.#module,
      factory: this.#factory,
      caller,
      given: options,
      options: resolved,
    });
  }

  /**
   * Runs the list to its end.
   * @param input handed to `manager`
   * @returns the summary; rejects with an AggregateError (`ERR_JOBS_FAILED`) when jobs failed that no `error` listener
   * was told of, with the error itself when the run failed, with the signal's reason when it was aborted. In a worker
   * it never settles.
   */
  start(input?: unknown): Promise<Summary<Job, Awaited<Result>, Value>> {
    if (isNested()) return Promise.reject(nested());
    const started = this.#conduct()?.start(input) ?? never();
    return started as Promise<Summary<Job, Awaited<Result>, Value>>;
  }

  /** Starts a run and yields completed jobs as they come, or in job order with `ordered: true`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Completed<Job, Awaited<Result>>> {
    if (isNested()) throw nested();
    const iterator = this.#conduct()?.iterate();
    if (iterator !== undefined) return iterator as AsyncIterableIterator<Completed<Job, Awaited<Result>>>;
    return { next: never, return: never, [Symbol.asyncIterator]: () => this[Symbol.asyncIterator]() };
  }

  /** Hands out nothing more until `unpause()`; what was handed out runs on. */
  pause(): void {
    this.#conductor?.pause(true);
  }

  /** Goes on after `pause()`. */
  unpause(): void {
    this.#conductor?.pause(false);
  }

  /** Hands out nothing more, lets running jobs end, runs `workerFinish`; resolves after `finished`. */
  async stop(): Promise<void> {
    await this.#conductor?.stop();
  }

  /** The same as `stop()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Whoever runs it; in a worker nobody, where the bootstrap hears that it was started. */
  #conduct(): Conductor | undefined {
    if (!isWorker()) return this.#conductor;
    workerSide()?.started(this.#module.id, this.#factory);
    return undefined;
  }
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Whether a job is asking, be it in a thread of its own. */
function isNested(): boolean {
  return isInside('job') || isWorkersThread();
}

function nested(): SpecError {
  return new SpecError(
    'A factory can not be started from inside a job: workers fork no workers of their own. List more jobs in `manager` instead.',
  );
}
