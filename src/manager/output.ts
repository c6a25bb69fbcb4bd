import { StringDecoder } from 'node:string_decoder';

/**
 * What workers print, by whole lines: several of them share one terminal, and half a line of one in the middle of
 * another's, or half a character, is of no use to anybody.
 */

/** The longest line that is kept whole, in characters; a longer one is passed on in pieces. */
const MAX_LINE = 1024 * 1024;
const ESCAPE = '\u001b';
/** How many characters an escape sequence has at most, and what one that is whole has after its first. */
const MAX_ESCAPE = 32;
const WHOLE_ESCAPE = /^\[[0-?]*[ -/]*[@-~]/;
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
  /** Whether a "\r" came last, which may be the first half of "\r\n". */
  private owesReturn = false;

  /** @param line gets each line, without its end */
  constructor(private readonly line: (text: string) => void) {}

  write(chunk: Uint8Array): void {
    this.push(this.decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  }

  /** Passes on what is left. */
  end(): void {
    this.push(this.decoder.end());
    if (this.rest !== '' || this.owesReturn) this.line(this.rest);
    this.rest = '';
    this.owesReturn = false;
  }

  /** Looks at what is new alone: a line of many chunks is not to be read once a chunk. */
  private push(text: string): void {
    const lines = `${this.owesReturn ? '\r' : ''}${text}`.split(/\r\n|\n|\r(?!$)/);
    const last = lines.pop() ?? '';
    this.owesReturn = last.endsWith('\r');
    for (const line of lines) {
      this.line(this.rest + line);
      this.rest = '';
    }
    this.rest += this.owesReturn ? last.slice(0, -1) : last;
    while (this.rest.length > MAX_LINE) {
      const end = cutOf(this.rest);
      this.line(this.rest.slice(0, end));
      this.rest = this.rest.slice(end);
    }
  }
}

/** Where to cut a line that is too long: before a character or an escape sequence that would come apart. */
function cutOf(line: string): number {
  const start = line.lastIndexOf(ESCAPE, MAX_LINE - 1);
  // Colours and styles are a few characters; whatever is longer is none.
  const isNear = start > MAX_LINE - MAX_ESCAPE;
  if (isNear && !WHOLE_ESCAPE.test(line.slice(start + 1, MAX_LINE))) return start;
  return /[\ud800-\udbff]/.test(line.charAt(MAX_LINE - 1)) ? MAX_LINE - 1 : MAX_LINE;
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
  const reset = line.includes(`${ESCAPE}[`) && !line.endsWith(`${ESCAPE}[0m`) ? `${ESCAPE}[0m` : '';
  return `${label === undefined ? '' : `[${label}] `}${line}${reset}\n`;
}
