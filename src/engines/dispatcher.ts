import type { Clock } from '../clock.js';
import type { EngineEvents, EngineRun, EngineWork } from '../engine.js';
import { Endings } from '../manager/endings.js';
import { Pace } from '../manager/pace.js';
import { Queue } from '../manager/queue.js';
import { RetryPolicy } from '../manager/retry.js';
import { noting, OrderWindow } from '../manager/window.js';
import type { ResolvedOptions } from '../options.js';
import type { Backend, Finished, Fleet, Leftover } from './backend.js';
import { Book } from './book.js';
import { ChunkEndings } from './chunk-endings.js';
import { ChunkSizer } from './chunk-sizer.js';
import { engineError } from './codes.js';
import { Departure } from './departure.js';
import type { ChunkHead } from './envelope.js';
import { Feed } from './feed.js';
import { Takeover } from './takeover.js';
import { Traffic } from './traffic.js';
import { Trouble } from './trouble.js';
import { Watch } from './watch.js';

/**
 * The submitting side: cuts the list into chunks, keeps a bounded number of them in a queue, and settles what comes back.
 *
 * A job is in exactly one place: the source, `queue`, one chunk of `book`, a leftover that is being matched, or settled.
 * What the backend tells is a hint; the watch looks up what is outstanding and puts right what was lost.
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

export class Dispatcher implements EngineRun {
  private state: 'running' | 'halted' | 'drained' | 'over' = 'running';
  private readonly book = new Book();
  private readonly queue: Queue;
  private readonly sizer: ChunkSizer;
  private readonly takeover: Takeover;
  private readonly feed: Feed;
  private readonly endings: Endings;
  private readonly chunkEndings: ChunkEndings;
  private readonly traffic: Traffic;
  private readonly watch: Watch;
  private readonly trouble: Trouble;
  private readonly departure: Departure;
  readonly pace: Pace;
  /** Whether the server is away, or does not do what it is asked. */
  private isAway = false;
  /** Chunks that the server has no room for. */
  private readonly surplus = new Set<string>();

  constructor(
    private readonly setup: DispatcherSetup,
    private readonly work: EngineWork,
    private readonly events: EngineEvents,
  ) {
    const { options, backend, clock, times, secret, leftovers } = setup;
    const window = options.ordered ? new OrderWindow() : undefined;
    const retries = new RetryPolicy(options);
    const { book } = this;
    const goesOn = (): boolean => this.state === 'running';
    const remove = (id: string): void => this.traffic.remove(id);
    this.pace = new Pace(clock, () => this.step());
    this.queue = new Queue(work.source, (index, job) => this.takeover.admit(index, job));
    this.sizer = new ChunkSizer(options.batchSize);
    this.trouble = new Trouble(events, () => clock.now());
    this.traffic = new Traffic(backend, clock, {
      wants: (id) => book.get(id) !== undefined,
      taken: (ids) => book.arrived(ids, clock.now()),
      refused: (error) => {
        if (this.refused(error)) this.watch.soon();
      },
    });
    this.watch = new Watch(backend, clock, times, {
      outstanding: () => book.all,
      finished: (id, finished) => this.finished(id, finished),
      lost: (ids) => this.lost(ids),
      fleet: (fleet) => this.fleet(fleet),
      noWorkers: (error, isFatal) => (isFatal ? this.trouble.fail(error) : events.warning(error)),
      mayLeave: () => (goesOn() ? [...this.surplus] : book.sent),
      refused: (error) => this.refused(error),
      answered: () => {
        this.isAway = false;
      },
      left: (...about) => this.left(...about),
    });
    const { queue, sizer, trouble, watch, traffic } = this;
    const endings = new Endings({ queue, retries, window, clock }, events);
    const shared = {
      events,
      clock,
      queue,
      retries,
      endings,
      sizer,
      window,
      book,
      trouble,
      secret,
      remove,
      goesOn,
    };
    this.endings = endings;
    this.chunkEndings = new ChunkEndings(shared);
    this.feed = new Feed({
      ...shared,
      source: work.source,
      head: setup.head,
      prefix: setup.prefix,
      submit: (envelope) => traffic.submit(envelope),
      again: () => this.pace.poke(),
    });
    const unmet = (): readonly string[] => this.takeover.forget();
    this.departure = new Departure({
      backend,
      clock,
      book,
      traffic,
      watch,
      unmet,
      over: () => this.isOver(),
    });
    this.takeover = new Takeover({
      book,
      secret,
      remove,
      leftovers,
      giveBack: (parcel) => queue.giveBack(parcel),
      admit: work.admit && noting(work.admit, window),
      look: (id) => watch.look(id),
      discard: (id) => void backend.discard([id]).catch(() => remove(id)),
    });
  }

  /** None on this machine. */
  readonly workers: Iterable<never> = [];

  begin(): void {
    this.step();
  }

  halt(reason: 'stopped' | 'aborted'): void {
    if (this.state === 'over') return;
    const before = this.state;
    this.state = 'halted';
    this.pace.stop();
    this.endings.close(reason);
    this.work.source.close();
    this.book.takeOut(this.traffic.leave());
    if (reason === 'aborted') this.departure.leave(true);
    else if (before === 'running') {
      this.watch.hurry();
      this.setup.clock.soon(() => this.leaveIfEmpty());
      this.leaveIfAway();
    }
  }

  /** The server is away, or back. */
  reachable(isUp: boolean): void {
    this.isAway = !isUp;
    if (this.state === 'halted') this.leaveIfAway();
  }

  /**
   * Ends without waiting for machines: nobody can be reached, or the name is not ours any more.
   * @param chunks are kept for whoever goes on with the run, or dropped, but for those that a machine runs: they may be another
   *   manager's of the same run by now
   */
  abandon(chunks: 'kept' | 'dropped'): void {
    if (this.state === 'over') return;
    this.halt('stopped');
    if (chunks === 'dropped') for (const id of this.book.ids) this.traffic.remove(id);
    this.book.clear();
    this.takeover.forget();
    this.departure.leave(true);
  }

  destroy(): void {
    // Nothing can be sent any more: what is in the queue is found by the next manager of the name.
  }

  // ---- from the backend ------------------------------------------------------------------------------------------

  /** A chunk has ended, or may have. */
  finished(id: string, finished: Finished | undefined): void {
    if (this.book.get(id) === undefined) return;
    if (finished === undefined) return this.watch.look(id);
    this.watch.heard();
    for (const chunk of this.book.takeOut([id])) this.chunkEndings.finished(chunk, finished);
    this.goOn();
  }

  progress(id: string, data: unknown): void {
    const chunk = this.book.get(id);
    if (chunk !== undefined) this.chunkEndings.progress(chunk, data);
  }

  // ---- from the watch --------------------------------------------------------------------------------------------

  /** The server has lost chunks: it was restarted without persistence, or somebody removed them. */
  private lost(ids: readonly string[]): void {
    const chunks = this.book.takeOut(ids);
    if (chunks.length === 0) return;
    for (const chunk of chunks) {
      this.chunkEndings.again(chunk);
      // What was sent when the connection broke is sent again later: it may still get there.
      this.traffic.remove(chunk.id);
    }
    const what = `${chunks.length} chunks of jobs were no longer in the queue and are submitted again`;
    this.events.warning(engineError('ERR_ENGINE_DATA_LOST', what));
    this.goOn();
  }

  private fleet(fleet: Fleet): void {
    this.sizer.fleet(fleet.slots);
    this.trouble.fleet(fleet);
  }

  /** Chunks were taken back that no machine had begun, or whose machine is dead. */
  private left(asked: readonly string[], taken: readonly string[]): void {
    for (const id of asked) this.surplus.delete(id);
    for (const chunk of this.book.takeOut(taken)) this.chunkEndings.again(chunk);
    this.goOn();
  }

  /**
   * The server did not do something. One that is full of waiting chunks lets machines take none of them either: so what it
   * has too many of is taken back, and goes there again as room comes.
   * @returns whether there is something to be taken back
   */
  private refused(error: Error): boolean {
    this.isAway = true;
    const isFull = this.trouble.refused(error);
    if (this.state === 'halted') this.leaveIfAway();
    if (!isFull || this.state !== 'running') return false;
    // Some of those that were refused together may be there all the same.
    const refused = this.traffic.withdraw();
    this.book.arrived(refused, this.setup.clock.now());
    this.sizer.full(this.book.size - refused.length);
    for (const id of [...refused, ...this.book.ids.slice(this.sizer.outstanding)]) this.surplus.add(id);
    return true;
  }

  // ---- handing out -----------------------------------------------------------------------------------------------

  /** Does everything that can be done now. */
  private step(): void {
    if (this.state !== 'running') return;
    // One look at the clock a step.
    const now = this.setup.clock.now();
    if (!this.pace.held) this.feed.hand(now);
    // What was refused may have ended the run.
    if (this.state !== 'running') return;
    if (this.work.source.exhausted && this.takeover.listEnded()) this.pace.poke();
    if (this.queue.drained && this.book.size === 0) {
      this.state = 'drained';
      this.departure.leave(false);
      return;
    }
    if (this.queue.catchBreath()) this.pace.poke();
    this.feed.readAhead();
    this.pace.wakeFor(this.queue.nextDue, now);
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  private goOn(): void {
    if (this.state === 'running') this.pace.poke();
    else this.leaveIfEmpty();
  }

  private leaveIfEmpty(): void {
    if (this.state !== 'running' && this.book.size === 0) this.departure.leave(false);
  }

  /** An early end does not wait for a server that is away, or refuses what it needs. */
  private leaveIfAway(): void {
    if (!this.isAway) return;
    this.departure.later(() => {
      if (this.isAway) this.abandon('kept');
    });
  }

  private isOver(): void {
    this.pace.stop();
    this.state = 'over';
    this.events.over();
  }
}
