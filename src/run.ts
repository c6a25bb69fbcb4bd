import { apply } from './apply.js';
import { publishWorker } from './channels.js';
import type { Clock, Timer } from './clock.js';
import { systemClock } from './clock.js';
import type { EngineDriver, EngineRun, OpenEngine } from './engine.js';
import { asError } from './errors.js';
import { runInside } from './inside.js';
import type { Journal } from './journal.js';
import type { LedgerEvents } from './ledger.js';
import { Ledger } from './ledger.js';
import { listen } from './listeners.js';
import type { Source } from './manager/source.js';
import { createSource } from './manager/source.js';
import type { ResolvedOptions } from './options.js';
import type { FactoryRef, ModuleRef } from './protocol.js';
import type { Snapshot } from './snapshot.js';
import { takeSnapshot } from './snapshot.js';
import type { CheckedSpec, Summary } from './spec.js';

/** What a run tells the factory. Each of the payloads is made only where `wants` says so. */
export interface RunEvents extends LedgerEvents {
  wants(event: 'completed' | 'error' | 'progress' | 'retry' | 'ready' | 'exit' | 'warning'): boolean;
  ready(about: { id: number; pid: number }): void;
  progress(about: { index: number; id: number; data: unknown }): void;
  retry(error: unknown, about: object): void;
  runFailed(error: unknown): void;
  exit(about: object): void;
  warning(error: Error): void;
}

/** Who can hold the hand-out: the user, or an iteration whose consumer is slow. */
export type Holder = 'pause' | 'consumer';

export interface RunOptions {
  readonly spec: CheckedSpec;
  readonly options: ResolvedOptions;
  readonly module: ModuleRef;
  readonly factory: FactoryRef;
  readonly keepResults: boolean;
  readonly openJournal: (() => Promise<Journal>) | undefined;
  /** Whether workers must not write to our output themselves: something is drawn on it, or it is for results alone. */
  readonly drawn: () => boolean;
  readonly engine: EngineDriver;
}

/** Jobs of a lazy list that are looked at before anything is forked, at most. */
const PEEK = 1024;

/** Milliseconds that a list which was left early has to clean up, once the workers have gone. */
const CLEANUP_MS = 500;

/**
 * One run, from `manager()` to the summary: wires the manager's rooms. What it comes to is in its ledger.
 *
 * States: `listing` (manager runs) → `working` → `finishing` (workers have gone, `managerFinish` runs) → `over`.
 * `fail`, `stop` and `abort` may come at any time; the first of each kind counts.
 */
export class Run {
  private readonly clock: Clock = systemClock;
  private readonly ledger: Ledger;
  private running: EngineRun | undefined;
  private source: Source | undefined;
  /** Jobs in the list when the run was ended early, where that was known. */
  private listed: number | undefined;
  private stopped: Summary['stopped'] = false;
  private failure: { readonly error: Error } | undefined;
  private abortReason: { readonly value: unknown } | undefined;
  /** Whether all workers have gone: nothing is left to stop. */
  private finishing = false;
  private ended: (() => void) | undefined;
  private readonly end: Promise<void>;
  private abandoned: (() => void) | undefined;
  /** Resolves when it is aborted. */
  private readonly cut: Promise<void>;
  /** Who wants nothing more handed out for now. */
  private readonly holders = new Set<Holder>();

  constructor(
    private readonly setup: RunOptions,
    private readonly events: RunEvents,
  ) {
    const { options, module, keepResults } = setup;
    this.ledger = new Ledger(
      {
        module: module.id,
        keepResults,
        concurrency: options.concurrency,
        clock: this.clock,
        total: () => this.source?.total,
        counted: () => {
          if (this.ledger.tally.bails(options.bail)) this.stop('bail');
        },
        failed: (error) => this.fail(error),
      },
      events,
    );
    this.end = new Promise((resolve) => {
      this.ended = resolve;
    });
    this.cut = new Promise((resolve) => {
      this.abandoned = resolve;
    });
  }

  /** Whether the run itself failed, and with what. */
  get failed(): { readonly error: Error } | undefined {
    return this.failure;
  }

  /** Whether it was aborted, and why. */
  get aborted(): { readonly value: unknown } | undefined {
    return this.abortReason;
  }

  /** Failures that nobody was told of. */
  get unreported(): number {
    return this.ledger.tally.unreported;
  }

  /** In one word, how it ended. */
  how({
    stopped,
  }: Pick<Summary, 'stopped'>): Exclude<Summary['stopped'], false> | 'done' | 'aborted' | 'failed' {
    if (this.abortReason !== undefined) return 'aborted';
    return this.failure === undefined ? stopped || 'done' : 'failed';
  }

  /** Runs it to its end. Never rejects: `failed` and `aborted` tell. */
  async go(input: unknown): Promise<Summary> {
    const { signal } = this.setup.options;
    const onAbort = (): void => this.abort(signal?.reason);
    if (signal?.aborted === true) onAbort();
    const offAbort = signal && listen(signal, onAbort);
    const offExit = listen('exit', () => this.destroyWorkers());
    try {
      await this.list(input);
      await this.end;
      await this.listClosed();
      // On the disk before `managerFinish` acts on it, and in use until that is over.
      this.ledger.sync();
      return await this.finish();
    } catch (error) {
      this.fail(error);
      return this.summary(undefined);
    } finally {
      this.ledger.close();
      offAbort?.();
      offExit();
    }
  }

  /** Ends it early and politely. Once every job has settled there is nothing to end early. */
  stop(reason: Exclude<Summary['stopped'], false>): void {
    if (this.stopped !== false || this.finishing) return;
    if (reason !== 'bail' && this.running?.done === true) return;
    this.stopped = reason;
    this.halt('stopped');
  }

  /** Ends it at once. */
  abort(reason: unknown): void {
    this.abortReason ??= { value: reason };
    this.abandoned?.();
    this.halt('aborted');
  }

  /** SIGKILLs every worker: the manager's process is about to end. */
  destroyWorkers(): void {
    this.running?.destroy();
  }

  /** Hands out nothing more while anybody holds it. */
  hold(who: Holder, on: boolean): void {
    if (on) this.holders.add(who);
    else this.holders.delete(who);
    this.running?.pace.hold(this.holders.size > 0);
  }

  /** What it looks like now. */
  snapshot(): Snapshot {
    const { isOver: halted } = this;
    const { tally } = this.ledger;
    // A list that was closed ends with what was taken from it: whoever watches knew more.
    const total = this.listed ?? this.source?.total;
    const workers = this.running?.workers;
    const { concurrency } = this.setup.options;
    return takeSnapshot({ tally, total, workers, concurrency, halted, paused: this.holders.has('pause') });
  }

  // ---- the list --------------------------------------------------------------------------------------------------

  private async list(input: unknown): Promise<void> {
    if (this.isOver) return;
    const { engine } = this.setup;
    const { self, manager } = this.setup.spec;
    engine.prepare?.(this.setup);
    let list: unknown;
    let opened: OpenEngine | undefined;
    try {
      const listed = (async () => apply(manager, self, [input]))();
      // Whoever stops the run does not wait for a list that may never come.
      list = await Promise.race([listed, this.end]);
      if (this.isOver) {
        void listed.then(closeList, () => {});
        return;
      }
      // The journal first: its lock says that no other manager of this run lives.
      const journal = await this.setup.openJournal?.();
      if (journal !== undefined) this.ledger.recordIn(journal, list);
      const opening = engine.open({ ...this.setup, clock: this.clock });
      opened = (await Promise.race([opening, this.end])) ?? undefined;
      if (opened === undefined || this.isOver) {
        closeList(list);
        void opening.then((late) => late.close()).catch(() => {});
        return;
      }
      this.work(list, opened);
    } catch (error) {
      closeList(list);
      void opened?.close();
      this.fail(error);
    }
  }

  private get isOver(): boolean {
    return this.stopped !== false || this.abortReason !== undefined || this.failure !== undefined;
  }

  private work(list: unknown, opened: OpenEngine): void {
    const source = createSource(
      list,
      {
        available: () => this.running?.pace.poke(),
        failed: (error) => {
          // Nobody waits any more for a cleanup that took too long.
          if (!this.finishing) this.fail(error);
        },
      },
      Math.min(Math.max(1, this.setup.options.workers), PEEK),
    );
    this.source = source;
    // To look at the list runs code of the user's, which may have ended the run.
    if (this.isOver) {
      source.close();
      void opened.close();
      return;
    }
    const { ledger, events, clock } = this;
    const { stats } = ledger;
    ledger.tally.expect(source.total);
    const module = this.setup.module.id;
    const admit = (index: number, job: unknown): boolean => !this.isOver && ledger.admits(index, job);
    this.running = opened.run(
      { source, admit: ledger.isRecorded ? admit : undefined },
      {
        wants: (event) => events.wants(event),
        ready: (about) => {
          stats.ready(about.id, clock.now());
          publishWorker(() => ({ module, event: 'ready', ...about }));
          if (events.wants('ready')) events.ready(about);
        },
        exit: ({ peakRss, ...about }) => {
          stats.exited(about.id, clock.now(), peakRss);
          publishWorker(() => ({ module, event: 'exit', ...about }));
          if (events.wants('exit')) events.exit(about);
        },
        settled: (...args) => ledger.settled(...args),
        retry: (error, about) => {
          ledger.retried({ ...about, error });
          if (events.wants('retry')) events.retry(error, about);
        },
        progress: (about) => events.progress(about),
        crashed: (about) => ledger.crashed(about),
        warning: (error) => {
          if (events.wants('warning')) events.warning(error);
        },
        failed: (error) => this.fail(error),
        over: () => this.ended?.(),
      },
    );
    this.running.pace.hold(this.holders.size > 0);
    this.running.begin();
  }

  // ---- what happens ----------------------------------------------------------------------------------------------

  /** The run itself failed: running jobs end, and `start()` will reject. */
  fail(thrown: unknown): void {
    if (this.abortReason !== undefined) return;
    const error = asError(thrown);
    const first = this.failure === undefined;
    this.failure ??= { error };
    if (this.events.wants('error')) this.events.runFailed(error);
    if (first) this.halt('stopped');
  }

  private halt(reason: 'stopped' | 'aborted'): void {
    this.listed ??= this.source?.total;
    if (this.running === undefined) {
      this.source?.close();
      this.ended?.();
    } else this.running.halt(reason);
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /**
   * What the list's cleanup throws fails the run, so it is waited for; not for ever: a generator that hangs in `next()` never
   * gets to it.
   */
  private async listClosed(): Promise<void> {
    const closing = this.source?.closing;
    if (closing === undefined) return;
    let timer: Timer | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = this.clock.after(CLEANUP_MS, resolve);
    });
    await Promise.race([closing, this.cut, enough]);
    this.clock.clear(timer);
  }

  private async finish(): Promise<Summary> {
    this.finishing = true;
    const { self, managerFinish } = this.setup.spec;
    let value: unknown;
    if (!this.isOver && managerFinish !== undefined) {
      try {
        const finish = (): unknown => apply(managerFinish, self, [this.summary(undefined)]);
        const finishing = (async () => runInside(this, finish))();
        // Whoever aborts does not wait for what may never end.
        value = await Promise.race([finishing, this.cut]);
      } catch (error) {
        this.fail(error);
      }
    }
    return this.summary(value);
  }

  private summary(value: unknown): Summary {
    return this.ledger.sumUp({ total: this.source?.taken ?? 0, value, stopped: this.stopped });
  }
}

/** A list of a run that was stopped or failed before it was read: whoever made it is told that nobody wants it. */
function closeList(list: unknown): void {
  const iterable = list as Partial<AsyncIterable<unknown> & { destroy(): void }> | null;
  if (typeof iterable?.destroy === 'function') iterable.destroy();
}
