import type { ThreadFactoryOptions } from '../options.js';

/**
 * The flag of every option, in one table that the compiler keeps complete: an option without a flag says why.
 */

/** What a flag takes, and the option's value it makes of the text: what can't be right is left to the option's check. */
export interface Flag {
  /** What stands for its value in the help; none for a switch, which has a `--no-` form too. */
  readonly value?: string;
  /** May be given several times. */
  readonly many?: boolean;
  readonly help: string;
  /** Turns the text (or texts) into the option's value. @default the text as it is */
  readonly read?: (text: string) => unknown;
}

/** Why an option has no flag. */
export interface NoFlag {
  readonly none: string;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const SIZES: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** `4` as a number; what is none stays text, for the option's check to complain of. */
export function number(text: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

/** `500`, `500ms`, `30s`, `5m`, `1h` as milliseconds. */
export function duration(text: string): unknown {
  const [, digits, unit = 'ms'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  return digits === undefined ? text : Number(digits) * (UNITS[unit] ?? 1);
}

/** `1000`, `512K`, `512M`, `2G`, with or without a `B`, as bytes. */
export function bytes(text: string): unknown {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)([KMG]?)B?$/i.exec(text) ?? [];
  return digits === undefined ? text : Math.round(Number(digits) * (SIZES[unit.toUpperCase()] ?? 1));
}

/** A job's name in the journal: the property at a path such as `id` or `file.name`, `.` for the job itself. */
export function keyOf(path: string): (job: unknown) => string {
  const names = path.split('.').filter((name) => name !== '');
  return (job) => {
    let found: unknown = job;
    for (const name of names) found = (found as Readonly<Record<string, unknown>> | null | undefined)?.[name];
    return typeof found === 'number' ? String(found) : (found as string);
  };
}

const truth = (text: string): unknown =>
  text === 'true' || text === 'false' ? text === 'true' : duration(text);

/** In the order of the help. */
export const FLAGS = {
  workers: { value: 'N', read: number, help: 'worker processes (one for each core); 0: all in this process' },
  concurrency: { value: 'N', read: number, help: 'jobs a worker runs at once (1)' },
  batchSize: { value: 'N|auto', read: number, help: 'jobs a message (auto)' },
  retries: { value: 'N', read: number, help: 'how often a job that threw or timed out is run again (0)' },
  crashRetries: {
    value: 'N',
    read: number,
    help: 'how often a job that killed its worker is run again (2)',
  },
  timeout: { value: 'TIME', read: duration, help: 'what one attempt may take (no limit)' },
  bail: { value: 'N|N%', read: number, help: 'stop after so many failures, or such a share of the jobs' },
  maxJobsPerWorker: { value: 'N', read: number, help: 'replace a worker after so many jobs' },
  maxMemoryPerWorker: { value: 'SIZE', read: bytes, help: 'replace a worker that uses more: 512M, 2G' },
  startupTimeout: {
    value: 'TIME',
    read: duration,
    help: 'for loading SPEC and workerStartup (30s)',
  },
  shutdownTimeout: { value: 'TIME', read: duration, help: 'for workerFinish (5s)' },
  ordered: { help: 'with --json: print in the order of the list' },
  keepResults: { help: 'keep all results in memory, for managerFinish' },
  journal: { value: 'FILE', help: 'record what settles; the same command goes on where it was cut short' },
  key: {
    value: 'PATH',
    read: keyOf,
    help: 'what names a job in the journal: a property of it, or . for the job itself',
  },
  fsync: { value: 'true|false|TIME', read: truth, help: 'how soon the journal is forced onto the disk (1s)' },
  signal: { none: 'an AbortSignal is an object' },
  handleSignals: { help: 'Ctrl-C lets running jobs end, a second one does not (on)' },
  progress: { help: 'show the run on standard error (on, where that is a terminal)' },
  output: { value: 'inherit|prefix|ignore', help: "the workers' own output (inherit)" },
  env: { value: 'NAME=VALUE', many: true, help: "add to the workers' environment" },
  execArgv: {
    value: 'FLAG',
    many: true,
    help: "Node's flags for the workers, as --exec-argv=--max-old-space-size=4096",
  },
  execPath: { value: 'FILE', help: 'the Node program that the workers run' },
  cwd: { value: 'FOLDER', help: "the workers' working directory" },
  module: { none: 'SPEC is the module' },
  engine: { none: 'an engine is an object' },
} satisfies Readonly<Record<keyof ThreadFactoryOptions, Flag | NoFlag>>;

/** `maxJobsPerWorker` as `max-jobs-per-worker`. */
export function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Flags by their names in kebab-case, each with the option it sets. */
export type FlagsByName = ReadonlyMap<string, Flag & { readonly option: string }>;

/** @param flags by the option that each sets */
export function byName(flags: Readonly<Record<string, Flag | NoFlag>>): FlagsByName {
  return new Map(
    Object.entries(flags).flatMap(([option, flag]) =>
      'none' in flag ? [] : [[kebab(option), { ...flag, option }] as const],
    ),
  );
}

/** The flags of a run. */
export const FLAGS_BY_NAME = byName(FLAGS);

/**
 * Options out of the texts of their flags.
 * @param given by the flag's name: `true` or `false` for a switch, else every text that was given
 * @param flags others are left out
 */
export function optionsOf(
  given: ReadonlyMap<string, boolean | readonly string[]>,
  flags: FlagsByName = FLAGS_BY_NAME,
): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [name, texts] of given) {
    const flag = flags.get(name);
    if (flag === undefined) continue;
    const { option, many, read = (text: string) => text } = flag;
    if (typeof texts === 'boolean') options[option] = texts;
    else options[option] = many ? texts.map(read) : read(texts.at(-1) ?? '');
  }
  return options;
}

/** An option's name in a message, as the flag it was given by. */
export function namesAsFlags(message: string): string {
  return message.replaceAll(/`([a-z]\w*)((?:\.\w+|\[\d+\])*)`/gi, (all, name: string) => {
    const flag = Object.hasOwn(FLAGS, name) ? FLAGS[name as keyof ThreadFactoryOptions] : undefined;
    return flag === undefined || 'none' in flag ? all : `--${kebab(name)}`;
  });
}
