import { resolve } from 'node:path';
import type { WorkOptions } from '../engines/index.js';
import type { Command } from './command.js';
import { STATUS } from './command.js';
import type { Flag } from './flags.js';
import { byName, duration, FLAGS, number, optionsOf } from './flags.js';
import { section, typed } from './help.js';
import type { FlagShape } from './parse.js';
import { parse, UsageError } from './parse.js';
import { say } from './streams.js';

/** Without a flag: secrets, since whoever lists processes would see them; what is no text; what this command always does. */
type Flagless = 'connection' | 'secret' | 'handleSignals' | 'log' | 'bullmq';

/** By the option of `work` that a flag sets, in the order of the help: those of a run, where they mean the same. */
const WORK_FLAGS: Readonly<Record<Exclude<keyof WorkOptions, Flagless>, Flag>> = {
  name: { value: 'NAME', help: 'what the submitting side calls it; needed' },
  prefix: { value: 'TEXT', help: 'begins every key on the server (tf)' },
  machine: { value: 'NAME', help: "context.machine (the host's name and a random end)" },
  workers: { ...FLAGS.workers, help: 'worker processes (one for each core)' },
  concurrency: FLAGS.concurrency,
  maxJobsPerWorker: FLAGS.maxJobsPerWorker,
  maxMemoryPerWorker: FLAGS.maxMemoryPerWorker,
  startupTimeout: FLAGS.startupTimeout,
  shutdownTimeout: FLAGS.shutdownTimeout,
  grace: { value: 'TIME', read: duration, help: 'for running jobs when it is told to stop (10s)' },
  env: { value: 'NAME', many: true, help: "the only variables that workers get (all but the server's)" },
  execArgv: { ...FLAGS.execArgv, help: "Node's flags for the workers, as --exec-argv=--permission" },
  execPath: FLAGS.execPath,
  cwd: FLAGS.cwd,
  output: FLAGS.output,
  connectTimeout: { value: 'TIME', read: duration, help: 'to reach the server at the start (10s)' },
  lockDuration: { value: 'TIME', read: duration, help: 'a machine that is silent for so long is dead (15s)' },
  stalledInterval: {
    value: 'TIME',
    read: duration,
    help: 'between two looks for what dead machines left (5s)',
  },
  maxStalledCount: { value: 'N', read: number, help: 'machines that may die with a chunk, and one more (2)' },
};

const BY_NAME = byName(WORK_FLAGS);

/** `threadfactory work SPEC --name NAME`: makes this machine one of those that do a run's jobs. */
export const work: Command = {
  summary: 'do the jobs of runs on other machines (needs bullmq and ioredis)',
  help: workHelp,
  flags: new Map<string, FlagShape>([...BY_NAME, ['help', { short: 'h' }]]),
  async run(args) {
    const { flags, positionals, rest = [] } = parse(args, this.flags);
    const [spec, more] = [...positionals, ...rest];
    if (spec === undefined) throw new UsageError('Which SPEC? threadfactory work SPEC --name NAME');
    if (more !== undefined) throw new UsageError(`One SPEC is enough, got \`${more}\` too.`);
    if (!flags.has('name')) throw new UsageError('Under which name? threadfactory work SPEC --name NAME');
    const options = { ...optionsOf(flags, BY_NAME), handleSignals: true, log: say };
    const engines = await import('../engines/index.js');
    const machine = await engines.work(resolve(spec), options as never);
    await machine.stopped;
    return { status: STATUS.done, leaves: true };
  },
};

function workHelp(): string {
  const entries = [...BY_NAME].map(([name, flag]) => [typed(name, flag), flag.help] as const);
  return [
    `Usage: REDIS_URL=redis://… threadfactory work SPEC --name NAME [options]

Does jobs that another machine submits with \`bullmq({ connection, name })\` of threadfactory/bullmq, until it is told to
stop (Ctrl-C, SIGTERM). SPEC is the same file as there; nothing that comes from the server names code.
`,
    section('Options', [...entries, ['-h, --help', 'this page']]),
    section('Environment', [
      ['REDIS_URL', 'the server: redis://host:6379, or rediss://… for TLS'],
      ['REDIS_USERNAME, REDIS_PASSWORD_FILE', 'who asks, and a file with the password (or REDIS_PASSWORD)'],
      [
        'THREADFACTORY_SECRET_FILE',
        'a file with the secret that jobs are signed with, if the submitting side has one',
      ],
    ]),
    'TIME is milliseconds, or 500ms, 30s, 5m, 1h.\n',
    section('Exit status', [
      ['0', 'it was told to stop'],
      ['2', 'the command line, SPEC or the server is wrong, or it could not go on'],
    ]),
  ].join('\n');
}
