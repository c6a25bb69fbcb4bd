import type { Clock, Timer } from '../clock.js';
import type { Backend, Finished, Fleet } from './backend.js';
import type { Chunk } from './chunk.js';
import { engineError } from './codes.js';

/**
 * The truth, looked up: every so often it compares what should be in the queue with what is, fetches what has finished
 * without anybody telling, and notices what was lost. Events may be missed, trimmed or late; this does not depend on them.
 *
 * One look at a time; `closed` ends it.
 */

/** Chunks whose outcomes are fetched together. */
const LOT = 32;
/** Milliseconds between two looks when the run ends early. */
const HURRY_MS = 100;
/** Milliseconds without a machine before anybody is told. */
const LONELY_MS = 5_000;

/** What a watch asks and tells the dispatcher. */
export interface WatchEvents {
  outstanding(): readonly Chunk[];
  finished(id: string, finished: Finished): void;
  lost(ids: readonly string[]): void;
  fleet(fleet: Fleet): void;
  noWorkers(error: Error, isFatal: boolean): void;
  /** Chunks that are to be taken back if no machine has them. */
  mayLeave(): readonly string[];
  /** Of those that were asked for, these were taken back. */
  left(asked: readonly string[], taken: readonly string[]): void;
  /** The server could not be looked at, or takes nothing in. */
  refused(error: Error): void;
  /** The server did all that it was asked. */
  answered(): void;
}

/** Milliseconds. */
export interface WatchTimes {
  readonly poll: number;
  readonly noWorkersTimeout: number | undefined;
}

export class Watch {
  private closed = false;
  private looking = false;
  private due = false;
  private timer: Timer | undefined;
  private interval: number;
  private readonly told = new Set<string>();
  private lonelySince: number | undefined;
  private lonelyTold = false;

  constructor(
    private readonly backend: Backend,
    private readonly clock: Clock,
    private readonly times: WatchTimes,
    private readonly events: WatchEvents,
  ) {
    this.interval = times.poll;
    this.schedule();
  }

  /** Somebody said that this chunk has ended: fetch it now. */
  look(id: string): void {
    this.told.add(id);
    this.soon();
  }

  /** The run ends early: look at once, and often. */
  hurry(): void {
    this.interval = HURRY_MS;
    this.soon();
  }

  /** A machine did something. */
  heard(): void {
    this.lonelySince = undefined;
    this.lonelyTold = false;
  }

  close(): void {
    this.closed = true;
    this.clock.clear(this.timer);
  }

  /** Look at once. */
  soon(): void {
    if (this.due) return;
    this.due = true;
    this.clock.soon(() => void this.lookNow());
  }

  private schedule(): void {
    this.clock.clear(this.timer);
    if (!this.closed) this.timer = this.clock.after(this.interval, () => void this.lookNow());
  }

  private async lookNow(): Promise<void> {
    if (this.closed || this.looking) return;
    this.looking = true;
    this.due = false;
    try {
      const isFine = await this.compare();
      if (!this.closed) await this.count();
      if (!this.closed && isFine) this.events.answered();
    } catch (error) {
      // A server that is away is reported by the connection; the next look will tell.
      if (!this.closed) this.events.refused(error as Error);
    } finally {
      this.looking = false;
      if (this.due) {
        this.due = false;
        this.soon();
      } else this.schedule();
    }
  }

  /** @returns whether the server takes something in */
  private async compare(): Promise<boolean> {
    const outstanding = this.events.outstanding();
    if (outstanding.length === 0) return true;
    const began = this.clock.now();
    const survey = await this.backend.survey();
    const ended = outstanding.filter(({ id }) => survey.finished.has(id) || this.told.has(id));
    this.told.clear();
    for (let at = 0; at < ended.length && !this.closed; at += LOT) {
      const ids = ended.slice(at, at + LOT).map(({ id }) => id);
      for (const [id, finished] of await this.backend.collect(ids)) this.events.finished(id, finished);
    }
    const { refusal } = survey;
    if (!this.closed && refusal !== undefined) this.events.refused(refusal);
    const mayLeave = this.closed ? [] : this.events.mayLeave();
    if (mayLeave.length > 0) this.events.left(mayLeave, await this.backend.takeBack(mayLeave));
    if (this.closed) return false;
    const isThere = (id: string): boolean =>
      [survey.active, survey.waiting, survey.finished].some((ids) => ids.has(id));
    const lost = outstanding.filter(
      ({ id, takenAt }) => takenAt !== undefined && takenAt < began && !isThere(id),
    );
    if (lost.length > 0) this.events.lost(lost.map(({ id }) => id));
    return refusal === undefined;
  }

  private async count(): Promise<void> {
    const fleet = await this.backend.fleet();
    if (this.closed) return;
    this.events.fleet(fleet);
    const now = this.clock.now();
    if (fleet.machines.size > 0 || this.events.outstanding().length === 0) return this.heard();
    this.lonelySince ??= now;
    const waited = now - this.lonelySince;
    const { noWorkersTimeout } = this.times;
    const error = (): Error =>
      engineError(
        'ERR_ENGINE_NO_WORKERS',
        `No machine is connected for ${Math.round(waited / 1000)} s while jobs wait: start one with \`threadfactory work\`, ` +
          'with the same name and server',
      );
    if (noWorkersTimeout !== undefined && waited >= noWorkersTimeout) this.events.noWorkers(error(), true);
    else if (waited >= LONELY_MS && !this.lonelyTold) {
      this.lonelyTold = true;
      this.events.noWorkers(error(), false);
    }
  }
}
