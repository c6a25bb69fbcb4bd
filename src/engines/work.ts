import { realpathSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import type { Worker as BullMqWorker, Job } from 'bullmq';
import { callerFile, fileNamed } from '../call-site.js';
import type { Timer } from '../clock.js';
import { systemClock } from '../clock.js';
import { listen } from '../listeners.js';
import { probeParentDeathSignal } from '../manager/pdeathsig.js';
import { SELF } from '../paths.js';
import { isWorker } from '../registry.js';
import { checkServer } from './connection.js';
import { BEAT_MS } from './fleet-book.js';
import type { Library } from './library.js';
import { loadLibrary } from './library.js';
import { Machine } from './machine.js';
import { machineSetup } from './machine-setup.js';
import type { Names } from './names.js';
import { namesOf } from './names.js';
import { Link } from './redis.js';
import { within } from './within.js';
import type { CheckedWork, WorkOptions } from './work-options.js';
import { checkWorkOptions } from './work-options.js';

/**
 * The machine side: one BullMQ Worker whose processor hands each chunk to the local pool. The user's code is never in this
 * process, which does nothing but talk to the server: so a lock is renewed in time whatever a job does.
 *
 * States: `working` → `stopping` (takes nothing more; running jobs end within `grace`, the rest goes back).
 */

/** A machine at work. */
export interface Work {
  /** Its name. */
  readonly machine: string;
  /** Settles when it has stopped; rejects with the reason where it could not go on. */
  readonly stopped: Promise<void>;
  /** Ends running jobs, gives back the others, leaves. */
  stop(): Promise<void>;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
/** Milliseconds for the last reports. */
const CLOSE_MS = 5_000;
/** Milliseconds between two lines of news. */
const NEWS_MS = 10_000;

/**
 * Makes this process a machine of the runs that are submitted under a name.
 * @param module what the operator runs: the script that builds the factory, or a module of the functions; a path relative to
 *   the calling file, or a `file:` URL. Nothing that comes through the queue names code.
 * @returns when it is connected
 * @throws OptionError, SpecError, EngineError
 */
export async function work(module: string | URL, options: WorkOptions): Promise<Work> {
  // A script that calls this runs again in each worker.
  if (isWorker()) return await new Promise<never>(() => {});
  const caller = callerFile(work, SELF, __filename);
  const checked = checkWorkOptions(options, process.env);
  // The operator's own word, and the only code that runs here.
  const path = realpathSync(fileNamed(module, isFile(caller) ? caller : resolve('a file of this folder')));
  return await startMachine(path, checked);
}

/** Whether something can be relative to a caller: not `[eval]`, and not standard input. */
function isFile(caller: string | undefined): boolean {
  return caller !== undefined && (caller.startsWith('file:') || isAbsolute(caller));
}

async function startMachine(path: string, options: CheckedWork): Promise<Work> {
  checkServer(options.connection);
  const [library, parentDeath] = await Promise.all([loadLibrary(options.bullmq), probeParentDeathSignal()]);
  const at = new Station(path, options, library, parentDeath);
  try {
    await at.open();
  } catch (error) {
    await at.stop();
    throw error;
  }
  return at;
}

class Station implements Work {
  readonly machine: string;
  readonly stopped: Promise<void>;
  private state: 'working' | 'stopping' = 'working';
  private readonly names: Names;
  private readonly link: Link;
  private readonly runner: Machine;
  private worker: BullMqWorker | undefined;
  private beat = 0;
  private chunks = 0;
  private timer: Timer | undefined;
  private failure: Error | undefined;
  private end: ((error: Error | undefined) => void) | undefined;
  private stopping: Promise<void> | undefined;
  private offSignals: (() => void)[] = [];
  private offExit: (() => void) | undefined;

  constructor(
    path: string,
    private readonly options: CheckedWork,
    private readonly library: Library,
    parentDeath: Awaited<ReturnType<typeof probeParentDeathSignal>>,
  ) {
    const { connection, prefix, name, machine } = options;
    this.machine = machine;
    this.names = namesOf(prefix, name);
    this.stopped = new Promise((resolve, reject) => {
      this.end = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.stopped.catch(() => {});
    const limits = { clock: systemClock, answer: options.connectTimeout };
    this.link = new Link(library, connection, limits, {
      down: (error) => this.say(error.message),
      up: () => this.say('the server is back'),
    });
    this.runner = new Machine(machineSetup(options, { path, connection, clock: systemClock, parentDeath }), {
      broken: (error) => this.broken(error),
      ready: ({ id, pid }) => this.say(`worker ${id} is ready (pid ${pid})`),
      exit: ({ id, pid, reason }) => this.say(`worker ${id ?? '?'} has gone (pid ${pid}, ${reason})`),
    });
  }

  async open(): Promise<void> {
    const { options, names, link } = this;
    await link.connect();
    this.offExit = listen('exit', () => this.runner.destroy());
    const heeded = options.handleSignals ? SIGNALS : [];
    this.offSignals = heeded.map((signal) => listen(signal, () => void this.stop()));
    const { Worker } = this.library;
    this.worker = new Worker(names.queue, (job) => this.process(job), {
      connection: link.client,
      prefix: names.prefix,
      skipVersionCheck: true,
      concurrency: options.workers * options.concurrency,
      lockDuration: options.lockDuration,
      stalledInterval: options.stalledInterval,
      maxStalledCount: options.maxStalledCount,
      runRetryDelay: 500,
    });
    // What it complains of is the connection, which says so itself, or a chunk that somebody else has by now.
    this.worker.on('error', (error) => this.say(link.words(error)));
    this.worker.on('stalled', (id) =>
      this.say(`chunk ${id} was left by a machine that died, or lost the server`),
    );
    await this.worker.waitUntilReady();
    await this.announce();
    this.say(`works for ${options.name} with ${options.workers} workers`);
  }

  stop(): Promise<void> {
    this.stopping ??= this.shut();
    return this.stopping;
  }

  private async process(job: Job): Promise<unknown> {
    this.chunks += 1;
    return await this.runner.run(job.id ?? '', job.data, (progress) => {
      // Only what is heard at once: all of it is in the outcome as well.
      job.updateProgress(progress as unknown as object).catch(() => {});
    });
  }

  /** Says that it is there, and hears whether a run was aborted. */
  private async announce(): Promise<void> {
    const { names, link, options, machine } = this;
    const slots = options.workers * options.concurrency;
    try {
      this.beat += 1;
      const [, cancelled] = await Promise.all([
        link.client.hset(names.machines, machine, JSON.stringify({ slots, beat: this.beat })),
        this.runner.busy > 0 ? link.client.get(names.cancelled) : null,
      ]);
      if (cancelled !== null) this.runner.cancel(cancelled);
    } catch (error) {
      this.say(link.words(error));
    }
    if (this.state !== 'working') return;
    const due = this.beat % Math.round(NEWS_MS / BEAT_MS) === 0;
    if (due) this.say(`${this.runner.busy} chunks running, ${this.chunks} taken so far`);
    this.timer = systemClock.after(this.runner.busy > 0 ? BEAT_MS / 2 : BEAT_MS, () => void this.announce());
  }

  /** It can do no work: rather none than one that only fails. */
  private broken(error: Error): void {
    this.failure ??= error;
    this.say(error.message);
    void this.stop();
  }

  private async shut(): Promise<void> {
    const { worker, link, names, options } = this;
    this.state = 'stopping';
    this.say('stops');
    systemClock.clear(this.timer);
    for (const off of this.offSignals) off();
    await worker?.pause(true);
    await this.runner.stop(options.grace);
    // Its reports go out now; a server that is away gets them from nobody, and gives the chunks to others.
    const isUp = link.client.status === 'ready';
    if (worker !== undefined && !(await within(isUp ? CLOSE_MS : 1, systemClock, worker.close(!isUp)))) {
      // What else it does at its end waits for a server that has gone, and its timer would hold the process for ever.
      void (worker as unknown as { lockManager?: { close(): Promise<void> } }).lockManager?.close();
    }
    if (isUp) await within(CLOSE_MS, systemClock, link.client.hdel(names.machines, this.machine));
    link.close();
    this.offExit?.();
    this.end?.(this.failure);
  }

  private say(line: string): void {
    this.options.log?.(`${this.machine}: ${line}`);
  }
}
