export type { JobMessage, WorkerMessage } from './channels.js';
export {
  EngineError,
  JobTimeoutError,
  JournalError,
  OptionError,
  SerializationError,
  SpecError,
  ThreadFactoryError,
  WorkerCrashError,
  WorkerStartError,
} from './errors.js';
export type { Completed, JobFailure, ThreadFactoryEvents } from './events.js';
export { ThreadFactory } from './factory.js';
export type { Engine, RetryOptions, ThreadFactoryOptions } from './options.js';
export type {
  Failure,
  JobContext,
  JobList,
  Summary,
  ThreadFactorySpec,
  WorkerContext,
  WorkerNamedSpec,
} from './spec.js';
export type { Spread, Stats, WorkerStats } from './stats.js';
