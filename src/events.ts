import type { Failure, Summary } from './spec.js';

/** What a factory tells its listeners. */

/** A job that completed, as `completed` and iteration give it. */
export interface Completed<Job = unknown, Result = unknown> {
  readonly index: number;
  readonly job: Job;
  readonly result: Result;
  /** The worker's number. */
  readonly id: number;
  readonly attempt: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** Milliseconds. */
  readonly duration: number;
  /** Jobs settled so far, this one included. */
  readonly done: number;
  /** Jobs in the list; undefined while a lazy list is open. */
  readonly total: number | undefined;
}

/** What `error` says of a job that failed for good. */
export type JobFailure<Job = unknown> = Omit<Failure<Job>, 'error'>;

/** The events of a factory and the arguments of their listeners. */
export interface ThreadFactoryEvents<Job = unknown, Result = unknown, Value = unknown> {
  ready: [{ id: number; pid: number }];
  progress: [{ index: number; id: number; data: unknown }];
  completed: [Completed<Job, Result>];
  retry: [Error, { index: number; job: Job; id: number; attempt: number; delay: number }];
  error: [Error, JobFailure<Job>?];
  exit: [
    {
      id: number | undefined;
      pid: number;
      code: number | null;
      signal: string | null;
      reason: 'finished' | 'stopped' | 'recycled' | 'timeout' | 'aborted' | 'startup' | 'crashed';
    },
  ];
  /** Something that did not end the run, and that somebody should know: the server of an engine is away, say. */
  warning: [Error];
  finished: [Summary<Job, Result, Value>];
}
