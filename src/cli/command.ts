import type { FlagShape } from './parse.js';

/** The statuses that the command ends with. */
export const STATUS = {
  /** Every job completed, now or in an earlier run of the same journal. */
  done: 0,
  /** Some jobs failed, or the run was ended before all had settled. */
  failed: 1,
  /** The command line or the spec is wrong, or the run itself failed. */
  wrong: 2,
  /** What `handleSignals` leaves after SIGINT and SIGTERM. */
  interrupted: [130, 143],
  /** What 128 and the number of SIGPIPE make: the reader of our output has gone. */
  unread: 141,
} as const;

/** How a command ended. */
export interface Ended {
  readonly status: number;
  /** Whether nothing of the user's own goes on after it: what still keeps the process going was forgotten. */
  readonly leaves: boolean;
}

/** A subcommand. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** All that `--help` prints. */
  readonly help: () => string;
  readonly flags: ReadonlyMap<string, FlagShape>;
  /** @throws UsageError */
  run(args: readonly string[]): Promise<Ended>;
}
