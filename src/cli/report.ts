import { basename, extname } from 'node:path';
import type { Command, Ended } from './command.js';
import { STATUS } from './command.js';
import { section, typed } from './help.js';
import type { FlagShape } from './parse.js';
import { parse, UsageError } from './parse.js';
import { print } from './streams.js';

const FLAGS = new Map<string, FlagShape & { readonly help: string }>([
  [
    'out',
    {
      value: 'FILE',
      short: 'o',
      help: 'the page, - for standard output (JOURNAL with .html in place of its extension, here)',
    },
  ],
  ['help', { short: 'h', help: 'this page' }],
]);

/** `threadfactory report JOURNAL`: one HTML page that shows what was run. */
export const report: Command = {
  summary: 'makes one HTML page of a journal: what ran when, how long it took, what failed',
  help: () =>
    [
      'Usage: threadfactory report JOURNAL [-o report.html]\n',
      'Makes one HTML page of a journal (the option `journal`, the flag --journal): what ran when and by',
      'which worker, how long it took, what failed. The page needs no network, and may be sent to others:',
      'it holds the keys of jobs and the errors, no results. The run may still be on.\n',
      section(
        'Options',
        [...FLAGS].map(([name, flag]) => [typed(name, flag).replace('[no-]', ''), flag.help]),
      ),
    ].join('\n'),
  flags: FLAGS,
  run: makeReport,
};

async function makeReport(args: readonly string[]): Promise<Ended> {
  const { flags, positionals, rest = [] } = parse(args, FLAGS);
  const [journal, ...more] = [...positionals, ...rest];
  if (!journal) throw new UsageError('Which journal? threadfactory report JOURNAL');
  if (more.length > 0) throw new UsageError(`A report is of one journal, got \`${more.join(' ')}\` besides.`);
  const out = flags.get('out');
  const page = Array.isArray(out) ? String(out[0]) : `${basename(journal, extname(journal))}.html`;
  // Loaded by who asks for a report alone.
  const { reportOf, writeReport } = await import('../report.js');
  if (page === '-') print(await reportOf(journal));
  else {
    await writeReport(journal, page);
    print(`${page}\n`);
  }
  return { status: STATUS.done, leaves: false };
}
