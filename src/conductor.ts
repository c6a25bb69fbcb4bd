import type { EventEmitter } from 'node:events';
import { loadModule } from './child/load.js';
import { systemClock } from './clock.js';
import type { EngineDriver } from './engine.js';
import { ThreadFactoryError } from './errors.js';
import type { Completed, ThreadFactoryEvents } from './events.js';
import { isInside } from './inside.js';
import { iterate } from './iteration.js';
import { localEngine } from './local.js';
import { KEPT_FAILURES } from './manager/tally.js';
import type { ResolvedOptions } from './options.js';
import { resolveOptions } from './options.js';
import type { FactoryRef, ModuleRef } from './protocol.js';
import type { Commanded } from './registry.js';
import { commandSide } from './registry.js';
import type { RunEvents } from './run.js';
import { Run } from './run.js';
import { handleSignals } from './signals.js';
import type { CheckedSpec, Summary } from './spec.js';
import { NO_SPEC, specOfModule } from './spec.js';
import { tell, tellCompleted } from './tell.js';

/**
 * The half of a factory that only the manager's process has: its options, and its runs, one after the other. Everything
 * of a run is wired here. A worker constructs the factory as well, and would only take time to load what it never calls.
 */

/** The factory, as its listeners see it. */
export type Front = EventEmitter & { summary: Summary | undefined; stop(): Promise<void> };

/** What was constructed. */
export interface Construction {
  /** The functions; undefined where they are in a module that is loaded when a run begins. */
  readonly spec: CheckedSpec | undefined;
  readonly module: ModuleRef;
  readonly factory: FactoryRef;
  /** The file that constructed it. */
  readonly caller: string | undefined;
  /** The options as they were given. */
  readonly given: unknown;
  readonly options: ResolvedOptions;
}

export type { Conductor };

/**
 * A function, since the built file of the public names gets at what is built elsewhere by calls alone.
 * @param front what emits the events of its runs
 */
export function conductorOf(front: Front, construction: Construction): Conductor {
  return new Conductor(front, construction);
}

/** Gets a completed job, or of one that failed or was recorded before no more than its index. */
type Sink = (index: number, job?: Completed) => void;

class Conductor {
  readonly #front: Front;
  readonly #options: ResolvedOptions;
  readonly #module: ModuleRef;
  readonly #factory: FactoryRef;
  /** What the command line wants of it, where that runs it. */
  readonly #commanded: Commanded | undefined;
  #spec: CheckedSpec | undefined;
  #run: Run | undefined;
  #running: Promise<Summary> | undefined;
  #paused = false;
  #stopping = false;
  /** Whether a listener was told why the last run failed. */
  #told = false;

  constructor(front: Front, { spec, module, factory, caller, given, options }: Construction) {
    this.#front = front;
    this.#spec = spec;
    this.#module = module;
    this.#factory = factory;
    this.#commanded = commandSide()?.constructed(front, { module: module.id, caller, options: given });
    this.#options = this.#commanded === undefined ? options : resolveOptions(this.#commanded.options);
  }

  /** Runs the list to its end. @param input handed to `manager` */
  start(input: unknown): Promise<Summary> {
    const running = this.#go(input);
    const visible = running.then((summary) => summary);
    // A failure that a listener was told of is no unhandled rejection as well.
    running.catch(() => {
      if (this.#told) visible.catch(() => {});
    });
    return visible;
  }

  /** A run that begins when somebody asks for its first job. */
  iterate(): AsyncIterableIterator<Completed> {
    if (this.#running !== undefined) throw alreadyRunning();
    return iterate<Completed>({
      ordered: this.#options.ordered,
      run: (sink) => this.#go(undefined, sink),
      hold: (on) => this.#run?.hold('consumer', on),
      // A subclass may have its own.
      stop: () => this.#front.stop(),
    });
  }

  /** Hands out nothing more, or goes on; what was handed out runs on. */
  pause(on: boolean): void {
    this.#paused = on;
    this.#run?.hold('pause', on);
  }

  /** Ends the run politely; resolves when it is over. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    // A run that is about to begin ends before it does.
    this.#stopping = true;
    this.#run?.stop('stop');
    // What the run waits for can't wait for the run: `managerFinish`, and a job where they run in this process.
    if (isInside('job') || (this.#run !== undefined && isInside(this.#run))) return;
    await this.#running.catch(() => {});
  }

  /** @param sink gets each settled job where the run is iterated */
  #go(input: unknown, sink?: Sink): Promise<Summary> {
    if (this.#running !== undefined) return Promise.reject(alreadyRunning());
    this.#stopping = false;
    this.#told = false;
    const running = this.#begin(input, sink).finally(() => {
      this.#run = undefined;
      this.#running = undefined;
    });
    this.#running = running;
    this.#commanded?.started(running);
    return running;
  }

  async #begin(input: unknown, sink: Sink | undefined): Promise<Summary> {
    const options = this.#options;
    const commanded = this.#commanded;
    // Never synchronously: whoever calls start() may attach listeners after it.
    const loaded = await this.#loadSpec();
    const { manager, ...functions } = loaded.spec;
    const { journal, key, fsync, keepResults } = options;
    const show = options.progress && (await import('./progress.js')).showProgress;
    const run: Run = new Run(
      {
        spec: { ...functions, manager: commanded?.manager ?? manager },
        options: { ...options, ordered: (sink !== undefined || commanded !== undefined) && options.ordered },
        module: this.#module,
        factory: this.#factory,
        keepResults: keepResults ?? sink === undefined,
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
      this.#events(sink),
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
      this.#front.summary = summary;
      if (run.aborted !== undefined) throw run.aborted.value;
      tell(this.#front, 'finished', summary);
      if (run.failed !== undefined) throw run.failed.error;
      if (run.unreported > 0) throw jobsFailed(summary);
      return summary;
    } finally {
      release();
    }
  }

  /** What a run tells, as events of the factory. */
  #events(sink: Sink | undefined): RunEvents {
    const front = this.#front;
    const emit = (name: keyof ThreadFactoryEvents, ...args: readonly unknown[]) => tell(front, name, ...args);
    const isWanted = (name: keyof ThreadFactoryEvents): boolean => front.listenerCount(name) > 0;
    return {
      wants: (name) => (sink !== undefined && name === 'completed') || isWanted(name),
      ready: (about) => emit('ready', about),
      progress: (about) => emit('progress', about),
      retry: (error, about) => emit('retry', error, about),
      exit: (about) => emit('exit', about),
      warning: (error) => emit('warning', error),
      completed: (job) => {
        tellCompleted(front, job);
        sink?.(job.index, job);
      },
      failed: ({ index, job, id, attempts, error }) => {
        // It may have been aborted over an earlier job of the same report.
        if (this.#run?.aborted !== undefined) return;
        const about = { index, job, id, attempts };
        if (isWanted('error')) emit('error', error, about);
        this.#commanded?.failed(error as Error, about);
        sink?.(index);
      },
      skipped: (index, ...recalled) => {
        sink?.(index);
        this.#commanded?.skipped(index, ...recalled);
      },
      runFailed: (error) => {
        this.#told = true;
        emit('error', error);
      },
    };
  }

  /** The functions; of a module that can't be loaded the error, with which the run fails. */
  async #loadSpec(): Promise<{ readonly spec: CheckedSpec; readonly failure?: unknown }> {
    if (this.#spec !== undefined) return { spec: this.#spec };
    try {
      const namespace = await loadModule(this.#module);
      this.#spec = specOfModule(namespace, this.#module.id, this.#commanded?.manager === undefined);
      return { spec: this.#spec };
    } catch (failure) {
      return { spec: NO_SPEC, failure };
    }
  }
}

function alreadyRunning(): ThreadFactoryError {
  return new ThreadFactoryError(
    'This factory is running. Wait for start() to settle, or the iteration to end, before the next run.',
    { code: 'ERR_RUNNING' },
  );
}

/** The error of a run in which jobs failed that nobody listened for. */
function jobsFailed(summary: Summary): AggregateError {
  const { failed, failures } = summary;
  const [first] = failures;
  const errors = failures.slice(0, KEPT_FAILURES).map(({ error }) => error);
  const error = new AggregateError(
    errors,
    `${failed} of ${summary.total} jobs failed. Listen for 'error' to deal with them one by one. ` +
      `The first, job ${first?.index}: ${first?.error.message}`,
  );
  Object.defineProperty(error, 'code', { value: 'ERR_JOBS_FAILED', enumerable: true });
  Object.defineProperty(error, 'summary', { value: summary, enumerable: false });
  return error;
}
