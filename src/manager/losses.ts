import type { Clock } from '../clock.js';
import { timeoutError } from '../errors.js';
import type { Batch } from './batch.js';
import { pickParcel } from './batch.js';
import type { Held } from './crash.js';
import { blame, crashError } from './crash.js';
import type { Attempt, Endings } from './endings.js';
import type { FailedJob } from './tally.js';
import type { Worker } from './worker.js';

/**
 * What becomes of the jobs that a worker held when it went: the one that certainly did it is charged, those that may
 * have done it run again alone, the others go back to the queue.
 */
export class Losses {
  constructor(
    private readonly parts: {
      readonly endings: Endings;
      readonly clock: Clock;
      readonly concurrency: number;
      readonly timeout: number | undefined;
      /** A worker died with these jobs. */
      readonly crashed: (worker: Worker, jobs: readonly number[]) => void;
    },
  ) {}

  /** @param worker one that has gone, with what it held */
  settle(worker: Worker): void {
    if (worker.held === 0) return;
    const { endings, crashed, concurrency } = this.parts;
    const { culprits, suspects, innocent } = blame(worker, concurrency);
    const late = worker.fault === 'timeout';
    if (worker.fault === 'crashed') {
      crashed(
        worker,
        [...culprits, ...suspects].map(({ batch, position }) => batch.indexAt(position)),
      );
    }
    const ended = culprits.map((held) => (late ? this.timedOut(worker, held) : this.crashed(worker, held)));
    // Of several that ran beside a stray error most are innocent: they run alone in whatever worker there is, and only the one
    // that runs when it is thrown again needs a worker that ran nothing else.
    const needsFreshWorker = worker.uncaught !== undefined && suspects.length === 1;
    for (const { batch, position } of suspects) endings.suspected(batch.parcel, position, needsFreshWorker);
    for (const batch of worker.batches)
      endings.putBack(pickParcel(batch.parcel, positionsIn(batch, innocent)));
    endings.settle(ended.filter((job) => job !== undefined));
  }

  private timedOut(worker: Worker, held: Held): FailedJob | undefined {
    const { endings, clock, timeout = 0 } = this.parts;
    const times = { startedAt: clock.epoch() - timeout, duration: timeout };
    return endings.failed({ ...aboutOf(worker, held), ...times }, timeoutError(timeout));
  }

  private crashed(worker: Worker, held: Held): FailedJob | undefined {
    const { endings, clock } = this.parts;
    const about = aboutOf(worker, held);
    const error = crashError(worker, `job ${about.index}, attempt ${about.attempt}`);
    const fresh = worker.uncaught !== undefined;
    return endings.crashed({ ...about, startedAt: clock.epoch(), duration: 0 }, error, fresh);
  }
}

function aboutOf(worker: Worker, { batch, position }: Held): Omit<Attempt, 'startedAt' | 'duration'> {
  return {
    index: batch.indexAt(position),
    job: batch.jobAt(position),
    id: worker.id ?? 0,
    attempt: batch.attemptAt(position),
  };
}

function positionsIn(batch: Batch, held: readonly Held[]): number[] {
  return held.filter((one) => one.batch === batch).map(({ position }) => position);
}
