import { StringDecoder } from 'node:string_decoder';
import type { TerminalStream } from './terminal.js';

/** A line that has no end is passed on in pieces of this many characters. */
const MAX_LINE = 64 * 1024;

/**
 * Takes over what anybody writes to a terminal while a display is on it: `console.log` of the user's script, and the
 * output of workers. It is passed on by whole lines: with the cursor in the middle of one, the next frame would be
 * drawn behind it.
 */
export class Tap {
  private readonly original: TerminalStream['write'];
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';
  private open = true;

  /**
   * @param stream whose `write` is taken over
   * @param lines gets whole lines, to be written `through` when there is room for them
   */
  constructor(
    private readonly stream: TerminalStream,
    private readonly lines: (text: string) => void,
  ) {
    this.original = stream.write;
    stream.write = this.write;
  }

  /** Writes to the stream itself. */
  readonly through = (text: string): boolean => Reflect.apply(this.original, this.stream, [text]);

  /** Gives `write` back. @returns the line that was not finished */
  end(): string {
    if (!this.open) return '';
    this.open = false;
    // Somebody may have taken `write` over from us: what goes through ours goes on to the stream from now on.
    if (this.stream.write === this.write) this.stream.write = this.original;
    return this.rest + this.decoder.end();
  }

  private readonly write = (chunk: string | Uint8Array, ...more: readonly unknown[]): boolean => {
    if (!this.open) return Reflect.apply(this.original, this.stream, [chunk, ...more]);
    const [encoding] = more;
    const bytes =
      typeof chunk === 'string' && typeof encoding === 'string'
        ? Buffer.from(chunk, encoding as BufferEncoding)
        : chunk;
    const all = this.rest + (typeof bytes === 'string' ? bytes : this.decoder.write(Buffer.from(bytes)));
    const last = all.lastIndexOf('\n') + 1;
    const end = all.length - last > MAX_LINE ? all.length : last;
    this.rest = all.slice(end);
    if (end > 0) this.lines(all.endsWith('\n', end) ? all.slice(0, end) : `${all.slice(0, end)}\n`);
    const done = more.find((argument) => typeof argument === 'function');
    if (done !== undefined) process.nextTick(done);
    return true;
  };
}
