import type { Clock } from '../clock.js';
import { indexAt } from '../protocol.js';
import type { Parcel } from './batch.js';
import type { Queue } from './queue.js';
import type { RetryPolicy } from './retry.js';
import type { FailedJob, Settlement } from './tally.js';
import { isFailed } from './tally.js';
import type { OrderWindow } from './window.js';

/** What is told of endings. */
export interface EndingEvents {
  /** Jobs that have settled, in one go: whoever records them does so before anybody is told, or says `false`. */
  settled(settlements: readonly Settlement[], handedAt?: number): unknown;
  /** A charged attempt has failed and its job will be run again. */
  retry(error: unknown, about: RetryNotice): void;
}

/** A job that will be run again after `delay` milliseconds. */
export interface RetryNotice {
  readonly index: number;
  readonly job: unknown;
  readonly id: number;
  readonly attempt: number;
  readonly delay: number;
}

/** A job of a parcel that fails without an attempt of its own. */
export interface Refused {
  readonly position: number;
  readonly error: Error;
}

/** One attempt that has ended, by whom and when. */
export interface Attempt {
  readonly index: number;
  readonly job: unknown;
  readonly id: number;
  readonly attempt: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly machine?: string;
}

/** What endings write to. */
export interface EndingParts {
  readonly queue: Queue;
  readonly retries: RetryPolicy;
  readonly window: OrderWindow | undefined;
  readonly clock: Clock;
}

/**
 * What an attempt's end means for its job: settled, or run again.
 *
 * `settle` is the one door through which every job's one ending goes. Until `close` a job may also go back to the queue;
 * afterwards what would have run again is left as it is, neither completed nor failed. After an abort so is what fails:
 * it may have failed of the abort. `closed` and `isAborted` are written by `close` alone.
 */
export class Endings {
  private _closed = false;
  private isAborted = false;

  constructor(
    private readonly parts: EndingParts,
    private readonly events: EndingEvents,
  ) {}

  /** Whether the run ends early: nothing is run again. */
  get closed(): boolean {
    return this._closed;
  }

  /** @param reason `aborted`: whoever fails from now on may have been told to */
  close(reason: 'stopped' | 'aborted'): void {
    this._closed = true;
    this.isAborted ||= reason === 'aborted';
    this.parts.queue.clear();
  }

  /**
   * The one door: every job's one ending goes through here.
   * @param all jobs and what they came to
   * @param handedAt epoch milliseconds when all of them were handed to their worker, where they came together
   * @returns `false` where they could not be recorded
   */
  settle(all: readonly Settlement[], handedAt?: number): unknown {
    const settlements = this.isAborted ? all.filter((one) => !isFailed(one)) : all;
    if (settlements.length === 0) return undefined;
    const { retries, window } = this.parts;
    if (!retries.pristine) for (const { index } of settlements) retries.settled(index);
    if (window !== undefined) for (const { index } of settlements) window.settled(index);
    return this.events.settled(settlements, handedAt);
  }

  /** An attempt that threw or timed out: charged. @returns the job's end, if this was it */
  failed(attempt: Attempt, error: unknown): FailedJob | undefined {
    const { queue, retries, clock } = this.parts;
    const verdict = retries.failed(attempt.index, error);
    if (!verdict.again) return failure(attempt, verdict.error);
    if (this._closed) return undefined;
    const { index, job } = attempt;
    queue.addRetry({ index, job }, clock.now() + verdict.delay);
    this.announce(attempt, error, verdict.delay);
    return undefined;
  }

  /**
   * An attempt that killed its worker: charged, and run again alone.
   * @returns the job's end, if this was it
   */
  crashed(attempt: Attempt, error: unknown, needsFreshWorker: boolean): FailedJob | undefined {
    const { index, job } = attempt;
    if (!this.parts.retries.crashed(index, error).again) return failure(attempt, error);
    if (this._closed) return undefined;
    this.announce(attempt, error, 0);
    this.parts.queue.addSuspect({ index, job, needsFreshWorker });
    return undefined;
  }

  /** A job whose attempt may have killed its worker: run again alone, uncharged. */
  suspected(parcel: Parcel, position: number, needsFreshWorker: boolean): void {
    if (this._closed) return;
    const index = indexAt(parcel, position);
    this.parts.queue.addSuspect({ index, job: parcel.jobs[position], needsFreshWorker });
  }

  /**
   * Jobs of a parcel that can't be sent, or be run anywhere: they fail with that, and another try would, too.
   * @param id of the worker that was to get them, if any
   * @returns as `settle`
   */
  refuse(parcel: Parcel, refused: readonly Refused[], id = 0): unknown {
    const { retries, clock } = this.parts;
    const startedAt = clock.epoch();
    return this.settle(
      refused.map(({ position, error }) => {
        const index = indexAt(parcel, position);
        const attempt = retries.attempt(index);
        return failure({ index, job: parcel.jobs[position], id, attempt, startedAt, duration: 0 }, error);
      }),
    );
  }

  /** Jobs that were not begun, or whose worker had to go for another's sake: run again, uncharged. */
  putBack(parcel: Parcel): void {
    if (!this._closed) this.parts.queue.giveBack(parcel);
  }

  private announce({ index, job, id, attempt }: Attempt, error: unknown, delay: number): void {
    this.events.retry(error, { index, job, id, attempt, delay });
  }
}

/** The end of a job whose last attempt this was. */
export function failure(last: Attempt, error: unknown): FailedJob {
  const { attempt: attempts, ...about } = last;
  return { ...about, attempts, error };
}
