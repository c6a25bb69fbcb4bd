// log-update, because one block that is drawn over is all there is to draw: it diffs frames, wraps and cuts them to the
// terminal, writes each in one synchronised go, and is kept up by the author of half of what terminals in Node run on.
// cli-progress has not changed since 2023 and draws its bars alone, listr2 and @clack/prompts want to own the tasks and
// the screen. The cursor is ours, not its: log-update restores it at the end of the process, we at the end of the run.
import { createLogUpdate } from 'log-update';
import stringWidth from 'string-width';
import type { Clock, Timer } from '../clock.js';
import type { Snapshot, WorkerSnapshot } from '../snapshot.js';
import { drawFrame, paint } from './frame.js';
import { Rate } from './rate.js';
import { Tap } from './tap.js';
import type { TerminalStream } from './terminal.js';
import { columnsOf, eraseUp, HIDE_CURSOR, hasColors, rowsOf, SHOW_CURSOR } from './terminal.js';
import type { Outcome } from './words.js';
import { lastLine } from './words.js';

/** Milliseconds between two frames. */
export const FRAME_MS = 100;

/** What a display is made of. */
export interface DisplaySetup {
  readonly stream: TerminalStream;
  /** The terminals that anybody else may write to meanwhile, the display's own among them. */
  readonly shared: readonly TerminalStream[];
  readonly clock: Clock;
  readonly snapshot: () => Snapshot;
  /** Calls back when the process ends in whatever way it can. @returns what takes that back */
  readonly onExit: (callback: () => void) => () => void;
}

/**
 * Draws a run on a terminal until `end`: at once, ten times a second, and when the terminal's size changes. What
 * others write is printed above, since each frame begins where the one before it began. `end` is the one way out.
 */
export class LiveDisplay {
  private readonly began: number;
  private readonly rate = new Rate();
  private readonly taps: readonly Tap[];
  private readonly draw: ReturnType<typeof createLogUpdate>;
  private readonly through: (text: string) => boolean;
  private readonly offExit: () => void;
  private lines: readonly string[] = [];
  private drawnColumns: number;
  private printed: { readonly tap: Tap; readonly text: string }[] = [];
  private timer: Timer | undefined;
  private ended = false;
  /** What each worker was doing when it was looked at last, and since when. */
  private readonly busy = new Map<WorkerSnapshot['id'], { readonly what: string; readonly since: number }>();

  constructor(private readonly setup: DisplaySetup) {
    const { stream, clock } = setup;
    this.began = clock.now();
    this.drawnColumns = this.columns;
    const own = stream.write.bind(stream);
    this.taps = setup.shared.map((shared) => {
      const tap: Tap = new Tap(shared, (text) => this.print(tap, text));
      return tap;
    });
    this.through = this.taps[setup.shared.indexOf(stream)]?.through ?? own;
    const canvas = {
      write: this.through,
      isTTY: true,
      get columns() {
        return columnsOf(stream);
      },
      get rows() {
        return rowsOf(stream);
      },
    };
    this.draw = createLogUpdate(canvas as unknown as NodeJS.WritableStream, { showCursor: true });
    stream.on('resize', this.resized);
    stream.on('error', this.lost);
    this.offExit = setup.onExit(() => this.end({ how: 'left' }));
    this.through(HIDE_CURSOR);
    this.tick();
  }

  /** Leaves one last line, the cursor, and everything else as it was. */
  end(outcome: Outcome): void {
    if (this.ended) return;
    this.ended = true;
    const { stream, clock, snapshot } = this.setup;
    clock.clear(this.timer);
    stream.removeListener('resize', this.resized);
    stream._refreshSize?.();
    this.erase();
    this.printAll();
    for (const tap of this.taps) {
      const rest = tap.end();
      if (rest !== '') tap.through(`${rest}\n`);
    }
    const now = snapshot();
    const words = lastLine(now, outcome, clock.now() - this.began);
    const bad = now.failed > 0 || outcome.how === 'failed';
    const [mark, style] = bad ? (['✖', 'red'] as const) : MARKS[outcome.how === 'done' ? 'good' : 'early'];
    this.through(`${SHOW_CURSOR}${paint(hasColors(stream), style, mark)} ${words}\n`);
    // Later than the last line can fail.
    clock.soon(() => stream.removeListener('error', this.lost));
    this.offExit();
  }

  private tick(): void {
    // A window that was just changed tells us by a signal, later: a frame drawn until then would land in wrong rows.
    this.setup.stream._refreshSize?.();
    this.look();
    this.render();
    this.timer = this.setup.clock.after(FRAME_MS, () => this.tick());
    // The run keeps the process going, not its picture.
    this.timer.unref?.();
  }

  private look(): void {
    const { stream, clock, snapshot } = this.setup;
    const now = clock.now();
    const seen = snapshot();
    this.rate.observe(now, seen.completed + seen.failed);
    for (const worker of seen.workers) this.noteBusy(worker, now);
    this.lines = drawFrame({
      snapshot: seen,
      elapsedMs: now - this.began,
      rate: this.rate.perSecond,
      busyMs: ({ id }) => now - (this.busy.get(id)?.since ?? now),
      columns: this.columns,
      rows: rowsOf(stream),
      colors: hasColors(stream),
    });
  }

  /** To a tenth of a second; nobody is told when a job begins. */
  private noteBusy({ id, jobs }: WorkerSnapshot, now: number): void {
    const [job] = jobs;
    const what = job === undefined ? '' : `${job.index}/${job.attempt}`;
    if (this.busy.get(id)?.what !== what) this.busy.set(id, { what, since: now });
  }

  private render(): void {
    this.drawnColumns = this.columns;
    this.draw(this.lines.join('\n'));
  }

  /** Makes room: the cursor is where the frame began. */
  private erase(): void {
    this.through(eraseUp(this.brokenRows()));
    this.draw.clear();
  }

  /** A terminal that got narrower has broken lines in two: so many more rows than were written. */
  private brokenRows(): number {
    const { columns } = this;
    if (columns >= this.drawnColumns) return 0;
    return this.lines.reduce((sum, line) => sum + Math.ceil(Math.max(1, stringWidth(line)) / columns) - 1, 0);
  }

  private print(tap: Tap, text: string): void {
    if (this.printed.length === 0) this.setup.clock.soon(() => this.printAbove());
    this.printed.push({ tap, text });
  }

  /** Everything that came in one turn of the loop, with one frame behind it. */
  private printAbove(): void {
    if (this.ended || this.printed.length === 0) return;
    this.setup.stream._refreshSize?.();
    this.erase();
    this.printAll();
    this.render();
  }

  private printAll(): void {
    for (const { tap, text } of this.printed) tap.through(text);
    this.printed = [];
  }

  private readonly resized = (): void => {
    if (this.ended) return;
    this.erase();
    this.look();
    this.render();
  };

  /** A terminal that went away must not end the run: there is nobody to draw for any more. */
  private readonly lost = (): void => {
    this.setup.clock.clear(this.timer);
  };

  private get columns(): number {
    return columnsOf(this.setup.stream);
  }
}

const MARKS = { good: ['✔', 'green'], early: ['■', 'yellow'] } as const;
