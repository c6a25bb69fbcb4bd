import { onExit } from 'signal-exit';
import type { Clock } from './clock.js';
import { LiveDisplay } from './progress/live.js';
import { PlainLines } from './progress/plain.js';
import type { TerminalStream } from './progress/terminal.js';
import { isDrawable } from './progress/terminal.js';
import type { Outcome } from './progress/words.js';
import type { Snapshot } from './snapshot.js';

/**
 * The picture of a run: live on a terminal, lines elsewhere. Built into a file of its own that is loaded only where
 * `progress` asks for it.
 */

/** A run that is being watched. */
export interface Progress {
  /** Whether it draws on a terminal: then workers must not write to that themselves, but through this process. */
  readonly live: boolean;
  /** Shows how it ended. Only the first call counts. */
  end(outcome: Outcome): void;
}

/** Two displays would draw over one another: the second of several runs at once gets lines. */
let taken = false;

/**
 * Begins to show a run.
 * @param stream where
 * @param snapshot how the run is now; read some ten times a second
 */
export function showProgress(
  stream: NodeJS.WritableStream,
  snapshot: () => Snapshot,
  clock: Clock,
): Progress {
  const target = stream as TerminalStream;
  if (taken || !isDrawable(target, process.env)) {
    const lines = new PlainLines(target, clock, snapshot);
    return { live: false, end: (outcome) => lines.end(outcome) };
  }
  taken = true;
  const others: TerminalStream[] = [process.stdout, process.stderr].filter(({ isTTY }) => isTTY);
  const display = new LiveDisplay({
    stream: target,
    shared: [...new Set([target, ...others])],
    clock,
    snapshot,
    onExit: (callback) => onExit(callback),
  });
  return {
    live: true,
    end(outcome) {
      display.end(outcome);
      taken = false;
    },
  };
}
