import { FLAGS_BY_NAME } from './flags.js';
import type { FlagShape } from './parse.js';

/** A line of the help: what is typed, and what it does. */
export type Entry = readonly [typed: string, does: string];

/** Columns that a page of help keeps to. */
const WIDTH = 100;
const INDENT = '  ';

/** `--workers N`, `--[no-]ordered`. */
export function typed(name: string, { value, many, short }: FlagShape): string {
  const long = value === undefined ? `--[no-]${name}` : `--${name} ${value}${many === true ? ' …' : ''}`;
  return short === undefined ? long : `-${short}, ${long}`;
}

/** The flags of some options, by their names in kebab-case. */
export function entriesOf(names: readonly string[]): Entry[] {
  return names.flatMap((name) => {
    const flag = FLAGS_BY_NAME.get(name);
    return flag === undefined ? [] : [[typed(name, flag), flag.help] as const];
  });
}

/** A titled list in two columns; a long explanation goes on below itself. */
export function section(title: string, entries: readonly Entry[]): string {
  const column = Math.min(34, Math.max(...entries.map(([left]) => left.length)) + 2);
  const lines = entries.flatMap(([left, right]) => {
    const room = WIDTH - column - INDENT.length;
    const [first = '', ...more] = wrap(right, room);
    const head =
      left.length + 2 > column ? [left, `${' '.repeat(column)}${first}`] : [left.padEnd(column) + first];
    return [...head, ...more.map((line) => ' '.repeat(column) + line)];
  });
  return `${title}\n${lines.map((line) => INDENT + line).join('\n')}\n`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && `${last} ${word}`.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
