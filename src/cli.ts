#!/usr/bin/env node
import type { Command, Ended } from './cli/command.js';
import { STATUS } from './cli/command.js';
import { section } from './cli/help.js';
import { parse, UsageError } from './cli/parse.js';
import { report } from './cli/report.js';
import { run } from './cli/run.js';
import { errorText, leave, print, quietWithoutReader, say } from './cli/streams.js';
import { work } from './cli/work.js';
import { nearest } from './nearest.js';
import { VERSION } from './registry.js';

/** The command `threadfactory`: picks the subcommand, and turns what it comes to into an exit status. */

const DONE: Ended = { status: STATUS.done, leaves: false };

const COMMANDS: Readonly<Record<string, Command>> = { run, work, report };

function help(): string {
  return [
    'Usage: threadfactory COMMAND …\n\nRuns a list of jobs on every core of the machine, from one ordinary script.\n',
    section(
      'Commands',
      Object.entries(COMMANDS).map(([name, { summary }]) => [name, summary]),
    ),
    section('Options', [
      ['-h, --help', 'this page; threadfactory COMMAND --help for that of a command'],
      ['-v, --version', 'the version'],
    ]),
  ].join('\n');
}

async function main(args: readonly string[]): Promise<Ended> {
  const [first, ...rest] = args;
  const command = commandNamed(first);
  if (command !== undefined) {
    const own = rest.includes('--') ? rest.slice(0, rest.indexOf('--')) : rest;
    if (!own.includes('--help') && !own.includes('-h')) return await command.run(rest);
    print(command.help());
    return DONE;
  }
  if (first !== undefined && !first.startsWith('-') && first !== 'help') throw new UsageError(unknown(first));
  const { flags, positionals } = parse(
    args,
    new Map([
      ['help', { short: 'h' }],
      ['version', { short: 'v' }],
    ]),
  );
  if (flags.get('version') === true) print(`${VERSION}\n`);
  else if (args.length > 0) print((commandNamed(positionals[1]) ?? { help }).help());
  else throw new UsageError(`Which command?\n\n${help()}`);
  return DONE;
}

function commandNamed(name = ''): Command | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
}

function unknown(first: string): string {
  const meant = nearest(first, Object.keys(COMMANDS));
  if (meant !== undefined) return `Unknown command \`${first}\`; did you mean \`threadfactory ${meant}\`?`;
  const isFile = /[./\\]/.test(first);
  const hint = isFile
    ? `did you mean \`threadfactory run ${first}\`?`
    : `there is ${Object.keys(COMMANDS).join(', ')}.`;
  return `Unknown command \`${first}\`; ${hint}`;
}

let over = false;
// A script that waits for what never comes lets the process run dry: that is no success. One that calls
// `process.exit()` does not get here.
process.once('beforeExit', () => {
  if (over) return;
  say('there is nothing left to do, but SPEC still waits for something that never comes');
  process.exitCode = STATUS.wrong;
});

quietWithoutReader();

main(process.argv.slice(2)).then(
  (ended) => end(ended),
  (error) => {
    say(errorText(error));
    if (error instanceof UsageError) process.stderr.write(`See threadfactory ${commandName()}--help.\n`);
    end({ status: STATUS.wrong, leaves: true });
  },
);

function commandName(): string {
  const [, , first = ''] = process.argv;
  return Object.hasOwn(COMMANDS, first) ? `${first} ` : '';
}

/** A script's own exit code stands where the run has nothing to say against it. */
function end({ status, leaves }: Ended): void {
  over = true;
  if (status !== STATUS.done) process.exitCode = status;
  if (leaves) leave(status);
}
