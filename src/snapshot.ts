import type { Tally } from './manager/tally.js';
import type { Worker } from './manager/worker.js';

/**
 * What a run looks like at one moment, for whoever watches it. It is read off what the run keeps anyway, a few times a
 * second: a run that is watched does nothing more for each job than one that is not.
 */

/** One worker at one moment. */
export interface WorkerSnapshot {
  /** Its number; undefined until it has one. */
  readonly id: number | undefined;
  readonly state: 'starting' | 'idle' | 'busy' | 'stopping';
  /** What it runs, as far as the manager can know: the oldest jobs it has not reported, one for each it may run at once. */
  readonly jobs: readonly { readonly index: number; readonly job: unknown; readonly attempt: number }[];
}

/** A run at one moment. */
export interface Snapshot {
  /** `manager` runs; workers work; nothing more is handed out; every job has settled. */
  readonly phase: 'listing' | 'working' | 'stopping' | 'finishing';
  readonly paused: boolean;
  readonly completed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Jobs in the list; undefined while a lazy list is open. */
  readonly total: number | undefined;
  readonly workers: readonly WorkerSnapshot[];
}

/** Where a snapshot is read from. */
export interface SnapshotSource {
  readonly tally: Tally;
  readonly total: number | undefined;
  /** Those of this machine; undefined until the list is there. */
  readonly workers: Iterable<Worker> | undefined;
  readonly concurrency: number;
  readonly halted: boolean;
  readonly paused: boolean;
}

/** Reads it. It costs as much as there are workers and jobs on their way. */
export function takeSnapshot(from: SnapshotSource): Snapshot {
  const { tally, total, concurrency, halted, paused } = from;
  const { completed, failed, skipped, done } = tally;
  const workers = [...(from.workers ?? [])].map((worker) => look(worker, concurrency));
  const settled = total !== undefined && done >= total;
  const open = from.workers === undefined ? 'listing' : 'working';
  return {
    phase: halted ? 'stopping' : settled ? 'finishing' : open,
    paused,
    completed,
    failed,
    skipped,
    total,
    workers: workers.sort((a, b) => (a.id ?? Number.MAX_VALUE) - (b.id ?? Number.MAX_VALUE)),
  };
}

function look(worker: Worker, concurrency: number): WorkerSnapshot {
  const jobs: WorkerSnapshot['jobs'][number][] = [];
  for (const batch of worker.batches) {
    if (jobs.length >= concurrency) break;
    for (const position of batch.unreported().slice(0, concurrency - jobs.length)) {
      jobs.push({
        index: batch.indexAt(position),
        job: batch.jobAt(position),
        attempt: batch.attemptAt(position),
      });
    }
  }
  const resting = worker.state === 'ready' ? 'idle' : worker.living ? 'starting' : 'stopping';
  return { id: worker.id, state: jobs.length > 0 ? 'busy' : resting, jobs };
}
