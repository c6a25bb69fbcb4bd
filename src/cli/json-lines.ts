import type { ThreadFactory } from '../factory.js';
import type { Failure } from '../spec.js';
import { printableJson } from './json.js';

/** The stream the lines go to, as much of it as is used. */
export interface LineStream {
  write(text: string, written?: () => void): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/** The factory whose jobs are printed. */
type Factory = Pick<ThreadFactory, 'on' | 'pause' | 'unpause'>;

/** A line and its end; in pieces where it is longer than a string can be. */
type Line = readonly string[];

/**
 * Prints a line for each job that settles: `{"index":0,"job":…,"result":…}` or `{"index":0,"job":…,"error":{…}}`, and for
 * each that an earlier run recorded: what that run printed may never have been read. A reader that is slow holds the
 * hand-out. In order, a line waits for those before it.
 */
export class JsonLines {
  private readonly waiting = new Map<number, Line>();
  private next = 0;
  private held = false;
  private ordered = false;

  constructor(private readonly stream: LineStream) {}

  /** Prints the jobs of this factory that complete. */
  watch(factory: Factory, ordered: boolean): void {
    this.ordered = ordered;
    factory.on('completed', ({ index, job, result }) => this.completed(factory, index, job, result));
  }

  completed(factory: Factory, index: number, job: unknown, result: unknown): void {
    this.settled(factory, index, lineOf(index, job, 'result', result));
  }

  failed(factory: Factory, error: Error, { index, job }: Omit<Failure, 'error'>): void {
    this.settled(factory, index, lineOf(index, job, 'error', error));
  }

  /** Prints what an early end left behind a gap; resolves when all was handed to the system. */
  async end(): Promise<void> {
    const left = [...this.waiting].sort(([a], [b]) => a - b);
    this.waiting.clear();
    for (const [, line] of left) this.write(line);
    await new Promise<void>((resolve) => {
      this.stream.write('', resolve);
    });
  }

  private settled(factory: Factory, index: number, line: Line): void {
    if (this.ordered) this.waiting.set(index, line);
    const hasRoom = this.ordered ? this.writeDue() : this.write(line);
    if (hasRoom || this.held) return;
    this.held = true;
    factory.pause();
    this.stream.once('drain', () => {
      this.held = false;
      factory.unpause();
    });
  }

  /** Writes the lines whose turn it is. */
  private writeDue(): boolean {
    let hasRoom = true;
    for (let line = this.waiting.get(this.next); line !== undefined; line = this.waiting.get(this.next)) {
      this.waiting.delete(this.next);
      this.next += 1;
      hasRoom = this.write(line);
    }
    return hasRoom;
  }

  /** @returns whether the reader keeps up */
  private write(line: Line): boolean {
    let hasRoom = true;
    for (const piece of line) hasRoom = this.stream.write(piece);
    return hasRoom;
  }
}

function lineOf(index: number, job: unknown, name: 'result' | 'error', outcome: unknown): Line {
  const pieces = [
    `{"index":${index},"job":`,
    printableJson(job),
    `,"${name}":`,
    printableJson(outcome),
    '}\n',
  ];
  try {
    return [pieces.join('')];
  } catch {
    return pieces;
  }
}
