import { types } from 'node:util';
import { describe } from './describe.js';

/** What every error of this library takes beside its message. */
export interface ThreadFactoryErrorOptions {
  /** Stable and machine-readable: what callers test. */
  readonly code: string;
  /** What led to it. */
  readonly cause?: unknown;
}

/** The `cause` most subclasses take. */
export interface CauseOptions {
  /** What led to it. */
  readonly cause?: unknown;
}

/**
 * Any error this library makes. Test `error.code`; the classes are for reading and for `instanceof`.
 * Used as such for `ERR_THROWN` (a job threw something that is no Error; the value is the `cause`).
 */
export class ThreadFactoryError extends Error {
  /** Stable and machine-readable, `ERR_…`. */
  readonly code: string;

  static {
    nameClass(ThreadFactoryError, 'ThreadFactoryError');
  }

  constructor(message: string, options: ThreadFactoryErrorOptions) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = options.code;
  }
}

/** The spec, or the module that holds it, can't be used. `ERR_SPEC`. */
export class SpecError extends ThreadFactoryError {
  static {
    nameClass(SpecError, 'SpecError');
  }

  constructor(message: string, options: CauseOptions = {}) {
    super(message, { ...options, code: 'ERR_SPEC' });
  }
}

/** An option is unknown or has a value it can't have. `ERR_OPTION`. */
export class OptionError extends ThreadFactoryError {
  static {
    nameClass(OptionError, 'OptionError');
  }

  constructor(message: string, options: CauseOptions = {}) {
    super(message, { ...options, code: 'ERR_OPTION' });
  }
}

/** A worker could not be forked, loaded or started up. `ERR_WORKER_START`. */
export class WorkerStartError extends ThreadFactoryError {
  static {
    nameClass(WorkerStartError, 'WorkerStartError');
  }

  constructor(message: string, options: CauseOptions = {}) {
    super(message, { ...options, code: 'ERR_WORKER_START' });
  }
}

/** How a worker process ended, for `WorkerCrashError`. */
export interface WorkerCrashDetails extends CauseOptions {
  /** Process id; undefined when the fork itself failed. */
  readonly pid: number | undefined;
  /** Exit status; null when a signal ended it. */
  readonly exitCode: number | null;
  /** Signal name such as `'SIGKILL'`; null when it exited. */
  readonly signal: string | null;
  /** The last lines it wrote to stderr; `''` when they were not captured. */
  readonly stderr: string;
}

/** A job killed its worker more often than `crashRetries` allows. `ERR_WORKER_CRASH`. */
export class WorkerCrashError extends ThreadFactoryError {
  /** Process id; undefined when the fork itself failed. */
  readonly pid: number | undefined;
  /** Exit status; null when a signal ended it. */
  readonly exitCode: number | null;
  /** Signal name such as `'SIGKILL'`; null when it exited. */
  readonly signal: string | null;
  /** The last lines it wrote to stderr; `''` when they were not captured. */
  readonly stderr: string;

  static {
    nameClass(WorkerCrashError, 'WorkerCrashError');
  }

  constructor(message: string, details: WorkerCrashDetails) {
    const { pid, exitCode, signal, stderr, ...options } = details;
    super(message, { ...options, code: 'ERR_WORKER_CRASH' });
    this.pid = pid;
    this.exitCode = exitCode;
    this.signal = signal;
    this.stderr = stderr;
  }
}

/** An attempt took longer than `timeout`. `ERR_JOB_TIMEOUT`. */
export class JobTimeoutError extends ThreadFactoryError {
  /** The `timeout` that was exceeded, in ms. */
  readonly timeout: number;

  static {
    nameClass(JobTimeoutError, 'JobTimeoutError');
  }

  constructor(message: string, details: { readonly timeout: number }) {
    super(message, { code: 'ERR_JOB_TIMEOUT' });
    this.timeout = details.timeout;
  }
}

/** The error of an attempt that took longer than `timeout` ms, whichever side noticed. */
export function timeoutError(timeout: number): JobTimeoutError {
  return new JobTimeoutError(`The job did not end within its timeout of ${timeout} ms`, { timeout });
}

/** A value that can't travel between processes or into a journal. `ERR_SERIALIZATION`. */
export class SerializationError extends ThreadFactoryError {
  /** Where in the value, such as `a.b[2].fn`; undefined when it is the value itself, or was not found. */
  readonly path: string | undefined;

  static {
    nameClass(SerializationError, 'SerializationError');
  }

  constructor(message: string, details: CauseOptions & { readonly path?: string | undefined } = {}) {
    const { path, ...options } = details;
    super(message, { ...options, code: 'ERR_SERIALIZATION' });
    this.path = path;
  }
}

/** A journal that is damaged, in use, full, or of another list of jobs. `ERR_JOURNAL`. */
export class JournalError extends ThreadFactoryError {
  /** The line at fault, counted from 1; undefined where it is no single line. */
  readonly line: number | undefined;

  static {
    nameClass(JournalError, 'JournalError');
  }

  constructor(message: string, details: CauseOptions & { readonly line?: number | undefined } = {}) {
    const { line, ...options } = details;
    super(message, { ...options, code: 'ERR_JOURNAL' });
    this.line = line;
  }
}

/** The engine (the queue, or its server) failed. `ERR_ENGINE_…`. */
export class EngineError extends ThreadFactoryError {
  static {
    nameClass(EngineError, 'EngineError');
  }

  constructor(
    message: string,
    options: ThreadFactoryErrorOptions & { readonly code: `ERR_ENGINE_${string}` },
  ) {
    super(message, options);
  }
}

/**
 * What was thrown, as an Error. An Error of any realm (node:vm, jest) and an object that looks like one
 * (string `message` and `stack`, such as a DOMException or a polyfilled error) is returned as it is; anything
 * else, `null` and `undefined` included, becomes the `cause` of a `ThreadFactoryError` with code `ERR_THROWN`.
 */
export function asError(value: unknown): Error {
  if (isErrorLike(value)) return value;
  return new ThreadFactoryError(`A value that is not an Error was thrown: ${describe(value)}`, {
    code: 'ERR_THROWN',
    cause: value,
  });
}

/** True for an Error of any realm and for an object with a string `message` and a string `stack`. Never throws. */
export function isErrorLike(value: unknown): value is Error {
  if (types.isNativeError(value)) return true;
  if (typeof value !== 'object' || value === null) return false;
  try {
    if (value instanceof Error) return true;
    return (
      'message' in value &&
      typeof value.message === 'string' &&
      'stack' in value &&
      typeof value.stack === 'string'
    );
  } catch {
    // A getter or a proxy trap that throws: not an error we can read.
    return false;
  }
}

/**
 * Names a class on its prototype, as the built-in errors do: it survives minification, is not an own field of
 * every error, and is there when the constructor of Error writes the first line of the stack.
 */
function nameClass(errorClass: abstract new (...args: never[]) => Error, name: string): void {
  Object.defineProperty(errorClass.prototype, 'name', { value: name, configurable: true, writable: true });
}
