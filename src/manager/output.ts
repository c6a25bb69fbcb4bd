import { StringDecoder } from 'node:string_decoder';

/**
 * What workers print, by whole lines: several of them share one terminal, and half a line of one in the middle of
 * another's, or half a character, is of no use to anybody.
 */

/** The longest line that is kept whole; a longer one is passed on in pieces. */
const MAX_LINE = 64 * 1024;
/** How much of a worker's stderr is kept for the text of a crash. */
const MAX_TAIL_LINES = 20;
const MAX_TAIL_CHARACTERS = 8 * 1024;

/**
 * Cuts a byte stream into lines. Bytes of one character that arrive apart are put together; a carriage return that
 * redraws a line (a progress bar) ends it as a newline does; what comes last need not end with one.
 */
export class LineSplitter {
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';

  /** @param line gets each line, without its end */
  constructor(private readonly line: (text: string) => void) {}

  write(chunk: Uint8Array): void {
    this.push(this.decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  }

  /** Passes on what is left. */
  end(): void {
    this.push(this.decoder.end());
    if (this.rest !== '') this.line(this.rest.endsWith('\r') ? this.rest.slice(0, -1) : this.rest);
    this.rest = '';
  }

  private push(text: string): void {
    // A lone "\r" at the very end waits for what follows: it may be the first half of "\r\n".
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.line(line);
    while (this.rest.length > MAX_LINE) {
      this.line(this.rest.slice(0, MAX_LINE));
      this.rest = this.rest.slice(MAX_LINE);
    }
  }
}

/** The last lines somebody wrote. */
export class Tail {
  private readonly lines: string[] = [];

  push(line: string): void {
    this.lines.push(line.length > 1000 ? `${line.slice(0, 1000)}…` : line);
    if (this.lines.length > MAX_TAIL_LINES) this.lines.shift();
  }

  toString(): string {
    return this.lines.join('\n').slice(-MAX_TAIL_CHARACTERS).trim();
  }
}

/**
 * A line as it is passed on. One that left a colour or style on has it reset, so that it does not run into the next
 * worker's line.
 * @param label the worker's number, to mark the line with
 */
export function wholeLine(line: string, label?: string): string {
  const reset = line.includes('\u001b[') && !line.endsWith('\u001b[0m') ? '\u001b[0m' : '';
  return `${label === undefined ? '' : `[${label}] `}${line}${reset}\n`;
}
