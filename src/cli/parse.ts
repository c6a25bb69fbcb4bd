import { parseArgs } from 'node:util';
import { nearest } from '../nearest.js';

/**
 * Arguments into flags and positionals, by Node's own parser; every mistake is told with what was probably meant.
 */

/** A mistake in the command line: its message is all that the user needs. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** A flag as the parser sees it. */
export interface FlagShape {
  /** Present where it takes a value. */
  readonly value?: string | undefined;
  readonly many?: boolean | undefined;
  /** One letter. */
  readonly short?: string;
}

/** What was given. */
export interface Given {
  /** By name: `true` or `false` for a switch, else every text. */
  readonly flags: ReadonlyMap<string, boolean | readonly string[]>;
  readonly positionals: readonly string[];
  /** What follows `--`; undefined where there was none. */
  readonly rest: readonly string[] | undefined;
}

/**
 * @param flags by name
 * @throws UsageError for an unknown flag, a missing value or one too many
 */
export function parse(args: readonly string[], flags: ReadonlyMap<string, FlagShape>): Given {
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const { tokens } = parseArgs({
    args: [...own],
    options: Object.fromEntries([...flags].map(([name, flag]) => [name, shapeOf(flag)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, boolean | string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    else if (token.kind === 'option') take(given, flags, token);
  }
  return { flags: given, positionals, rest: end === -1 ? undefined : args.slice(end + 1) };
}

type OptionToken = {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
};

function shapeOf({ value, short }: FlagShape): { type: 'string' | 'boolean'; short?: string } {
  return { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) };
}

function take(
  given: Map<string, boolean | string[]>,
  flags: ReadonlyMap<string, FlagShape>,
  { name, rawName, value, inlineValue }: OptionToken,
): void {
  const positive = name.startsWith('no-') ? name.slice(3) : undefined;
  const isSwitch = (of: string | undefined): boolean =>
    of !== undefined && flags.has(of) && flags.get(of)?.value === undefined;
  if (!flags.has(name) && isSwitch(positive)) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value, got \`${value}\`.`);
    given.set(positive ?? name, false);
    return;
  }
  const flag = flags.get(name);
  if (flag === undefined) throw new UsageError(unknown(rawName, name, flags));
  if (flag.value === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value, got \`${value}\`.`);
    given.set(name, true);
    return;
  }
  const looksLikeFlag = inlineValue === false && value !== undefined && /^-[^\d]/.test(value);
  if (value === undefined || looksLikeFlag) {
    const hint = looksLikeFlag ? ` If \`${value}\` is meant: ${rawName}=${value}` : '';
    throw new UsageError(`${rawName} needs a value: ${rawName} ${flag.value}.${hint}`);
  }
  const before = given.get(name);
  if (Array.isArray(before) && flag.many !== true) throw new UsageError(`${rawName} was given twice.`);
  given.set(name, Array.isArray(before) ? [...before, value] : [value]);
}

function unknown(rawName: string, name: string, flags: ReadonlyMap<string, FlagShape>): string {
  const positive = name.replace(/^no-/, '');
  if (flags.has(positive))
    return `Unknown flag ${rawName}: --${positive} takes a value, and has no --no- form.`;
  const switches = [...flags].filter(([, { value }]) => value === undefined);
  const meant = nearest(name, [...flags.keys(), ...switches.map(([known]) => `no-${known}`)]);
  return `Unknown flag ${rawName}${meant === undefined ? '.' : `; did you mean --${meant}?`}`;
}
