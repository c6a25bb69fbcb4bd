import type { Clock } from '../clock.js';
import type { EngineEvents } from '../engine.js';
import type { Queue } from '../manager/queue.js';
import type { RetryPolicy } from '../manager/retry.js';
import type { FailedJob } from '../manager/tally.js';
import type { OrderWindow } from '../manager/window.js';
import { indexAt } from '../protocol.js';
import type { Finished } from './backend.js';
import type { Chunk } from './chunk.js';
import { mine, pick } from './chunk.js';
import type { ChunkSizer } from './chunk-sizer.js';
import { engineError } from './codes.js';
import { checkProgress, readOutcome } from './outcome.js';
import { endingsOf } from './settling.js';
import type { Trouble } from './trouble.js';

/**
 * What becomes of the jobs of a chunk that has left the book: settled through the one door, or run again. The chunk is
 * removed from the queue only after its jobs were recorded.
 */

/** What it works with. */
export interface ChunkEndingsSetup {
  readonly events: EngineEvents;
  readonly clock: Clock;
  readonly queue: Queue;
  readonly retries: RetryPolicy;
  readonly sizer: ChunkSizer;
  readonly window: OrderWindow | undefined;
  readonly trouble: Trouble;
  readonly secret: string | undefined;
  /** Removes a chunk from the queue, soon. */
  readonly remove: (id: string) => void;
  /** Whether jobs without an ending run again: not after an early end. */
  readonly goesOn: () => boolean;
}

export class ChunkEndings {
  constructor(private readonly setup: ChunkEndingsSetup) {}

  /** A chunk has ended in the queue. */
  finished(chunk: Chunk, finished: Finished): void {
    if (finished.state === 'completed') this.settle(chunk, finished.outcome);
    else if (finished.stalled) this.stalled(chunk, finished.reason);
    else this.unusable(chunk, this.setup.trouble.errorOf(finished.reason));
  }

  /** Progress that came by event. */
  progress(chunk: Chunk, data: unknown): void {
    const { events } = this.setup;
    if (!events.wants('progress')) return;
    try {
      this.tell(chunk, data);
    } catch (error) {
      events.warning(error as Error);
    }
  }

  /** The one door: every job's one ending goes through here. @returns whether all were recorded */
  conclude(settlements: Parameters<EngineEvents['settled']>[0]): boolean {
    if (settlements.length === 0) return true;
    const { retries, window, events } = this.setup;
    for (const { index } of settlements) {
      retries.settled(index);
      window?.settled(index);
    }
    return events.settled(settlements);
  }

  /** The jobs of a chunk that has no ending are to run again, uncharged. */
  again(chunk: Chunk, positions: readonly number[] = mine(chunk)): void {
    if (this.setup.goesOn()) this.setup.queue.giveBack(pick(chunk.parcel, positions));
  }

  private settle(chunk: Chunk, sealed: unknown): void {
    const { secret, trouble, events, sizer, retries } = this.setup;
    const { id, parcel } = chunk;
    try {
      const outcome = readOutcome(sealed, { chunk: id, count: parcel.jobs.length, secret });
      trouble.over();
      if (events.wants('progress')) this.tell(chunk, outcome.progress);
      const endings = endingsOf(chunk, outcome, retries);
      sizer.observe(endings.ran, endings.totalMs, endings.unfit);
      for (const worker of new Set(outcome.ids)) sizer.saw(`${outcome.machine} ${worker}`);
      this.again(chunk, endings.again);
      this.retry(endings.retries);
      if (this.conclude(endings.settlements)) this.setup.remove(id);
    } catch (error) {
      this.unusable(chunk, error as Error);
    }
  }

  private retry(retries: ReturnType<typeof endingsOf>['retries']): void {
    const { queue, clock, events, goesOn } = this.setup;
    for (const { error, alone, ...about } of retries) {
      // An early end leaves it as it is: neither completed nor failed.
      if (!goesOn()) break;
      const { index, job } = about;
      if (alone) queue.addSuspect({ index, job, needsFreshWorker: false });
      else queue.addRetry({ index, job }, clock.now() + about.delay);
      events.retry(error, about);
    }
  }

  /** Its machines died, one after the other. */
  private stalled(chunk: Chunk, reason: string): void {
    const { remove, goesOn, queue, retries, clock } = this.setup;
    remove(chunk.id);
    const positions = mine(chunk);
    const { parcel } = chunk;
    if (positions.length > 1) {
      // Somebody among them takes machines along: alone, it is found.
      if (!goesOn()) return;
      for (const at of positions) {
        queue.addSuspect({ index: indexAt(parcel, at), job: parcel.jobs[at], needsFreshWorker: false });
      }
      return;
    }
    const startedAt = clock.epoch();
    this.conclude(
      positions.map((at): FailedJob => {
        const index = indexAt(parcel, at);
        const error = engineError(
          'ERR_ENGINE_WORKER_LOST',
          `Every machine that ran job ${index} died or lost the server while it did (${reason})`,
        );
        const attempts = retries.attempt(index);
        return { index, job: parcel.jobs[at], id: 0, attempts, error, startedAt, duration: 0 };
      }),
    );
  }

  /** A chunk that a machine refused, or whose report can't be used: its jobs run elsewhere, and somebody should know. */
  private unusable(chunk: Chunk, error: Error): void {
    this.setup.remove(chunk.id);
    this.again(chunk);
    this.setup.trouble.met(error);
  }

  /** Progress that was not told yet. */
  private tell(chunk: Chunk, progress: unknown): void {
    for (const [number, index, data, id] of checkProgress(progress)) {
      if (number < chunk.told) continue;
      chunk.told = number + 1;
      this.setup.events.progress({ index, id, data });
    }
  }
}
