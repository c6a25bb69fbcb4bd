import type { ThreadFactory } from '../factory.js';
import type { Failure } from '../spec.js';
import { toJson } from './json.js';

/** The stream the lines go to, as much of it as is used. */
export interface LineStream {
  write(text: string, written?: () => void): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/** The factory whose jobs are printed. */
type Factory = Pick<ThreadFactory, 'on' | 'pause' | 'unpause'>;

/**
 * Prints a line for each job that settles: `{"index":0,"job":…,"result":…}` or `{"index":0,"job":…,"error":{…}}`, and for
 * each that an earlier run recorded: what that run printed may never have been read. A reader that is slow holds the
 * hand-out. In order, a line waits for those before it.
 */
export class JsonLines {
  private readonly waiting = new Map<number, string>();
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
    this.settled(factory, index, `{"index":${index},"job":${toJson(job)},"result":${toJson(result)}}\n`);
  }

  failed(factory: Factory, error: Error, { index, job }: Omit<Failure, 'error'>): void {
    this.settled(factory, index, `{"index":${index},"job":${toJson(job)},"error":${toJson(error)}}\n`);
  }

  /** Prints what an early end left behind a gap; resolves when all was handed to the system. */
  async end(): Promise<void> {
    const left = [...this.waiting].sort(([a], [b]) => a - b).map(([, line]) => line);
    this.waiting.clear();
    await new Promise<void>((resolve) => {
      this.stream.write(left.join(''), resolve);
    });
  }

  private settled(factory: Factory, index: number, line: string): void {
    if (this.ordered) this.waiting.set(index, line);
    const text = this.ordered ? this.due() : line;
    if (text === '' || this.stream.write(text) || this.held) return;
    this.held = true;
    factory.pause();
    this.stream.once('drain', () => {
      this.held = false;
      factory.unpause();
    });
  }

  /** The lines whose turn it is. */
  private due(): string {
    let text = '';
    for (let line = this.waiting.get(this.next); line !== undefined; line = this.waiting.get(this.next)) {
      this.waiting.delete(this.next);
      this.next += 1;
      text += line;
    }
    return text;
  }
}
