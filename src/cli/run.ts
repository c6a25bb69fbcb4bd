import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadModule } from '../child/load.js';
import { OptionError, SpecError } from '../errors.js';
import { ThreadFactory } from '../factory.js';
import { resolveOptions } from '../options.js';
import { lastLine } from '../progress/words.js';
import { becomeCommand, loadedVersions, VERSION } from '../registry.js';
import type { Summary } from '../spec.js';
import { specOfModule } from '../spec.js';
import type { Command, Ended } from './command.js';
import { STATUS } from './command.js';
import { duration, FLAGS_BY_NAME, namesAsFlags, optionsOf } from './flags.js';
import { JsonLines } from './json-lines.js';
import type { FlagShape, Given } from './parse.js';
import { parse, UsageError } from './parse.js';
import { runHelp } from './run-help.js';
import type { Format } from './stdin.js';
import { jobsOf } from './stdin.js';
import { errorText, Failures, plainStream, say, statOf, takeOutput } from './streams.js';
import { Taken } from './taken.js';

/** `threadfactory run SPEC`. */
export const run: Command = {
  summary: 'run a list of jobs on every core of this machine',
  help: runHelp,
  flags: new Map<string, FlagShape>([
    ...FLAGS_BY_NAME,
    ['stdin', { value: 'lines|jsonl' }],
    ['json', {}],
    ['retry-delay', { value: 'TIME' }],
    ['help', { short: 'h' }],
  ]),
  async run(args) {
    const given = parse(args, this.flags);
    const path = specOf(given);
    const format = formatOf(given);
    const options = optionsGiven(given);
    const json = given.flags.get('json') === true;
    const output = json ? takeOutput() : undefined;
    const lines = output && new JsonLines(output);
    const failures = new Failures();
    const taken = new Taken({
      path,
      options,
      manager: format === undefined ? undefined : () => jobsFrom(format),
      relayed: json,
      taken(factory, ordered) {
        factory.on('warning', (warning) => say(warning.message));
        lines?.watch(factory, ordered);
      },
      failed: (...about) => (lines ?? failures).failed(...about),
      skipped: (...about) => lines?.completed(...about),
    });
    becomeCommand(taken);
    let leftAtThat = false;
    process.on('unhandledRejection', (reason) => {
      // A script that starts its run and leaves it at that: the command says what became of it.
      leftAtThat = taken.reasons.has(reason);
      if (leftAtThat) return;
      say(errorText(reason));
      process.exit(STATUS.wrong);
    });
    process.argv = [process.argv[0] ?? process.execPath, path, ...(given.rest ?? [])];
    const offExit = onScriptsExit(taken);
    const ended = await carryOut(taken, { path, given, format });
    offExit();
    await lines?.end();
    if (format !== undefined) process.stdin.destroy();
    // A rejection that nobody handles, of which Node says so later, ends a script.
    await new Promise((soon) => setImmediate(soon));
    return { ...ended, leaves: ended.leaves || leftAtThat };
  },
};

interface Errand {
  readonly path: string;
  readonly given: Given;
  readonly format: Format | undefined;
}

/**
 * A script may end the process itself when its run is over (`.then(() => process.exit())`): without a status of its
 * own the run's stands. @returns what takes that back
 */
function onScriptsExit(taken: Taken): () => void {
  const onExit = (code: number): void => {
    const summary = taken.factory?.summary;
    if (code === STATUS.done && summary !== undefined) process.exitCode = statusOf(summary, taken);
  };
  process.once('exit', onExit);
  return () => process.removeListener('exit', onExit);
}

/** Loads the SPEC, starts what it did not start itself, and waits for the end. */
async function carryOut(taken: Taken, { path, given, format }: Errand): Promise<Ended> {
  const told = new Set<unknown>();
  const tell = (error: unknown): number => {
    if (!told.has(error)) say(errorText(error));
    told.add(error);
    return STATUS.wrong;
  };
  let status: number = STATUS.done;
  let leaves = false;
  try {
    const loaded = await loadModule({ loader: 'import', id: pathToFileURL(path).href });
    // A script that starts its factory does so by now.
    await new Promise((soon) => setImmediate(soon));
    leaves = taken.factory === undefined;
    const factory = taken.factory ?? build(loaded, path, format !== undefined);
    if (taken.runs.length === 0) void factory.start(given.rest).catch(() => {});
  } catch (error) {
    // A script that awaits its run fails with what that failed with, which is told below.
    const outcomes = await Promise.allSettled(taken.runs);
    if (!outcomes.some((outcome) => outcome.status === 'rejected' && outcome.reason === error))
      status = tell(error);
  }
  for (let at = 0; at < taken.runs.length; at += 1) {
    const [outcome] = await Promise.allSettled([taken.runs[at]]);
    const summary = outcome.status === 'fulfilled' ? outcome.value : summaryIn(outcome.reason);
    if (summary !== undefined) status = Math.max(status, statusOf(summary as Summary, taken));
    else if (outcome.status === 'rejected') status = Math.max(status, tell(outcome.reason));
  }
  return { status, leaves };
}

/** What a run came to whose jobs failed; undefined where it failed itself. */
function summaryIn(reason: unknown): unknown {
  const { code, summary } = Object(reason) as { readonly code?: unknown; readonly summary?: unknown };
  return code === 'ERR_JOBS_FAILED' ? summary : undefined;
}

/** The factory of a module that exports the functions. */
function build(loaded: unknown, path: string, hasJobs: boolean): ThreadFactory {
  const others = loadedVersions().filter((version) => version !== VERSION);
  if (others.length > 0) {
    throw new SpecError(
      `${path} loads threadfactory ${others.join(', ')}, and this command is that of ${VERSION}. Run the command of the ` +
        'version beside it: npx threadfactory run …',
    );
  }
  const exported = loaded as { readonly default?: unknown } & Readonly<Record<string, unknown>>;
  const names = new Set([...Object.keys(exported), ...Object.keys(Object(exported.default))]);
  if (!names.has('workerProcess') && !names.has('worker')) {
    throw new SpecError(
      `${path} neither exports the functions (\`workerProcess\`${hasJobs ? '' : ' and `manager`'}) nor builds a ` +
        'factory when it is loaded. threadfactory run --help shows both.',
    );
  }
  if (!hasJobs && !names.has('manager')) {
    throw new SpecError(
      `${path} exports no \`manager\`, the function that returns the list of jobs. Add it, or give the jobs on standard ` +
        'input: --stdin lines or --stdin jsonl.',
    );
  }
  const spec = specOfModule(loaded, path, !hasJobs);
  // Results are in nobody's way: only `managerFinish` would see them.
  return new ThreadFactory(pathToFileURL(path), { keepResults: spec.managerFinish !== undefined });
}

function statusOf(summary: Summary, { showsItself }: Taken): number {
  const { completed, failed, skipped, total, stopped } = summary;
  const early = stopped !== false || completed + failed + skipped < total;
  // How long a list is that was not read to its end the summary does not say.
  if (!showsItself && (failed > 0 || early)) {
    say(lastLine({ ...summary, total: undefined }, { how: stopped || 'done' }, summary.duration));
  }
  // handleSignals has said which signal it was.
  if (stopped === 'interrupt') return Number(process.exitCode ?? 130);
  return failed > 0 || early ? STATUS.failed : STATUS.done;
}

// ---- what was given -------------------------------------------------------------------------------------------------

function specOf({ positionals }: Given): string {
  const [spec, extra] = positionals;
  if (spec === undefined)
    throw new UsageError('Which SPEC? Give the path of a file: threadfactory run worker.js');
  if (extra !== undefined) {
    throw new UsageError(
      `Expected one SPEC, got \`${extra}\` besides. What is for the script goes behind \`--\`.`,
    );
  }
  if (spec === '') throw new UsageError('Which SPEC? Expected the path of a file, got an empty text.');
  const path = resolve(spec);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new UsageError(`There is no file ${path}.`);
  if (stats.isDirectory()) throw new UsageError(`${path} is a folder: name the file in it.`);
  if (!stats.isFile()) throw new UsageError(`${path} is no regular file.`);
  return path;
}

function formatOf({ flags }: Given): Format | undefined {
  const text = textOf(flags.get('stdin'));
  if (text === undefined || text === 'lines' || text === 'jsonl') return text;
  throw new UsageError(`Expected --stdin to be \`lines\` or \`jsonl\`, got \`${text}\`.`);
}

function textOf(given: boolean | readonly string[] | undefined): string | undefined {
  return Array.isArray(given) ? given.at(-1) : undefined;
}

/** The options that flags gave, checked, and what the command adds to them. */
function optionsGiven({ flags }: Given): Record<string, unknown> {
  const options = optionsOf(flags);
  const delay = textOf(flags.get('retry-delay'));
  if (delay !== undefined) {
    if (options['retries'] === undefined) throw new UsageError('--retry-delay needs --retries beside it.');
    const milliseconds = duration(delay);
    if (typeof milliseconds !== 'number') {
      throw new UsageError(
        `Expected --retry-delay to be a time such as 500ms, 30s, 5m or 1h, got \`${delay}\`.`,
      );
    }
    options['retries'] = { limit: options['retries'], delay: milliseconds };
  }
  if (options['env'] !== undefined) options['env'] = environment(options['env'] as readonly string[]);
  try {
    resolveOptions(options);
  } catch (error) {
    if (error instanceof OptionError) {
      const units = error.message.includes('milliseconds')
        ? ' A time may have a unit: 500ms, 30s, 5m, 1h.'
        : '';
      throw new UsageError(`${namesAsFlags(error.message)}.${units}`);
    }
    throw error;
  }
  options['handleSignals'] ??= true;
  const stream = streamFor(options['progress']);
  if (stream === undefined) delete options['progress'];
  else options['progress'] = stream;
  return options;
}

/** A display where there is a terminal, unless another program's output would go through it: then lines. */
function streamFor(asked: unknown): unknown {
  if (asked !== undefined) return asked;
  if (!process.stderr.isTTY) return undefined;
  const { isTTY } = process.stdout;
  return isTTY || !isPipe(1) ? true : plainStream(process.stderr);
}

function isPipe(fd: number): boolean {
  const stats = statOf(fd);
  return stats !== undefined && (stats.isFIFO() || stats.isSocket());
}

function environment(given: readonly string[]): NodeJS.ProcessEnv {
  const added = given.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`Expected --env NAME=VALUE, got \`${text}\`.`);
    return [text.slice(0, at), text.slice(at + 1)] as const;
  });
  return { ...process.env, ...Object.fromEntries(added) };
}

function jobsFrom(format: Format): AsyncIterable<unknown> {
  if (statOf(0)?.isDirectory() === true)
    throw new UsageError('Standard input is a folder: there are no lines in it.');
  if (process.stdin.isTTY) say('reading jobs from the terminal, one a line; Ctrl-D ends the list');
  return jobsOf(process.stdin, format);
}
