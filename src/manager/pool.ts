import type { Clock, Timer } from '../clock.js';
import { errorFromWire } from '../error-wire.js';
import { SpecError, WorkerStartError } from '../errors.js';
import type { SpawnChild } from './child.js';
import { howItEnded, lastWords } from './crash.js';
import type { ExitReason, WorkerEvents, WorkerLimits } from './worker.js';
import { Worker } from './worker.js';

const FAILED_STARTS = 3;
/** What may be there again in a moment: process slots, files, memory. */
const SHORTAGES = new Set(['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM']);
/** Milliseconds before the next try where the system is short of something, doubled with each failed start before. */
const SHORTAGE_MS = 250;

/** What a pool tells the scheduler. */
export interface PoolEvents extends Omit<WorkerEvents, 'loaded' | 'lost' | 'exited'> {
  /** A worker that had been ready, or was told to go, has gone. What it held is still in its `batches`. */
  gone(worker: Worker): void;
  /** Every exit of a process that had begun, for those who watch. */
  exited(worker: Worker, reason: ExitReason): void;
  /** No worker can start and none lives, or the spec can't be found in the child: trying again would not help. */
  failed(error: Error): void;
  /** It may be worth forking again. */
  mayFork(): void;
}

export interface PoolOptions {
  readonly size: number;
  readonly spawn: SpawnChild;
  readonly limits: WorkerLimits;
  readonly clock: Clock;
  /** What they load, for the text of an error. */
  readonly module: string;
}

/**
 * Keeps as many workers alive as there is work for: forks, numbers, replaces, and gives up where starting is hopeless.
 *
 * Numbers 1…N are unique among living processes: a replacement is forked and loads at once, but gets its number only
 * when the old process has gone. The breaker: after three failed starts in a row nothing is forked any more; if nobody
 * is left by then the run can't go on. A worker that gets ready closes it again, and one that was ready and has gone
 * leaves room for one more try.
 */
export class Pool {
  /** Everyone whose process has not gone. */
  readonly workers = new Set<Worker>();
  /** Numbers of those that have gone, and the first that nobody ever had. */
  private readonly freeIds: number[] = [];
  private freshId = 1;
  private failedStarts = 0;
  private startError: Error | undefined;
  private forkTimer: Timer | undefined;
  private closed = false;

  constructor(
    private readonly options: PoolOptions,
    private readonly events: PoolEvents,
  ) {}

  /** Workers that do or will do jobs. */
  get living(): number {
    let living = 0;
    for (const worker of this.workers) if (worker.living) living += 1;
    return living;
  }

  /** Jobs on their way to a worker or in it. */
  get held(): number {
    let held = 0;
    for (const worker of this.workers) held += worker.held;
    return held;
  }

  /**
   * Forks until there is a worker for each job, as far as the pool's size and the breaker allow.
   * @param waiting jobs that nobody holds. What a worker holds that was told to go is still its own affair.
   */
  ensure(waiting: number): void {
    if (this.closed || this.broken || this.forkTimer !== undefined) return;
    let jobs = waiting;
    for (const worker of this.workers) if (worker.living) jobs += worker.held;
    for (let { living } = this; living < Math.min(jobs, this.options.size); living += 1) this.fork();
  }

  /** No more forks, and everybody leaves: at once for `aborted`, otherwise after `workerFinish`. */
  close(reason: ExitReason): void {
    this.closed = true;
    this.options.clock.clear(this.forkTimer);
    for (const worker of this.workers) {
      if (reason === 'aborted') worker.abort();
      else worker.finish(reason);
    }
  }

  private get broken(): boolean {
    return this.failedStarts >= FAILED_STARTS;
  }

  private fork(): void {
    const { spawn, limits, clock } = this.options;
    const worker: Worker = new Worker(spawn, limits, clock, {
      ...this.events,
      loaded: () => this.number(),
      ready: () => {
        this.failedStarts = 0;
        this.startError = undefined;
        this.events.ready(worker);
      },
      lost: () => this.events.mayFork(),
      exited: () => this.exited(worker),
    });
    this.workers.add(worker);
    this.number();
  }

  /** Gives free numbers to those without, the longest waiting first. */
  private number(): void {
    for (const worker of this.workers) {
      if (worker.id !== undefined || !worker.living) continue;
      const id = this.freeIds.pop() ?? (this.freshId <= this.options.size ? this.freshId++ : undefined);
      if (id !== undefined) worker.assign(id);
      // Only the grace of a kill may be in the way of the next job: it is over.
      else if (worker.state === 'waiting') for (const other of this.workers) other.hurry();
    }
  }

  private exited(worker: Worker): void {
    this.workers.delete(worker);
    if (worker.id !== undefined) {
      this.freeIds.push(worker.id);
      this.freeIds.sort((a, b) => b - a);
    }
    this.number();
    if (worker.pid !== undefined) this.events.exited(worker, worker.reason);
    if (worker.reason === 'startup') this.failedToStart(worker);
    // Whoever was ready leaves a place that is worth one more try, whatever was wrong with starting meanwhile.
    if (worker.wasReady && this.broken) this.failedStarts = FAILED_STARTS - 1;
    this.events.gone(worker);
    // By now a replacement would be there.
    if (this.broken && this.living === 0 && !this.closed && this.startError !== undefined)
      this.events.failed(this.startError);
  }

  private failedToStart(worker: Worker): void {
    if (this.closed) return;
    const error = startError(worker, this.options);
    if (error instanceof SpecError) {
      this.events.failed(error);
      return;
    }
    this.startError ??= error;
    // One shortage, however many forks it stopped at once.
    const short = SHORTAGES.has(codeOf(worker.exit?.error));
    if (short && this.forkTimer !== undefined) return;
    this.failedStarts += 1;
    if (short && !this.broken) this.pauseForks();
  }

  private pauseForks(): void {
    const { clock } = this.options;
    this.forkTimer = clock.after(SHORTAGE_MS * 2 ** (this.failedStarts - 1), () => {
      this.forkTimer = undefined;
      this.events.mayFork();
    });
  }
}

function codeOf(error: NodeJS.ErrnoException | undefined): string {
  return error?.code ?? '';
}

/** What runs at the top level of a module runs in every worker. */
const GUARD = 'guard what only the manager needs with `if (!ThreadFactory.isWorker)`';

/** What to tell the user of a worker that never got ready. */
function startError(worker: Worker, { limits, module }: PoolOptions): Error {
  const { exit, fatal, pid, uncaught } = worker;
  if (fatal !== undefined) {
    const cause = errorFromWire(fatal.error);
    if (cause instanceof SpecError) return cause;
    const [what, hint] =
      fatal.phase === 'startup'
        ? [`workerStartup of ${module} failed`, '']
        : [`${module} could not be loaded`, loaderHint(module, cause)];
    return withStack(
      new WorkerStartError(`No worker could start: ${what}: ${cause.message}${hint}`, { cause }),
      cause,
    );
  }
  if (exit?.error !== undefined) {
    const hint = codeOf(exit.error) === 'ENOENT' ? ' (no such program: see the option `execPath`)' : '';
    return new WorkerStartError(`No worker could start: forking failed: ${exit.error.message}${hint}`, {
      cause: exit.error,
    });
  }
  const said = lastWords(worker.stderr());
  const cause = uncaught && errorFromWire(uncaught.error);
  if (cause === undefined && exit?.signal && worker.wasLate) {
    return new WorkerStartError(
      `No worker was ready within startupTimeout (${limits.startupTimeout} ms): loading ${module} or ` +
        `workerStartup takes longer, or never ends. Raise it, or ${GUARD}${said}`,
    );
  }
  const left = exit?.code === 0 ? ` (the module, or one that it loads, called process.exit: ${GUARD})` : '';
  const why = cause === undefined ? left : `: ${cause.message}`;
  const how = `process ${pid}, which loads ${module}, ${howItEnded(exit)} before it was ready`;
  const error = new WorkerStartError(
    `No worker could start: ${how}${why}${said}`,
    cause === undefined ? {} : { cause },
  );
  return cause === undefined ? error : withStack(error, cause);
}

/** Test runners transform TypeScript in their own process alone. */
function loaderHint(module: string, { name, code }: NodeJS.ErrnoException): string {
  const isUnknown = name === 'SyntaxError' || code === 'ERR_UNKNOWN_FILE_EXTENSION';
  return isUnknown && /\.[cm]?ts$/.test(module)
    ? ". Workers may need a loader of their own for TypeScript, such as `execArgv: ['--import', 'tsx']`"
    : '';
}

/** Shows where the user's code failed, not where we noticed. */
function withStack(error: Error, cause: Error): Error {
  error.stack = `${error.name}: ${error.message}\n${(cause.stack ?? '').split('\n').slice(1).join('\n')}`;
  return error;
}
