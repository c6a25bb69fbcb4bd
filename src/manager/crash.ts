import { errorFromWire } from '../error-wire.js';
import { WorkerCrashError } from '../errors.js';
import type { Batch } from './batch.js';
import type { ChildExit } from './child.js';
import type { ExitReason, Worker } from './worker.js';

/**
 * Who is to blame when a worker has died or hung: pure rules over what it held.
 *
 * One worker, one running batch: with one job at a time, a batch that waits behind another was never begun (a batch's
 * last report is sent before the next one begins), so its jobs are innocent for certain. Of the running batch every
 * unreported job may have been the one. It is charged only where there is no other.
 */

/** A worker that has gone, as far as its jobs and its error are concerned. */
export type DeadWorker = Pick<
  Worker,
  'batches' | 'fault' | 'alone' | 'overdue' | 'given' | 'uncaught' | 'pid' | 'exit' | 'killedFor' | 'stderr'
>;

/** What becomes of the jobs that a dead worker held. */
export interface Blame {
  /** Certainly did it: charged. */
  readonly culprits: readonly Held[];
  /** May have done it: run again, each alone, uncharged. */
  readonly suspects: readonly Held[];
  /** Were never begun: go back to the queue. */
  readonly innocent: readonly Held[];
}

/** One job of a batch. */
export interface Held {
  readonly batch: Batch;
  readonly position: number;
}

/** @param worker one that has gone; @param concurrency how many jobs it ran at once */
export function blame(worker: DeadWorker, concurrency: number): Blame {
  const unreported = worker.batches.map((batch) =>
    batch.unreported().map((position): Held => ({ batch, position })),
  );
  const all = unreported.flat();
  if (worker.fault === undefined) return { culprits: [], suspects: [], innocent: all };
  const begun = concurrency === 1 ? (unreported[0] ?? []) : all;
  const innocent = all.slice(begun.length);
  if (worker.fault === 'timeout') return blameForTimeout(worker, concurrency, begun, innocent);
  if (worker.uncaught !== undefined) return blameForUncaught(worker, worker.uncaught.running, all);
  return all.length === 1
    ? { culprits: begun, suspects: [], innocent }
    : { culprits: [], suspects: begun, innocent };
}

/** Such an error may have been thrown late by a job that had ended. The child has reported what ended, and named what ran. */
function blameForUncaught(worker: DeadWorker, running: readonly number[], all: readonly Held[]): Blame {
  // The only job it ever had.
  if (all.length === 1 && worker.given === 1) return { culprits: all, suspects: [], innocent: [] };
  const ran = new Set(running);
  const named = all.filter(({ batch, position }) => ran.has(batch.indexAt(position)));
  // One at least: a process that always dies before its first job begins must not be forked for ever.
  const suspects = named.length > 0 ? named : all.slice(0, 1);
  return { culprits: [], suspects, innocent: without(all, suspects) };
}

function blameForTimeout(
  worker: DeadWorker,
  concurrency: number,
  begun: readonly Held[],
  innocent: readonly Held[],
): Blame {
  const [first] = begun;
  const { overdue: late = [] } = worker;
  // It was killed for never beginning the job whose turn it was, which is to blame only if it had the worker to itself.
  if (late.length === 0 && worker.alone) return { culprits: begun, suspects: [], innocent };
  if (late.length === 0 && first !== undefined) {
    return { culprits: [], suspects: [first], innocent: [...begun.slice(1), ...innocent] };
  }
  const overdue = begun.filter(({ batch, position }) =>
    late.some((attempt) => attempt.batch === batch && attempt.position === position),
  );
  // Concurrent jobs announce each start. One of them in a synchronous loop makes all of them late, and those that
  // began before it the latest, so that only one that ran by itself is known to be the one.
  const started =
    concurrency === 1 ? begun : begun.filter(({ batch, position }) => batch.running.has(position));
  const others = [...without(begun, started), ...innocent];
  if (started.length > 1) return { culprits: [], suspects: started, innocent: others };
  return {
    culprits: overdue,
    suspects: [],
    innocent: [...without(started, overdue), ...others],
  };
}

function without(all: readonly Held[], some: readonly Held[]): Held[] {
  const gone = new Set(some);
  return all.filter((held) => !gone.has(held));
}

/**
 * The error of a job, or of `workerFinish`, that killed its worker: pid, how it died, what it said, what to do.
 * @param worker one that has gone
 * @param what the job and its attempts, or that function, for the text
 */
export function crashError(worker: DeadWorker, what: string): WorkerCrashError {
  const { exit, uncaught, pid, killedFor } = worker;
  const stderr = worker.stderr();
  const cause = uncaught && errorFromWire(uncaught.error);
  const why =
    cause === undefined
      ? (killedFor && OWN_KILLS[killedFor]) || reasonFor(exit?.signal ?? null, exit?.code ?? null, stderr)
      : `: ${cause.message}`;
  return new WorkerCrashError(
    `Worker process ${pid} ${howItEnded(exit)} during ${what}${why}${lastWords(stderr)}`,
    {
      pid,
      exitCode: exit?.code ?? null,
      signal: exit?.signal ?? null,
      stderr,
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** What a process came to, in words that follow its name. */
export function howItEnded(exit: ChildExit | undefined): string {
  return exit?.signal ? `was killed by ${exit.signal}` : `exited with code ${exit?.code ?? '?'}`;
}

/** What it said, after all else that there is to say. */
export function lastWords(stderr: string): string {
  return stderr === '' ? '' : `\nIts last words on stderr:\n${stderr}`;
}

/** Whoever was told so runs `workerFinish`. */
const POLITELY: readonly unknown[] = ['finished', 'stopped', 'recycled'] satisfies ExitReason[];

/**
 * What went wrong in a worker's `workerFinish`: what it was to write may be missing.
 * @param worker one that has gone
 * @returns undefined where nothing did
 */
export function finishFailure(
  worker: DeadWorker & Pick<Worker, 'wasReady' | 'finishes' | 'reason' | 'fatal' | 'held'>,
): Error | undefined {
  const { wasReady, finishes, reason, fatal, exit, held, uncaught } = worker;
  if (!wasReady || !finishes || !POLITELY.includes(reason)) return undefined;
  if (fatal?.phase === 'finish') return errorFromWire(fatal.error);
  // What a job left behind may throw before that begins, or after it has ended; it does not end a process by signal.
  const isIts = exit?.code !== 0 && held === 0 && (exit?.signal || uncaught?.finishing !== false);
  return isIts ? crashError(worker, 'workerFinish') : undefined;
}

const OWN_KILLS = {
  shutdownTimeout: ' (it took longer than `shutdownTimeout`)',
  disconnect: ' (it had closed its channel: a job or a module it loaded called process.disconnect)',
};

function reasonFor(signal: string | null, code: number | null, stderr: string): string {
  if (/heap out of memory|Allocation failed|out of memory/i.test(stderr)) {
    return ' (out of memory: raise --max-old-space-size in `execArgv`, or make jobs smaller)';
  }
  if (signal === 'SIGABRT' || code === 134) return ' (an abort: most often out of memory; see its stderr)';
  if (signal === 'SIGKILL') return ' (by somebody, or by the system because memory ran out)';
  if (signal === null && code === 0)
    return ' (a job or a module it loaded called process.exit or closed the channel)';
  return '';
}
