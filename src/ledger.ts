import { publishJobs } from './channels.js';
import type { Clock } from './clock.js';
import type { Journal, JournalCrash, JournalRetry } from './journal.js';
import type { CompletedJob, FailedJob, Settlement } from './manager/tally.js';
import { isFailed, Tally } from './manager/tally.js';
import { peakRss } from './peak-rss.js';
import type { Summary } from './spec.js';
import { StatsCollector } from './stats.js';

/** Whom a ledger tells. Each of the payloads is made only where `wants` says so. */
export interface LedgerEvents {
  wants(event: 'completed' | 'error'): boolean;
  completed(job: CompletedJob): void;
  failed(job: FailedJob): void;
  /** A job whose result an earlier run recorded. */
  skipped(index: number, job: unknown, result: unknown): void;
}

/** What a ledger is about, and what it asks and tells its run. */
export interface LedgerOptions {
  /** The module whose jobs they are, for those who subscribe to the diagnostics channels. */
  readonly module: string;
  readonly keepResults: boolean;
  readonly concurrency: number;
  readonly clock: Clock;
  /** Jobs in the list, where that is known. */
  readonly total: () => number | undefined;
  /** Some jobs were counted. */
  readonly counted: () => void;
  /** The journal failed. It may fail again for each job that is still running, which is no news. */
  readonly failed: (error: unknown) => void;
}

/**
 * What a run comes to. Whatever settles goes the same way: into the journal, where there is one, then into the books, then to
 * those who listen, so that nobody is told of what a next run would not know.
 */
export class Ledger {
  readonly tally: Tally;
  readonly stats: StatsCollector;
  private readonly startedAt: number;
  private readonly began: number;
  private journal: Journal | undefined;
  private journalFailed = false;

  constructor(
    private readonly options: LedgerOptions,
    private readonly events: LedgerEvents,
  ) {
    this.startedAt = options.clock.epoch();
    this.began = options.clock.now();
    this.tally = new Tally(options.keepResults);
    this.stats = new StatsCollector(options.concurrency);
  }

  /** From now on everything is recorded there. @throws JournalError where it is the journal of another list */
  recordIn(journal: Journal, list: unknown): void {
    this.journal = journal;
    if (Array.isArray(list)) journal.check(list);
  }

  /** Whether a job has to be asked about before it runs. */
  get isRecorded(): boolean {
    return this.journal !== undefined;
  }

  /** Whether a job has to run: the journal may hold its result, or know another one by its key, with which it has failed. */
  admits(index: number, job: unknown): boolean {
    try {
      const recalled = this.journal?.recall(index, job);
      if (recalled === undefined) return true;
      this.tally.skip(index, recalled.result);
      this.events.skipped(index, job, recalled.result);
    } catch (error) {
      if ((error as { duplicate?: unknown }).duplicate === true) {
        const startedAt = this.options.clock.epoch();
        this.settled([{ index, job, id: 0, attempts: 0, error, startedAt, duration: 0 }]);
      } else this.options.failed(error);
    }
    return false;
  }

  /** What the settle door lets through. @returns false where it can't be recorded: then nobody is told, and it will run again */
  settled(given: readonly Settlement[], handedAt?: number): boolean {
    const { journal } = this;
    let settlements = given;
    if (journal !== undefined) {
      const record = (): void => {
        settlements = recorded(journal, given);
      };
      if (!this.journaled(record)) return false;
    }
    this.stats.settled(settlements, handedAt);
    publishJobs(this.options.module, settlements);
    this.conclude(settlements);
    return true;
  }

  /** A charged attempt is about to be run again. */
  retried(about: JournalRetry): void {
    this.stats.retried();
    this.journaled(() => this.journal?.retry(about));
  }

  /** A worker died while it may have been running jobs. */
  crashed(about: JournalCrash): void {
    this.stats.crashed();
    this.journaled(() => this.journal?.crash(about));
  }

  /** Forces what was recorded onto the disk, as far as the journal is asked to. */
  sync(): void {
    this.journaled(() => this.journal?.sync());
  }

  /** Closes the journal, which another run may open then. */
  close(): void {
    this.journaled(() => this.journal?.close());
  }

  /** @param total jobs that were taken from the list */
  sumUp({ total, value, stopped }: Pick<Summary, 'total' | 'value' | 'stopped'>): Summary {
    const { tally, options } = this;
    const now = options.clock.now();
    const duration = now - this.began;
    return {
      total,
      completed: tally.completed,
      failed: tally.failed,
      skipped: tally.skipped,
      results: tally.resultsOf(total),
      failures: tally.failures as Summary['failures'],
      value,
      startedAt: this.startedAt,
      duration,
      stopped,
      stats: this.stats.summarise(duration, now, peakRss()),
    };
  }

  private conclude(settlements: readonly Settlement[]): void {
    const { tally, events } = this;
    const tells = events.wants('completed');
    const total = this.options.total();
    for (let at = 0; at < settlements.length; at += 1) {
      const settlement = settlements[at] as Settlement;
      if (isFailed(settlement)) {
        tally.fail(settlement, events.wants('error'));
        events.failed(settlement);
      } else {
        tally.complete(settlement.index, settlement.result);
        if (!tells) continue;
        settlement.done = tally.done;
        settlement.total = total;
        events.completed(settlement);
      }
    }
    this.options.counted();
  }

  private journaled(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      const isFirst = !this.journalFailed;
      this.journalFailed = true;
      if (isFirst) this.options.failed(error);
      return false;
    }
  }
}

/** Records what settled. @returns the same, but those as failed whose result the journal can't hold: they would fail in a next run as well */
function recorded(journal: Journal, settlements: readonly Settlement[]): readonly Settlement[] {
  const refused = journal.record(settlements);
  if (refused.size === 0) return settlements;
  const failed = (settled: Settlement): Settlement => {
    const error = refused.get(settled.index);
    if (error === undefined || isFailed(settled)) return settled;
    const { index, job, id, startedAt, duration, attempt: attempts } = settled;
    return { index, job, id, startedAt, duration, attempts, error };
  };
  const after = settlements.map(failed);
  journal.record(after.filter((settled, at) => settled !== settlements[at]));
  return after;
}
