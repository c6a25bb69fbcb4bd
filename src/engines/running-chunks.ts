import type { Clock, Timer } from '../clock.js';
import type { OpenChunk } from './open-chunk.js';
import type { Progress, SealedOutcome } from './outcome.js';
import type { Session } from './session.js';

/** The chunks that a machine runs, and which of them a job is in. */

/** Milliseconds between two reports of progress of a chunk. */
const PROGRESS_MS = 200;

/** A chunk that is run, and who waits for its report. */
export class RunningChunk {
  readonly done: Promise<SealedOutcome>;
  private settle: { resolve(outcome: SealedOutcome): void; reject(error: Error): void };
  /** Progress with a lower number was told. */
  private untold = 0;
  private timer: Timer | undefined;

  /** @param tell hears of progress, now and then */
  constructor(
    readonly chunk: OpenChunk,
    readonly session: Session,
    private readonly clock: Clock,
    private readonly tell: (progress: readonly Progress[]) => void,
  ) {
    this.settle = { resolve() {}, reject() {} };
    this.done = new Promise<SealedOutcome>((resolve, reject) => {
      this.settle = { resolve, reject };
    });
  }

  /** There is progress to tell. */
  progressed(): void {
    this.timer ??= this.clock.after(PROGRESS_MS, () => {
      this.timer = undefined;
      const progress = this.chunk.progressFrom(this.untold);
      this.untold = (progress.at(-1)?.[0] ?? this.untold - 1) + 1;
      this.tell(progress);
    });
  }

  report(outcome: SealedOutcome): void {
    this.clock.clear(this.timer);
    this.settle.resolve(outcome);
  }

  /** It did not run, or not to its end. */
  drop(error: Error): void {
    this.clock.clear(this.timer);
    // Nobody may be waiting.
    this.done.catch(() => {});
    this.settle.reject(error);
  }
}

export class RunningChunks {
  private readonly byId = new Map<string, RunningChunk>();
  private readonly byIndex = new Map<number, { readonly running: RunningChunk; readonly position: number }>();
  /** Attempts before this one, of jobs that were tried before. */
  private readonly attempts = new Map<number, number>();

  get size(): number {
    return this.byId.size;
  }

  get all(): readonly RunningChunk[] {
    return [...this.byId.values()];
  }

  get(id: string): RunningChunk | undefined {
    return this.byId.get(id);
  }

  /** Whether a job of this chunk is run already, in another one. */
  clashes(chunk: OpenChunk): boolean {
    return chunk.jobs.jobs.some((_, at) => this.byIndex.has(chunk.indexAt(at)));
  }

  attemptsBefore(index: number): number {
    return this.attempts.get(index) ?? 0;
  }

  add(running: RunningChunk): void {
    const { chunk } = running;
    this.byId.set(chunk.id, running);
    chunk.jobs.jobs.forEach((_, position) => {
      const index = chunk.indexAt(position);
      this.byIndex.set(index, { running, position });
      const attempt = chunk.jobs.attempts?.[position] ?? 1;
      if (attempt > 1) this.attempts.set(index, attempt - 1);
    });
  }

  /** Where a job is that has no ending yet. */
  find(index: number): { readonly running: RunningChunk; readonly position: number } | undefined {
    return this.byIndex.get(index);
  }

  /** As `find`, for the last time: it has ended. */
  takeOut(index: number): { readonly running: RunningChunk; readonly position: number } | undefined {
    const found = this.byIndex.get(index);
    this.byIndex.delete(index);
    return found;
  }

  /** @returns false if it was not in here any more */
  remove(running: RunningChunk): boolean {
    const { chunk } = running;
    if (this.byId.get(chunk.id) !== running) return false;
    this.byId.delete(chunk.id);
    chunk.jobs.jobs.forEach((_, position) => {
      const index = chunk.indexAt(position);
      if (this.byIndex.get(index)?.running === running) this.byIndex.delete(index);
      this.attempts.delete(index);
    });
    return true;
  }
}
