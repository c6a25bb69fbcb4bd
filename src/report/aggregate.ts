import { Histogram } from '../histogram.js';
import type { CompletedLine, CrashLine, FailedLine, JobLine, JournalLine, RetryLine } from '../journal.js';
import { Buckets } from './buckets.js';
import { barsOf, cellsOf, durationsOf, seriesOf, stretchesOf } from './columns.js';
import type { Bar, Crash, JobName, ReportData } from './data.js';
import type { Group } from './error-groups.js';
import { Grouping } from './error-groups.js';
import { clip, LIMITS } from './limits.js';
import { Longest } from './longest.js';
import { Workers } from './workers.js';

/** A report but for what is not in the lines. */
export type Aggregated = Omit<ReportData, 'version' | 'journal' | 'generatedAt'>;

/** A job that failed and has not completed since. */
interface Failure {
  readonly group: Group | undefined;
  readonly name: JobName;
}

type SettledJob = CompletedLine | FailedLine;

/**
 * Reads the lines of a journal once, in their order, and keeps what a report says. Of what is kept only one thing grows
 * with the journal: the names of the jobs whose last ending was a failure, since they may still complete in a later run.
 */
export function aggregate(lines: Iterable<JournalLine>): Aggregated {
  const aggregation = new Aggregation();
  for (const line of lines) aggregation.add(line);
  return aggregation.result();
}

class Aggregation {
  #module = '';
  #createdAt = 0;
  #startedAt = Number.POSITIVE_INFINITY;
  #settled = 0;
  #completed = 0;
  #recovered = 0;
  #retries = 0;
  #crashCount = 0;
  readonly #durations = new Histogram();
  readonly #buckets = new Buckets();
  readonly #workers = new Workers();
  readonly #longest = new Longest<Bar>(LIMITS.bars);
  readonly #longestFailed = new Longest<Bar>(LIMITS.failedBars);
  readonly #failures = new Grouping();
  readonly #retryErrors = new Grouping();
  readonly #failed = new Map<number | string, Failure>();
  readonly #marks: { lane: number; at: number; index: number }[] = [];
  readonly #crashes: Crash[] = [];

  add(line: JournalLine): void {
    switch (line.type) {
      case 'header':
        this.#module = line.module;
        this.#createdAt = line.createdAt;
        return;
      case 'completed':
        return this.#addCompleted(line);
      case 'failed':
        return this.#addFailed(line);
      case 'retry':
        return this.#addRetry(line);
      case 'crash':
        return this.#addCrash(line);
    }
  }

  result(): Aggregated {
    const since = Number.isFinite(this.#startedAt) ? this.#startedAt : this.#createdAt;
    const { workers, places, more } = this.#workers.result(this.#buckets);
    const place = (lane: number): number => places[lane] ?? 0;
    const stretches = stretchesOf(this.#buckets, since);
    const active = stretches.reduce((sum, { from, to }) => sum + (to - from), 0);
    const bars = [...this.#longest.kept, ...this.#longestFailed.kept].map((bar) => ({
      ...bar,
      lane: place(bar.lane),
      start: bar.start - since,
    }));
    const isComplete = bars.length === this.#settled;
    return {
      module: this.#module,
      startedAt: since,
      totals: {
        completed: this.#completed,
        failed: this.#failed.size,
        recovered: this.#recovered,
        retries: this.#retries,
        crashes: this.#crashCount,
        active,
        busy: this.#durations.sum,
      },
      stretches,
      series: seriesOf(this.#buckets, since),
      durations: durationsOf(this.#durations),
      slowest: [...bars].sort((a, b) => b.duration - a.duration).slice(0, LIMITS.slowest),
      workers,
      moreWorkers: more,
      bars: barsOf(bars, isComplete),
      cells: cellsOf(this.#buckets, isComplete ? [] : places, since),
      failures: this.#failures.result(since),
      retries: this.#retryErrors.result(since),
      marks: {
        lane: this.#marks.map(({ lane }) => place(lane)),
        at: this.#marks.map(({ at }) => at - since),
        index: this.#marks.map(({ index }) => index),
      },
      crashes: this.#crashes.map(({ lane, ...crash }) => ({
        ...crash,
        ...(lane === undefined ? {} : { lane: place(lane) }),
        at: crash.at - since,
      })),
    };
  }

  #addCompleted(line: CompletedLine): void {
    this.#completed += 1;
    if (this.#failed.size > 0 && this.#forget(line)) this.#recovered += 1;
    this.#workers.of(line).completed += 1;
    this.#addSettled(line, false);
  }

  #addFailed(line: FailedLine): void {
    this.#forget(line);
    const name = nameOf(line);
    const group = this.#failures.add(line.error, name, line.startedAt + line.duration);
    this.#failed.set(idOf(line), { group, name });
    this.#workers.of(line).failed += 1;
    this.#addSettled(line, true);
  }

  /** A job that failed in an earlier run has run again. */
  #forget(line: SettledJob): boolean {
    const id = idOf(line);
    const failure = this.#failed.get(id);
    if (failure === undefined) return false;
    this.#failed.delete(id);
    this.#failures.remove(failure.group, failure.name);
    return true;
  }

  #addSettled(line: SettledJob, failed: boolean): void {
    const { startedAt, duration } = line;
    const worker = this.#workers.of(line);
    worker.busy += duration;
    this.#settled += 1;
    // One whose key is another's was never tried.
    if (line.attempt > 0) this.#durations.add(duration);
    this.#began(startedAt);
    this.#buckets.job(worker.lane, startedAt, duration, failed);
    const longest = failed ? this.#longestFailed : this.#longest;
    if (worker.lane === undefined || !longest.takes(duration)) return;
    const { lane } = worker;
    longest.add({ ...nameOf(line), lane, start: startedAt, duration, attempt: line.attempt, failed });
  }

  #addRetry(line: RetryLine): void {
    const { at } = line;
    const worker = this.#workers.of(line);
    worker.retries += 1;
    this.#retries += 1;
    this.#began(at);
    this.#buckets.event(at);
    this.#retryErrors.add(line.error, nameOf(line), at);
    if (worker.lane === undefined || this.#marks.length >= LIMITS.marks) return;
    this.#marks.push({ lane: worker.lane, at, index: line.index });
  }

  #addCrash(line: CrashLine): void {
    const { at, pid, code, signal, jobs } = line;
    const worker = this.#workers.of(line);
    worker.crashes += 1;
    this.#crashCount += 1;
    this.#began(at);
    this.#buckets.event(at);
    if (this.#crashes.length >= LIMITS.crashes) return;
    this.#crashes.push({
      ...(worker.lane === undefined ? {} : { lane: worker.lane }),
      at,
      ...(pid === undefined ? {} : { pid }),
      code,
      signal,
      jobs: jobs.slice(0, LIMITS.jobsInCrash),
      held: jobs.length,
    });
  }

  #began(at: number): void {
    if (at < this.#startedAt) this.#startedAt = at;
  }
}

/** What the lines about one job have in common. One that was refused for its key shares that with the job that has it. */
function idOf({ index, key, attempt }: JobLine): number | string {
  return attempt === 0 ? index : (key ?? index);
}

function nameOf({ index, key }: JobLine): JobName {
  return key === undefined ? { index } : { index, key: clip(key, LIMITS.key) };
}
