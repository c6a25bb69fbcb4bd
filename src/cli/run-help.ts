import { entriesOf, section } from './help.js';

const INTRODUCTION = `Usage: threadfactory run SPEC [options] [-- arguments]

Runs a list of jobs on every core of this machine.

SPEC is a JavaScript or TypeScript file: either a module of the functions,

  exports.manager = () => ['a.png', 'b.png'];          // the list of jobs
  exports.workerProcess = (job) => shrink(job);        // does one job, in a worker process

or a script that builds exactly one factory with \`new ThreadFactory({ manager, workerProcess })\`.
A flag wins over the option of the same name in a script.
`;

const EXAMPLES = `Examples
  threadfactory run shrink.js --workers 4 --retries 2
  threadfactory run shrink.js --journal shrink.jsonl       # run it again to go on where it was cut short
  ls *.png | threadfactory run shrink.js --stdin lines --json | jq .result
`;

/** All that `threadfactory run --help` prints. */
export function runHelp(): string {
  return [
    INTRODUCTION,
    section('Jobs and results', [
      [
        '--stdin lines|jsonl',
        'the jobs are on standard input, one a line, as text or as JSON, blank lines left out; no manager needed',
      ],
      ['--json', 'print {"index","job","result"} or {"index","job","error"} for each job, one a line'],
      ...entriesOf(['ordered', 'keep-results']),
      ['-- arguments', 'what the script sees in process.argv, and manager gets as an array'],
    ]),
    section(
      'Workers',
      entriesOf(['workers', 'concurrency', 'batch-size', 'max-jobs-per-worker', 'max-memory-per-worker']),
    ),
    section('Failures', [
      ...entriesOf(['retries']),
      ['--retry-delay TIME', 'wait so long before each of them (0)'],
      ...entriesOf(['crash-retries', 'timeout', 'bail', 'startup-timeout', 'shutdown-timeout']),
    ]),
    section('Runs that go on where they were', entriesOf(['journal', 'key', 'fsync'])),
    section('What you see', [
      ...entriesOf(['progress', 'output', 'handle-signals']),
      ['-h, --help', 'this page'],
    ]),
    section('How workers are started', entriesOf(['env', 'exec-argv', 'exec-path', 'cwd'])),
    'TIME is milliseconds, or 500ms, 30s, 5m, 1h.\n',
    EXAMPLES,
    section('Exit status', [
      ['0', 'all jobs completed'],
      ['1', 'some failed, or the run was ended before all had settled'],
      ['2', 'the command line or SPEC is wrong, or the list, the journal or the workers failed'],
      ['130', 'interrupted by Ctrl-C (143: by SIGTERM)'],
      ['141', 'whoever read standard output has gone'],
    ]),
  ].join('\n');
}
