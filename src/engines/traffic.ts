import type { Clock, Timer } from '../clock.js';
import type { Backend } from './backend.js';
import type { Envelope } from './envelope.js';
import { within } from './within.js';

/**
 * What goes to the queue: chunks in, and chunks out once they are recorded. One call at a time, many chunks a call, again
 * until it works: both are idempotent by id. A server that is full or away makes it wait, and nothing else.
 *
 * States: `open` → `leaving` (nothing more goes in) → `closed` (nothing comes out either; what was not removed is found by
 * the next manager of the name).
 */

/** Chunks of one call, and characters of what is sent: on a slow line nothing else gets through meanwhile. */
const LOT = 500;
const LOT_SIZE = 1024 * 1024;
/** Milliseconds to collect removals, which nothing waits for. */
const REMOVE_MS = 250;
/** Milliseconds before the first next try, and at most: each waits twice as long as the one before. */
const RETRY_MS = [100, 5_000] as const;

/** What traffic tells the dispatcher. */
export interface TrafficEvents {
  /** Whether this chunk has no ending yet: one that has come back before its own answer is not sent again. */
  wants(id: string): boolean;
  /** The queue has these, as far as is known: they are not sent again. */
  taken(ids: readonly string[]): void;
  /** A call failed and will be made again. */
  refused(error: Error): void;
}

export class Traffic {
  private state: 'open' | 'leaving' | 'closed' = 'open';
  private outbox: Envelope[] = [];
  private spent: string[] = [];
  private failures = 0;
  private busy: Promise<void> | undefined;
  private isKicked = false;
  private removeTimer: Timer | undefined;
  private retryTimer: Timer | undefined;
  private isEmptied: (() => void) | undefined;

  constructor(
    private readonly backend: Backend,
    private readonly clock: Clock,
    private readonly events: TrafficEvents,
  ) {}

  /** Sends a chunk, or sends one again that the queue has lost. */
  submit(envelope: Envelope): void {
    this.outbox.push(envelope);
    this.clock.soon(() => this.kick());
  }

  /** Forgets what was not sent; what is on its way there is told as taken, whatever becomes of it. @returns their ids */
  leave(): readonly string[] {
    if (this.state === 'open') this.state = 'leaving';
    return this.withdraw();
  }

  /** Forgets what was not sent. @returns their ids */
  withdraw(): readonly string[] {
    return this.outbox.splice(0).map(({ chunk }) => chunk);
  }

  /** Removes a chunk whose jobs are recorded, soon. */
  remove(id: string): void {
    this.spent.push(id);
    if (this.spent.length >= LOT) this.kick();
    else this.removeTimer ??= this.clock.after(REMOVE_MS, () => this.kick());
  }

  /** Removes what is left to be removed, for at most so many milliseconds, and ends. */
  async close(limit: number): Promise<void> {
    this.leave();
    const emptied = new Promise<void>((resolve) => {
      this.isEmptied = resolve;
    });
    this.kick();
    await within(limit, this.clock, emptied);
    this.state = 'closed';
    for (const each of [this.removeTimer, this.retryTimer]) this.clock.clear(each);
  }

  private get isClosed(): boolean {
    return this.state === 'closed';
  }

  private kick(): void {
    this.clock.clear(this.removeTimer);
    this.removeTimer = undefined;
    // What comes while a call is at its end is seen by nobody else.
    this.isKicked = this.busy !== undefined;
    if (this.isKicked || this.isClosed || this.retryTimer !== undefined) return;
    this.busy = this.work().finally(() => {
      this.busy = undefined;
      if (this.isKicked) this.kick();
      else if (this.spent.length === 0) this.isEmptied?.();
    });
  }

  private async work(): Promise<void> {
    while (!this.isClosed && (this.outbox.length > 0 || this.spent.length > 0)) {
      const chunks = this.nextLot();
      const sent = chunks.map(({ chunk }) => chunk);
      const ids = this.spent.splice(0, LOT);
      try {
        // Out before in: a server that is full takes something in again only after that.
        if (ids.length > 0) await this.backend.remove(ids);
        ids.length = 0;
        if (chunks.length > 0) {
          await this.backend.submit(chunks);
          this.events.taken(sent);
        }
        this.failures = 0;
      } catch (error) {
        if (this.state === 'open') this.outbox.unshift(...chunks);
        else this.events.taken(sent);
        this.spent.unshift(...ids);
        if (!this.isClosed) this.retryLater(error as Error);
        return;
      }
    }
  }

  /** What is sent next, without what has come back meanwhile. */
  private nextLot(): Envelope[] {
    this.outbox = this.outbox.filter(({ chunk }) => this.events.wants(chunk));
    let size = 0;
    const over = this.outbox.findIndex(({ body }, at) => {
      size += body.length;
      return at >= LOT || (at > 0 && size > LOT_SIZE);
    });
    return this.outbox.splice(0, over < 0 ? LOT : over);
  }

  private retryLater(error: Error): void {
    const [least, most] = RETRY_MS;
    const wait = Math.min(most, least * 2 ** this.failures);
    this.failures += 1;
    this.events.refused(error);
    this.retryTimer = this.clock.after(wait, () => {
      this.retryTimer = undefined;
      this.kick();
    });
  }
}
