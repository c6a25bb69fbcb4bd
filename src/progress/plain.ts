import type { Clock, Timer } from '../clock.js';
import type { Snapshot } from '../snapshot.js';
import { Rate } from './rate.js';
import type { TerminalStream } from './terminal.js';
import type { Outcome } from './words.js';
import { factsOf, lastLine, time } from './words.js';

/** Milliseconds between two lines. */
export const LINE_MS = 5_000;

/** For a file, a pipe or the log of a build server: a line every few seconds and a last one. */
export class PlainLines {
  private readonly began: number;
  private readonly rate = new Rate();
  private timer: Timer | undefined;
  private ended = false;

  constructor(
    private readonly stream: Pick<TerminalStream, 'write' | 'on' | 'removeListener'>,
    private readonly clock: Clock,
    private readonly snapshot: () => Snapshot,
  ) {
    this.began = clock.now();
    this.rate.observe(this.began, 0);
    stream.on('error', this.lost);
    this.wait();
  }

  end(outcome: Outcome): void {
    if (this.ended) return;
    this.say(lastLine(this.snapshot(), outcome, this.clock.now() - this.began));
    this.ended = true;
    this.clock.clear(this.timer);
    // Later than the last line can fail.
    this.clock.soon(() => this.stream.removeListener('error', this.lost));
  }

  private wait(): void {
    this.timer = this.clock.after(LINE_MS, () => {
      this.look();
      this.wait();
    });
    this.timer.unref?.();
  }

  private look(): void {
    const seen = this.snapshot();
    const now = this.clock.now();
    this.rate.observe(now, seen.completed + seen.failed);
    this.say(wordsFor(seen, this.rate.perSecond, now - this.began));
  }

  private say(words: string): void {
    if (!this.ended) this.stream.write(`threadfactory: ${words}\n`);
  }

  /** A stream that can't be written to must not end the run. */
  private readonly lost = (): void => {
    this.ended = true;
    this.clock.clear(this.timer);
  };
}

/** `46%, 4,600/10,000, 3 failed, 153/s, ETA 35s`, with what is known of it. */
function wordsFor(snapshot: Snapshot, rate: number | undefined, elapsedMs: number): string {
  if (snapshot.phase === 'listing') return `listing the jobs, ${time(elapsedMs)}`;
  const facts = Object.values(factsOf(snapshot, rate));
  return facts.filter((fact) => fact !== undefined).join(', ');
}
