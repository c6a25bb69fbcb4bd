import { channel } from 'node:diagnostics_channel';
import type { Attempt } from './manager/endings.js';
import type { Settlement } from './manager/tally.js';
import { isFailed } from './manager/tally.js';
import type { ExitReason } from './manager/worker.js';

/**
 * What tools that watch a process subscribe to (https://nodejs.org/api/diagnostics_channel.html): every job and every
 * worker of every factory in it, without a hold of the factories. Nothing is made while nobody listens.
 */

/** A message on `threadfactory:job`: a job has settled. */
export type JobMessage = {
  /** The module whose factory it is: a path, or the URL of an ES module. */
  readonly module: string;
} & Attempt &
  ({ readonly result: unknown } | { readonly error: unknown });

/** A message on `threadfactory:worker`: a worker is ready, or has gone. */
export type WorkerMessage = { readonly module: string; readonly pid: number } & (
  | { readonly event: 'ready'; readonly id: number }
  | {
      readonly event: 'exit';
      /** Undefined where it went before it had a number. */
      readonly id: number | undefined;
      readonly code: number | null;
      readonly signal: string | null;
      readonly reason: ExitReason;
    }
);

const jobs = channel('threadfactory:job');
const workers = channel('threadfactory:worker');

/** Tells of jobs that have settled, where anybody listens. */
export function publishJobs(module: string, settlements: readonly Settlement[]): void {
  if (!jobs.hasSubscribers) return;
  for (const settlement of settlements) {
    const { index, job, id, startedAt, duration } = settlement;
    const about = { module, index, job, id, startedAt, duration };
    const message: JobMessage = isFailed(settlement)
      ? { ...about, attempt: settlement.attempts, error: settlement.error }
      : { ...about, attempt: settlement.attempt, result: settlement.result };
    jobs.publish(message);
  }
}

/** Tells of a worker, where anybody listens. */
export function publishWorker(make: () => WorkerMessage): void {
  if (workers.hasSubscribers) workers.publish(make());
}
