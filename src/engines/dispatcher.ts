import type { Clock, Timer } from '../clock.js';
import type { EngineEvents, EngineRun, EngineWork } from '../engine.js';
import type { Parcel } from '../manager/batch.js';
import { Queue } from '../manager/queue.js';
import { RetryPolicy } from '../manager/retry.js';
import type { FailedJob } from '../manager/tally.js';
import { OrderWindow } from '../manager/window.js';
import type { ResolvedOptions } from '../options.js';
import { indexAt } from '../protocol.js';
import type { Claim, Dropped } from './adoption.js';
import { Adoption } from './adoption.js';
import type { Backend, Finished, Fleet, Leftover } from './backend.js';
import type { Chunk } from './chunk.js';
import { join, pick } from './chunk.js';
import { ChunkSizer } from './chunk-sizer.js';
import { engineError } from './codes.js';
import type { ChunkHead } from './envelope.js';
import { writeEnvelope } from './envelope.js';
import { toJson } from './json-values.js';
import { checkProgress, readOutcome } from './outcome.js';
import { pack } from './packing.js';
import { endingsOf } from './settling.js';
import { Traffic } from './traffic.js';
import { Trouble } from './trouble.js';
import { Watch } from './watch.js';
import { within } from './within.js';

/**
 * The submitting side: cuts the list into chunks, keeps a bounded number of them in a queue, and settles what comes back.
 *
 * A job is in exactly one place: the source, `queue`, one chunk of `book`, a leftover that is being matched, or settled. A
 * chunk leaves `book` once, by `finish`; it is removed from the backend only after its jobs were recorded. What the backend
 * tells is a hint; the watch looks up what is outstanding and puts right what was lost.
 *
 * States: `running` → `halted` (nothing more is handed out; what machines run ends) or `drained` (all has settled) → `over`.
 */

/** What a dispatcher is made of. */
export interface DispatcherSetup {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly options: ResolvedOptions;
  readonly head: Omit<ChunkHead, 'chunk'>;
  /** Prefix of the chunks' ids, unlike that of any manager before. */
  readonly prefix: string;
  readonly secret: string | undefined;
  readonly leftovers: readonly Leftover[];
  readonly times: DispatcherTimes;
}

/** Milliseconds. */
export interface DispatcherTimes {
  /** Between two looks at the queue. */
  readonly poll: number;
  /** Without any machine before the run fails. */
  readonly noWorkersTimeout: number | undefined;
}

/** Jobs that an ordered run may hold beyond the oldest unsettled one. */
const ORDER_WINDOW = 4096;
/** Milliseconds that the last removals may take. */
const CLOSE_MS = 5_000;

export class Dispatcher implements EngineRun {
  private state: 'running' | 'halted' | 'drained' | 'over' = 'running';
  private readonly book = new Map<string, Chunk>();
  private readonly queue: Queue;
  private readonly retries: RetryPolicy;
  private readonly sizer: ChunkSizer;
  private readonly window: OrderWindow | undefined;
  private readonly adoption: Adoption;
  private readonly traffic: Traffic;
  private readonly watch: Watch;
  private readonly trouble: Trouble;
  private seq = 0;
  private held = false;
  private stepDue = false;
  private retryTimer: Timer | undefined;
  private closing: Promise<void> | undefined;
  private isDown = false;
  private leaveTimer: Timer | undefined;

  constructor(
    private readonly setup: DispatcherSetup,
    private readonly work: EngineWork,
    private readonly events: EngineEvents,
  ) {
    const { options, backend, clock, times } = setup;
    this.window = options.ordered ? new OrderWindow(ORDER_WINDOW) : undefined;
    this.queue = new Queue(work.source, (index, job) => this.admit(index, job));
    this.retries = new RetryPolicy(options);
    this.sizer = new ChunkSizer(options.batchSize);
    this.adoption = new Adoption(setup.leftovers, setup.secret);
    this.trouble = new Trouble(events, () => clock.now());
    this.traffic = new Traffic(backend, clock, {
      taken: (ids) => this.taken(ids),
      refused: (error) => this.trouble.refused(error),
    });
    this.watch = new Watch(backend, clock, times, {
      outstanding: () => this.outstanding(),
      finished: (id, finished) => this.finished(id, finished),
      lost: (ids) => this.lost(ids),
      fleet: (fleet) => this.fleet(fleet),
      noWorkers: (error, isFatal) => (isFatal ? events.failed(error) : events.warning(error)),
      mayLeave: () => (this.state === 'running' ? [] : [...this.book.keys()]),
      left: (ids) => this.left(ids),
    });
    for (const { id } of this.adoption.takeUnusable()) this.traffic.remove(id);
  }

  /** None on this machine. */
  readonly workers: Iterable<never> = [];

  begin(): void {
    this.step();
  }

  poke(): void {
    if (this.stepDue) return;
    this.stepDue = true;
    this.setup.clock.soon(() => {
      this.stepDue = false;
      this.step();
    });
  }

  hold(on: boolean): void {
    if (this.held === on) return;
    this.held = on;
    if (!on) this.poke();
  }

  halt(reason: 'stopped' | 'aborted'): void {
    if (this.state === 'over') return;
    const before = this.state;
    this.state = 'halted';
    this.setup.clock.clear(this.retryTimer);
    this.queue.clear();
    this.work.source.close();
    for (const id of this.traffic.withdraw()) this.book.delete(id);
    if (reason === 'aborted') this.close(true);
    else if (before === 'running') {
      this.watch.hurry();
      this.setup.clock.soon(() => this.closeIfEmpty());
      this.leaveIfDown();
    }
  }

  /** The server is away, or back. */
  reachable(isUp: boolean): void {
    this.isDown = !isUp;
    if (this.state === 'halted') this.leaveIfDown();
  }

  /** Ends without waiting for machines: nobody can be reached, or nothing here is ours any more. */
  abandon(): void {
    if (this.state === 'over') return;
    this.halt('stopped');
    this.book.clear();
    this.close(true);
  }

  destroy(): void {
    // Nothing can be sent any more: what is in the queue is found by the next manager of the name.
  }

  // ---- from the backend ------------------------------------------------------------------------------------------

  /** A chunk has ended, or may have. */
  finished(id: string, finished: Finished | undefined): void {
    const chunk = this.book.get(id);
    if (chunk === undefined) return;
    if (finished === undefined) return this.watch.look(id);
    this.watch.heard();
    this.book.delete(id);
    if (finished.state === 'completed') this.settle(chunk, finished.outcome);
    else this.failed(chunk, finished);
    if (this.state === 'running') this.poke();
    else this.closeIfEmpty();
  }

  progress(id: string, data: unknown): void {
    const chunk = this.book.get(id);
    if (chunk === undefined || !this.events.wants('progress')) return;
    try {
      this.tell(chunk, 0, data);
    } catch (error) {
      this.events.warning(error as Error);
    }
  }

  // ---- handing out -----------------------------------------------------------------------------------------------

  /** Does everything that can be done now. */
  private step(): void {
    if (this.state !== 'running') return;
    // One look at the clock a step: a retry that was not due yet when it could have been sent is woken up for.
    const now = this.setup.clock.now();
    if (!this.held) {
      // 1. Suspects, each in a chunk of its own.
      while (this.queue.suspect !== undefined && this.hasRoom) {
        const suspect = this.queue.takeSuspect();
        if (suspect !== undefined) this.send({ first: suspect.index, jobs: [suspect.job] });
      }
      // 2. The others, as much as may be on its way.
      while (this.state === 'running' && this.hasRoom) {
        const parcel = this.take(now);
        if (parcel === undefined) break;
        this.send(parcel);
      }
    }
    if (this.state !== 'running') return;
    // 3. The end of the list, and of everything.
    if (this.work.source.exhausted && !this.adoption.isEmpty) this.drop(this.adoption.end());
    if (this.queue.drained && this.book.size === 0) {
      this.state = 'drained';
      this.close(false);
      return;
    }
    // 4. Read ahead what can be sent; wake up for the next retry.
    if (this.queue.catchBreath()) this.poke();
    const { sizer, work } = this;
    work.source.readAhead(sizer.size(Number.POSITIVE_INFINITY) * (sizer.outstanding + 1));
    this.wakeForRetry(now);
  }

  private get hasRoom(): boolean {
    return this.book.size < this.sizer.outstanding;
  }

  /** A parcel of the wanted size; what a slow list has so far only where a worker would be idle. */
  private take(now: number): Parcel | undefined {
    const { queue, sizer } = this;
    const count = sizer.size(queue.remaining);
    const parcels: Parcel[] = [];
    for (let left = count; left > 0; ) {
      const parcel = queue.take(left, now, this.window?.limit);
      if (parcel === undefined || parcel.jobs.length === 0) break;
      parcels.push(parcel);
      left -= parcel.jobs.length;
    }
    const parcel = join(parcels);
    if (parcel === undefined || this.state !== 'running') return undefined;
    const isPart = parcel.jobs.length < count && !this.work.source.exhausted;
    if (!isPart || this.book.size < sizer.known) return parcel;
    queue.giveBack(parcel);
    return undefined;
  }

  private send(parcel: Parcel): void {
    const { chunks, refused } = pack(parcel);
    for (const { parcel: part, texts } of chunks) {
      const attempts = this.retries.pristine
        ? undefined
        : part.jobs.map((_, at) => this.retries.attempt(indexAt(part, at)));
      const id = `${this.setup.prefix}-${this.seq++}`;
      const chunk = { id, parcel: part, takenAt: undefined, told: 0 };
      this.book.set(id, attempts === undefined ? chunk : { ...chunk, attempts });
      this.post(id, part, attempts, texts);
    }
    if (refused.length === 0) return;
    const startedAt = this.setup.clock.epoch();
    this.conclude(
      refused.map(({ position, error }): FailedJob => {
        const index = indexAt(parcel, position);
        const job = parcel.jobs[position];
        return { index, job, id: 0, attempts: this.retries.attempt(index), error, startedAt, duration: 0 };
      }),
    );
    this.poke();
  }

  private post(
    id: string,
    { first, indices }: Parcel,
    attempts: readonly number[] | undefined,
    texts: readonly (string | undefined)[],
  ): void {
    const more = {
      ...(indices === undefined ? {} : { indices }),
      ...(attempts === undefined ? {} : { attempts }),
    };
    const { head, secret } = this.setup;
    this.traffic.submit(writeEnvelope({ ...head, chunk: id }, { first, texts, ...more }, secret));
  }

  private wakeForRetry(now: number): void {
    const { clock } = this.setup;
    clock.clear(this.retryTimer);
    const due = this.queue.nextDue;
    if (due === undefined || due <= now) return;
    this.retryTimer = clock.after(Math.min(due - now, 2 ** 31 - 1), () => this.step());
  }

  // ---- leftovers -------------------------------------------------------------------------------------------------

  private admit(index: number, job: unknown): boolean {
    const runs = this.work.admit?.(index, job) ?? true;
    if (!runs) {
      this.window?.settled(index);
      if (!this.adoption.isEmpty) this.follow(this.adoption.recorded(index));
      return false;
    }
    if (this.adoption.isEmpty) return true;
    const json = job === undefined ? undefined : toJson(job, `job ${index}`);
    if (json instanceof Error) return true;
    const claim = this.adoption.claim(index, json, job);
    this.follow(claim);
    return !claim.claimed;
  }

  private follow({ adopted, dropped }: Claim): void {
    if (dropped !== undefined) this.drop([dropped]);
    if (adopted === undefined) return;
    this.book.set(adopted.id, adopted);
    this.watch.look(adopted.id);
  }

  private drop(leftovers: readonly Dropped[]): void {
    for (const { id, jobs } of leftovers) {
      this.traffic.remove(id);
      for (const { index, job } of jobs) this.queue.giveBack({ first: index, jobs: [job], indices: [index] });
    }
  }

  // ---- endings ---------------------------------------------------------------------------------------------------

  private settle(chunk: Chunk, sealed: unknown): void {
    const { id, parcel } = chunk;
    try {
      const outcome = readOutcome(sealed, {
        chunk: id,
        count: parcel.jobs.length,
        secret: this.setup.secret,
      });
      this.trouble.over();
      if (this.events.wants('progress')) this.tell(chunk, outcome.ids[0] ?? 0, outcome.progress);
      const endings = endingsOf(chunk, outcome, this.retries);
      this.sizer.observe(endings.ran, endings.totalMs);
      for (const worker of new Set(outcome.ids)) this.sizer.saw(`${outcome.machine} ${worker}`);
      this.again(pick(parcel, endings.again));
      for (const { error, alone, ...about } of endings.retries) {
        // An early end leaves it as it is: neither completed nor failed.
        if (this.state !== 'running') break;
        const { index, job } = about;
        if (alone) this.queue.addSuspect({ index, job, needsFreshWorker: false });
        else this.queue.addRetry({ index, job }, this.setup.clock.now() + about.delay);
        this.events.retry(error, about);
      }
      if (this.conclude(endings.settlements)) this.traffic.remove(id);
    } catch (error) {
      this.unusable(chunk, error as Error);
    }
  }

  /** The one door: every job's one ending goes through here. */
  private conclude(settlements: Parameters<EngineEvents['settled']>[0]): boolean {
    if (settlements.length === 0) return true;
    for (const { index } of settlements) {
      this.retries.settled(index);
      this.window?.settled(index);
    }
    return this.events.settled(settlements);
  }

  private failed(chunk: Chunk, { reason, stalled }: Extract<Finished, { state: 'failed' }>): void {
    if (!stalled) return this.unusable(chunk, this.trouble.errorOf(reason));
    this.traffic.remove(chunk.id);
    const positions = mine(chunk);
    const { parcel } = chunk;
    if (positions.length > 1) {
      // Somebody among them takes machines along: alone, it is found.
      if (this.state !== 'running') return;
      for (const at of positions) {
        const suspect = { index: indexAt(parcel, at), job: parcel.jobs[at], needsFreshWorker: false };
        this.queue.addSuspect(suspect);
      }
      return;
    }
    const startedAt = this.setup.clock.epoch();
    this.conclude(
      positions.map((at): FailedJob => {
        const index = indexAt(parcel, at);
        const error = engineError(
          'ERR_ENGINE_WORKER_LOST',
          `Every machine that ran job ${index} died or lost the server while it did (${reason})`,
        );
        const attempts = this.retries.attempt(index);
        return { index, job: parcel.jobs[at], id: 0, attempts, error, startedAt, duration: 0 };
      }),
    );
  }

  /** A chunk that a machine refused, or whose report can't be used: its jobs run elsewhere, and somebody should know. */
  private unusable(chunk: Chunk, error: Error): void {
    this.traffic.remove(chunk.id);
    this.again(pick(chunk.parcel, mine(chunk)));
    this.trouble.met(error);
  }

  private again(parcel: Parcel): void {
    if (this.state === 'running') this.queue.giveBack(parcel);
  }

  /** Progress that was not told yet. */
  private tell(chunk: Chunk, id: number, progress: unknown): void {
    for (const [number, index, data] of checkProgress(progress)) {
      if (number < chunk.told) continue;
      chunk.told = number + 1;
      this.events.progress({ index, id, data });
    }
  }

  // ---- from the watch and the traffic ----------------------------------------------------------------------------

  private taken(ids: readonly string[]): void {
    const now = this.setup.clock.now();
    for (const id of ids) {
      const chunk = this.book.get(id);
      if (chunk !== undefined) chunk.takenAt = now;
    }
  }

  private outstanding(): readonly Chunk[] {
    return [...this.book.values()];
  }

  /** The server has lost chunks: it was restarted without persistence, or somebody removed them. */
  private lost(ids: readonly string[]): void {
    let count = 0;
    for (const id of ids) {
      const chunk = this.book.get(id);
      if (chunk === undefined) continue;
      this.book.delete(id);
      this.again(pick(chunk.parcel, mine(chunk)));
      count += 1;
    }
    if (count === 0) return;
    const what = `${count} chunks of jobs were no longer in the queue and are submitted again`;
    this.events.warning(engineError('ERR_ENGINE_DATA_LOST', what));
    if (this.state === 'running') this.poke();
    else this.closeIfEmpty();
  }

  private fleet(fleet: Fleet): void {
    this.sizer.fleet(fleet.slots);
    this.trouble.fleet(fleet);
  }

  /** After an early end: chunks that no machine had begun, or whose machine is dead. */
  private left(ids: readonly string[]): void {
    for (const id of ids) this.book.delete(id);
    this.closeIfEmpty();
  }

  /** An early end does not wait for a server that is away. */
  private leaveIfDown(): void {
    if (!this.isDown || this.leaveTimer !== undefined) return;
    this.leaveTimer = this.setup.clock.after(CLOSE_MS, () => {
      this.leaveTimer = undefined;
      if (this.isDown) this.abandon();
    });
  }

  private closeIfEmpty(): void {
    if (this.state !== 'running' && this.book.size === 0) this.close(false);
  }

  private close(atOnce: boolean): void {
    if (this.closing !== undefined) return;
    this.closing = this.shut(atOnce).finally(() => {
      this.state = 'over';
      this.events.over();
    });
  }

  private async shut(atOnce: boolean): Promise<void> {
    const { backend, clock } = this.setup;
    clock.clear(this.retryTimer);
    clock.clear(this.leaveTimer);
    this.watch.close();
    if (atOnce) for (const id of this.book.keys()) this.traffic.remove(id);
    const limit = atOnce ? CLOSE_MS / 5 : CLOSE_MS;
    // A server that is away must not keep the run from ending: what is left there is cleared by the next manager.
    if (atOnce) await within(limit, clock, backend.cancel());
    await this.traffic.close(limit);
    await within(CLOSE_MS, clock, backend.close());
  }
}

/** Positions of a chunk that no earlier manager had recorded. */
function mine({ parcel, foreign }: Chunk): number[] {
  const all = parcel.jobs.map((_, at) => at);
  return foreign === undefined ? all : all.filter((at) => !foreign.has(at));
}
