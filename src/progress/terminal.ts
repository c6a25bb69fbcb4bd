/**
 * The part of a stream that a display uses, and what it can know of the terminal behind it.
 */

/** A stream that may be a terminal. */
export type TerminalStream = Pick<NodeJS.WritableStream, 'write' | 'on' | 'removeListener'> & {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  hasColors?(): boolean;
  /** Node's own: asks the terminal for its size now and emits `resize` if it has changed. Not documented. */
  _refreshSize?(): void;
};

export const HIDE_CURSOR = '\u001b[?25l';
export const SHOW_CURSOR = '\u001b[?25h';

/** Whether lines can be drawn over: not in a file, a pipe, a dumb terminal or the log of a build server. */
export function isDrawable(stream: TerminalStream, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && env['TERM'] !== 'dumb' && ['', '0', 'false'].includes(env['CI'] ?? '');
}

/** Its width in cells. A terminal that nobody has given a size (docker's, expect's) says 0: then 80. */
export function columnsOf({ columns }: Pick<TerminalStream, 'columns'>): number {
  return columns || 80;
}

/** Its height in cells; 24 where it has none. */
export function rowsOf({ rows }: Pick<TerminalStream, 'rows'>): number {
  return rows || 24;
}

/** Whether it shows colours: Node's own answer, which heeds NO_COLOR and FORCE_COLOR. */
export function hasColors(stream: TerminalStream): boolean {
  return stream.hasColors?.() === true;
}

/** Moves up so many rows and erases from there on. */
export function eraseUp(rows: number): string {
  return rows <= 0 ? '' : `\u001b[${rows}A\u001b[G\u001b[J`;
}
