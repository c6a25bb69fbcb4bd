import type { EngineEvents } from '../engine.js';
import { pickParcel } from '../manager/batch.js';
import type { Endings } from '../manager/endings.js';
import { failure } from '../manager/endings.js';
import type { RetryPolicy } from '../manager/retry.js';
import type { FailedJob } from '../manager/tally.js';
import { indexAt } from '../protocol.js';
import { attemptsOf } from './attempts.js';
import type { Finished } from './backend.js';
import type { Chunk } from './chunk.js';
import { mine } from './chunk.js';
import type { ChunkSizer } from './chunk-sizer.js';
import { engineError } from './codes.js';
import { checkProgress, machineOf, readOutcome } from './outcome.js';
import type { Trouble } from './trouble.js';

/**
 * What becomes of the jobs of a chunk that has left the book: settled through the one door, or run again. The chunk is
 * removed from the queue only after its jobs were recorded.
 */

/** What it works with. */
export interface ChunkEndingsSetup {
  readonly events: EngineEvents;
  readonly retries: RetryPolicy;
  readonly endings: Endings;
  readonly sizer: ChunkSizer;
  readonly trouble: Trouble;
  readonly secret: string | undefined;
  /** Removes a chunk from the queue, soon. */
  readonly remove: (id: string) => void;
}

type Failed = ReturnType<typeof attemptsOf>['failed'][number];

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

  /** The jobs of a chunk that has no ending are to run again, uncharged. */
  again(chunk: Chunk, positions: readonly number[] = mine(chunk)): void {
    this.setup.endings.putBack(pickParcel(chunk.parcel, positions));
  }

  private settle(chunk: Chunk, sealed: unknown): void {
    const { secret, trouble, events, sizer, retries, endings } = this.setup;
    const { id, parcel } = chunk;
    try {
      const outcome = readOutcome(sealed, { chunk: id, count: parcel.jobs.length, secret });
      trouble.over();
      if (events.wants('progress')) this.tell(chunk, outcome.progress);
      const { completed, failed, again, unfit, totalMs } = attemptsOf(chunk, outcome, retries);
      sizer.observe(completed.length + failed.length, totalMs, unfit);
      for (const worker of new Set(outcome.ids)) sizer.saw(`${outcome.machine} ${worker}`);
      this.again(chunk, again);
      const failures = failed.flatMap((one) => this.fail(one) ?? []);
      if (endings.settle([...completed, ...failures]) !== false) this.setup.remove(id);
    } catch (error) {
      const machine = machineOf(sealed);
      this.unusable(chunk, Object.assign(error as Error, machine === undefined ? {} : { machine }));
    }
  }

  /** An attempt that did not complete: what was refused would be refused again. */
  private fail({ attempt, kind, error }: Failed): FailedJob | undefined {
    const { endings } = this.setup;
    if (kind === 'refused') return failure(attempt, error);
    return kind === 'crashed' ? endings.crashed(attempt, error, false) : endings.failed(attempt, error);
  }

  /** Its machines died, one after the other. */
  private stalled(chunk: Chunk, reason: string): void {
    const { remove, endings } = this.setup;
    remove(chunk.id);
    const { parcel } = chunk;
    const positions = mine(chunk);
    for (const position of positions) {
      // Somebody among them takes machines along: alone, it is found.
      if (positions.length > 1) endings.suspected(parcel, position, false);
      else {
        const index = indexAt(parcel, position);
        const what = `Every machine that ran job ${index} died or lost the server while it did (${reason})`;
        endings.refuse(parcel, [{ position, error: engineError('ERR_ENGINE_WORKER_LOST', what) }]);
      }
    }
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
