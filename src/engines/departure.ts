import type { Clock, Timer } from '../clock.js';
import type { Backend } from './backend.js';
import type { Book } from './book.js';
import type { Traffic } from './traffic.js';
import type { Watch } from './watch.js';
import { within } from './within.js';

/**
 * The end of a dispatcher, which a server that is away must not keep from coming: what is left there is cleared by the next
 * manager of the name.
 */

/** Milliseconds that the last removals may take, and that an early end waits for a server to come back. */
const CLOSE_MS = 5_000;

/** What it works with. */
export interface DepartureSetup {
  readonly backend: Backend;
  readonly clock: Clock;
  readonly book: Book;
  readonly traffic: Traffic;
  readonly watch: Watch;
  /** Chunks of an earlier manager that the list has not come to. */
  readonly unmet: () => readonly string[];
  /** Nothing is left. Called once. */
  readonly over: () => void;
}

export class Departure {
  private closing: Promise<void> | undefined;
  private timer: Timer | undefined;

  constructor(private readonly setup: DepartureSetup) {}

  /**
   * Leaves, if it is not leaving yet.
   * @param atOnce what is on its way is dropped, and machines are told
   */
  leave(atOnce: boolean): void {
    this.closing ??= this.close(atOnce).finally(() => this.setup.over());
  }

  /** Calls back after a while, unless it is leaving by then. Once. */
  later(callback: () => void): void {
    if (this.timer !== undefined || this.closing !== undefined) return;
    this.timer = this.setup.clock.after(CLOSE_MS, () => {
      this.timer = undefined;
      callback();
    });
  }

  private async close(atOnce: boolean): Promise<void> {
    const { backend, clock, book, traffic, watch, unmet } = this.setup;
    clock.clear(this.timer);
    watch.close();
    const left = unmet();
    const dropped = atOnce ? [...book.ids, ...left] : [];
    for (const id of dropped) traffic.remove(id);
    const limit = atOnce ? CLOSE_MS / 5 : CLOSE_MS;
    // No machine is to begin them; what has ended is found by the next manager.
    if (!atOnce && left.length > 0) await within(limit, clock, backend.takeBack(left));
    // Where it has none any more there is nothing of its own to be dropped.
    if (dropped.length > 0) await within(limit, clock, backend.cancel());
    await traffic.close(limit);
    // Those that a machine ran.
    if (dropped.length > 0) await within(limit, clock, backend.discard(dropped));
    await within(CLOSE_MS, clock, backend.close());
  }
}
