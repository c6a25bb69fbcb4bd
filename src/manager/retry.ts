/**
 * Whether a failed attempt is run again. Two separate budgets: `retries` for throws and timeouts, `crashRetries` for
 * attempts that killed their worker. Only jobs that were charged are remembered, until they settle.
 */

/** The part of the options that decides. */
export interface RetryOptions {
  readonly retries: {
    readonly limit: number;
    readonly delay: (attempt: number, error: unknown) => number;
    readonly when: (error: unknown) => boolean;
  };
  readonly crashRetries: number;
}

/** What happens next: run again after so many milliseconds, or fail with this error. */
export type Verdict =
  | { readonly again: true; readonly delay: number }
  | { readonly again: false; readonly error: unknown };

interface Charges {
  failures: number;
  crashes: number;
}

/** The attempts that were charged, by job index. */
export class RetryPolicy {
  private readonly charges = new Map<number, Charges>();

  constructor(private readonly options: RetryOptions) {}

  /** The number of the attempt that a job is at: 1 plus what it was charged. */
  attempt(index: number): number {
    const charges = this.charges.get(index);
    return charges === undefined ? 1 : 1 + charges.failures + charges.crashes;
  }

  /** True where no job was charged: every attempt is the first. */
  get pristine(): boolean {
    return this.charges.size === 0;
  }

  /** Charges a throw or a timeout. */
  failed(index: number, error: unknown): Verdict {
    const charges = this.charges.get(index) ?? { failures: 0, crashes: 0 };
    const { limit, when, delay } = this.options.retries;
    if (charges.failures >= limit) return { again: false, error };
    try {
      if (!when(error)) return { again: false, error };
      const attempt = 1 + charges.failures + charges.crashes;
      const ms = delay(attempt, error);
      if (typeof ms !== 'number' || !(ms >= 0)) {
        const got = `${String(ms)} (${typeof ms})`;
        throw new TypeError(`Expected \`retries.delay\` to return milliseconds of 0 or more, got ${got}`, {
          cause: error,
        });
      }
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
    if (this.charges.size > 0) this.charges.delete(index);
  }
}
