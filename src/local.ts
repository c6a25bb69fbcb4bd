import type { EngineDriver, EngineEvents, EngineRun, EngineSetup, EngineWork } from './engine.js';
import { childOptions } from './flags.js';
import type { SpawnChild } from './manager/child.js';
import { finishFailure } from './manager/crash.js';
import { forker } from './manager/fork.js';
import type { Pace } from './manager/pace.js';
import type { ParentDeathPrefix } from './manager/pdeathsig.js';
import { probeParentDeathSignal } from './manager/pdeathsig.js';
import { Pool } from './manager/pool.js';
import { Scheduler } from './manager/scheduler.js';
import type { ExitReason, Worker } from './manager/worker.js';
import { BOOTSTRAP } from './paths.js';
import { textsOf } from './spec.js';

/** The engine of one machine: a pool of forked processes and the scheduler that feeds it, or with `workers: 0` none. */
export const localEngine: EngineDriver = {
  name: 'local',
  prepare({ options }) {
    if (options.workers !== 0) void probeParentDeathSignal();
  },
  async open(setup) {
    const spawn =
      setup.options.workers === 0 ? await inline(setup) : forked(setup, await probeParentDeathSignal());
    return {
      run: (work, events) => new LocalRun(setup, spawn, work, events),
      close: async () => {},
    };
  },
};

/** Where there is no process, nothing can be killed for its time, or replaced. */
const UNLIMITED = {
  startupTimeout: Number.POSITIVE_INFINITY,
  shutdownTimeout: Number.POSITIVE_INFINITY,
  maxJobsPerWorker: undefined,
};

class LocalRun implements EngineRun {
  private readonly scheduler: Scheduler;
  private aborted = false;

  constructor(
    setup: EngineSetup,
    spawn: SpawnChild,
    work: EngineWork,
    private readonly events: EngineEvents,
  ) {
    const { spec, clock } = setup;
    const options = setup.options.workers === 0 ? { ...setup.options, ...UNLIMITED } : setup.options;
    const size = Math.max(1, options.workers);
    const beginsAtOnce = spec.workerStartup === undefined && spec.workerFinish === undefined;
    const limits = { ...options, beginsAtOnce };
    const pool = { size, spawn, limits, clock, module: setup.module.id };
    this.scheduler = new Scheduler(
      { ...work, clock, pool: (told) => new Pool(pool, told) },
      { ...options, workers: size },
      {
        ...events,
        ready: ({ id = 0, pid = 0 }) => events.ready({ id, pid }),
        crashed: ({ id = 0, pid, exit }, jobs) =>
          events.crashed({ id, pid, code: exit?.code ?? null, signal: exit?.signal ?? null, jobs }),
        exited: (...about) => this.workerExited(...about),
      },
    );
  }

  get done(): boolean {
    return this.scheduler.done;
  }

  get workers(): Iterable<Worker> {
    return this.scheduler.workers;
  }

  get pace(): Pace {
    return this.scheduler.pace;
  }

  begin(): void {
    this.scheduler.step();
  }

  halt(reason: 'stopped' | 'aborted'): void {
    this.aborted ||= reason === 'aborted';
    this.scheduler.halt(reason);
  }

  destroy(): void {
    for (const worker of this.workers) worker.destroy();
  }

  private workerExited(worker: Worker, reason: ExitReason): void {
    const { events } = this;
    const { id, pid = 0, peakRss } = worker;
    const { code = null, signal = null } = worker.exit ?? {};
    events.exit({ id, pid, code, signal, reason, peakRss });
    const error = this.aborted ? undefined : finishFailure(worker);
    if (error !== undefined) events.failed(error);
  }
}

/** No processes: loaded where it is wanted, with the worker's side of a job. */
async function inline({ spec, options, clock }: EngineSetup): Promise<SpawnChild> {
  const { concurrency, timeout } = options;
  const { inlineSpawner } = await import('./inline.js');
  return inlineSpawner(spec, { concurrency, timeout, clock });
}

function forked(
  { spec, options, module, factory, drawn }: EngineSetup,
  parentDeath: ParentDeathPrefix,
): SpawnChild {
  const { concurrency, timeout, startupTimeout } = options;
  return forker({
    bootstrap: BOOTSTRAP,
    init: {
      module,
      factory,
      texts: textsOf(spec),
      concurrency,
      timeout,
      startupTimeout,
      maxMemory: options.maxMemoryPerWorker,
    },
    ...childOptions(options),
    output: drawn() && options.output === 'inherit' ? 'lines' : options.output,
    parentDeath,
    print: (stream, line) => process[stream].write(line),
  });
}
