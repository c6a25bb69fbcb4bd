import { describe } from '../describe.js';
import { asError, OptionError } from '../errors.js';
import { indexAt } from '../protocol.js';
import type { Parcel } from './batch.js';

/**
 * Whether a failed attempt is run again. Two separate budgets: `retries` for throws and timeouts, `crashRetries` for
 * attempts that killed their worker. Only jobs that were charged are remembered, until they settle.
 */

/** The part of the options that decides. */
export interface RetryRules {
  readonly retries: {
    readonly limit: number;
    readonly delay: (attempt: number, error: unknown) => number;
    readonly when: (error: unknown) => boolean;
  };
  readonly crashRetries: number;
  /** Attempts that were made before, by somebody else; none where it is absent. */
  readonly before?: (index: number) => number;
}

/** What happens next: run again after so many milliseconds, or fail with this error. */
export type Verdict =
  | { readonly again: true; readonly delay: number }
  | { readonly again: false; readonly error: unknown };

/** What one of the user's functions has to return. */
interface Expected {
  readonly of: string;
  readonly what: string;
  readonly accepts: (value: unknown) => boolean;
}

/** Any value may stand for yes or no but an object: a promise is true whatever it resolves to. */
const WHEN: Expected = {
  of: 'retries.when',
  what: '`true` or `false`',
  accepts: (value) => typeof value !== 'object' || value === null,
};

/** A job that waits for ever would keep the run from ending. */
const DELAY: Expected = {
  of: 'retries.delay',
  what: 'a finite number of milliseconds, 0 or greater',
  accepts: (value) => typeof value === 'number' && value >= 0 && Number.isFinite(value),
};

interface Charges {
  failures: number;
  crashes: number;
}

/** The attempts that were charged, by job index. */
export class RetryPolicy {
  private readonly charges = new Map<number, Charges>();

  constructor(private readonly options: RetryRules) {}

  /** The number of the attempt that a job is at: 1 plus what it was charged. */
  attempt(index: number): number {
    const charges = this.charges.get(index);
    const before = this.options.before?.(index) ?? 0;
    return charges === undefined ? 1 + before : 1 + before + charges.failures + charges.crashes;
  }

  /** The numbers for all jobs of a parcel; undefined where each is 1. */
  attemptsOf(parcel: Parcel): number[] | undefined {
    return this.pristine ? undefined : parcel.jobs.map((_, at) => this.attempt(indexAt(parcel, at)));
  }

  /** True where no job was charged: every attempt is the first. */
  get pristine(): boolean {
    return this.charges.size === 0 && this.options.before === undefined;
  }

  /** Charges a throw or a timeout. */
  failed(index: number, error: unknown): Verdict {
    const charges = this.charges.get(index) ?? { failures: 0, crashes: 0 };
    const { limit, when, delay } = this.options.retries;
    if (charges.failures >= limit) return { again: false, error };
    try {
      if (!asked(WHEN, () => when(error), error)) return { again: false, error };
      const attempt = 1 + charges.failures + charges.crashes;
      const ms = asked(DELAY, () => delay(attempt, error), error);
      charges.failures += 1;
      this.charges.set(index, charges);
      return { again: true, delay: ms };
    } catch (mistake) {
      // The user's own `when` or `delay` failed: nobody can say that the job should run again.
      return { again: false, error: mistake };
    }
  }

  /** Charges the death of a worker. */
  crashed(index: number, error: unknown): Verdict {
    const charges = this.charges.get(index) ?? { failures: 0, crashes: 0 };
    if (charges.crashes >= this.options.crashRetries) return { again: false, error };
    charges.crashes += 1;
    this.charges.set(index, charges);
    return { again: true, delay: 0 };
  }

  /** Forgets a job that has settled. */
  settled(index: number): void {
    this.charges.delete(index);
  }
}

/**
 * What one of the user's functions says of a failed attempt, if it is what was expected.
 * @throws OptionError whose `cause` is what it threw, or the attempt's own error where it returned something else
 */
function asked<T>({ of, what, accepts }: Expected, ask: () => T, failure: unknown): T {
  let value: T;
  try {
    value = ask();
  } catch (thrown) {
    const about = `was asked about "${asError(failure).message}"`;
    throw new OptionError(`\`${of}\` ${about} and threw: ${asError(thrown).message}`, { cause: thrown });
  }
  if (accepts(value)) return value;
  throw new OptionError(`Expected \`${of}\` to return ${what}, got ${describe(value)}`, { cause: failure });
}
