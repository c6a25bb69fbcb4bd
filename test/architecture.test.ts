import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Reserved, Room } from './helpers/architecture.js';
import { breaches, COMPUTED } from './helpers/architecture.js';

const TIME_AND_PROCESS = [
  'process',
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'globalThis',
];
const VALUES = [
  ...['attempt', 'errors', 'error-wire', 'codec', 'frames', 'held-column', 'serializer', 'plain-copy'],
  ...['apply', 'plain-column', 'refusal', 'table'],
];
const RUNNER = [
  'runner',
  'lane',
  'open-batch',
  'open-batches',
  'report',
  'stopwatch',
  'time-limit',
  'context',
];
const EDGES = ['journal', 'journal/', 'progress', 'progress/', 'report', 'report/', 'cli', 'cli/'];

/** Which file may import what. A new file belongs to a room, or gets one here. */
const ROOMS: readonly Room[] = [
  { name: 'protocol', files: ['protocol'], may: [], without: TIME_AND_PROCESS },
  {
    name: 'pure',
    files: ['batch', 'queue', 'retry', 'source', 'tally', 'window'].map((name) => `manager/${name}`),
    may: ['apply', 'describe', 'errors', 'protocol'],
    without: TIME_AND_PROCESS,
  },
  {
    name: 'manager',
    files: ['manager/'],
    may: [
      'node:*',
      'attempt',
      'protocol',
      'errors',
      'error-wire',
      'codec',
      'clock',
      'wire',
      'shared-file',
      'proc-status',
    ],
    types: ['options', 'spec'],
  },
  {
    // Runs over a channel it was given, in any process.
    name: 'runner',
    files: RUNNER.map((name) => `child/${name}`),
    may: ['apply', 'protocol', 'errors', 'error-wire', 'codec', 'held-column', 'clock'],
    types: ['spec'],
    without: TIME_AND_PROCESS,
  },
  {
    // The one place where the user's own modules are loaded.
    name: 'loader',
    files: ['child/load'],
    may: ['node:url', 'protocol', COMPUTED],
  },
  {
    name: 'child',
    files: ['child/'],
    may: [
      'node:*',
      'apply',
      'protocol',
      'errors',
      'error-wire',
      'codec',
      'clock',
      'inside',
      'module-ref',
      'peak-rss',
      'registry',
      'spec',
      'wire',
      'shared-file',
    ],
  },
  // How messages go from one process to another.
  {
    name: 'wire',
    files: ['wire'],
    may: ['codec'],
    types: ['protocol', 'shared-file'],
    without: TIME_AND_PROCESS,
  },
  { name: 'shared file', files: ['shared-file'], may: ['node:fs', 'attempt'] },
  { name: 'words', files: ['describe'], may: ['node:util'], without: TIME_AND_PROCESS },
  { name: 'values', files: VALUES, may: ['node:util', 'node:v8', 'describe'] },
  { name: 'clock', files: ['clock'], may: [] },
  { name: 'proc status', files: ['proc-status'], may: ['node:fs'] },
  { name: 'peak rss', files: ['peak-rss'], may: ['proc-status'], types: ['clock'] },
  { name: 'histogram', files: ['histogram'], may: [], without: TIME_AND_PROCESS },
  {
    name: 'stats',
    files: ['stats'],
    may: ['histogram'],
    types: ['manager/tally'],
    without: TIME_AND_PROCESS,
  },
  {
    name: 'channels',
    files: ['channels'],
    may: ['node:diagnostics_channel', 'manager/tally'],
    types: ['manager/endings', 'manager/worker'],
  },
  { name: 'inside', files: ['inside'], may: ['node:async_hooks'] },
  { name: 'paths', files: ['paths'], may: ['node:path'] },
  { name: 'nearest', files: ['nearest'], may: [] },
  {
    name: 'options',
    files: ['options', 'option-checks', 'cpu-quota'],
    may: ['node:*', 'errors', 'describe', 'nearest'],
  },
  {
    name: 'spec',
    files: ['spec', 'registry', 'call-site', 'module-ref', 'flags'],
    may: ['node:*', 'errors', 'describe', 'nearest', 'paths', 'protocol'],
    types: ['stats'],
  },
  {
    name: 'journal',
    files: ['journal', 'journal/'],
    may: ['node:*', 'clock', ...VALUES],
    types: ['spec', 'options'],
  },
  {
    name: 'composition',
    files: [
      ...['factory', 'events', 'tell', 'run', 'local', 'engine', 'inline', 'iteration', 'listeners'],
      ...['signals', 'snapshot', 'conductor', 'ledger'],
    ],
    may: [
      'node:*',
      'manager/',
      'progress',
      'child/runner',
      'child/load',
      'journal',
      ...VALUES,
      ...['call-site', 'channels', 'clock', 'flags', 'inside', 'options', 'paths', 'protocol', 'registry'],
      ...['peak-rss', 'spec', 'stats', 'wire'],
    ],
  },
  {
    // Built into a file of its own, with the packages it draws with.
    name: 'progress',
    files: ['progress', 'progress/'],
    may: ['node:*', 'log-update', 'signal-exit', 'string-width'],
    types: ['snapshot', 'clock'],
  },
  {
    name: 'cli',
    files: ['cli', 'cli/'],
    may: [
      ...[
        'node:*',
        'factory',
        'spec',
        'registry',
        'options',
        'nearest',
        'option-checks',
        'errors',
        'child/load',
        'module-ref',
      ],
      ...['journal/utf8', 'progress/words', 'progress/job-text', 'report', 'engines/'],
    ],
  },
  {
    name: 'names',
    files: ['index'],
    may: ['factory', 'errors'],
    types: ['channels', 'events', 'options', 'spec', 'stats'],
  },
  {
    // Other engines than our own processes: they use the manager's rooms, and nothing knows them.
    name: 'engines',
    files: ['engines/'],
    may: [
      'node:*',
      'bullmq',
      'ioredis',
      'manager/',
      ...VALUES,
      ...['call-site', 'clock', 'cpu-quota', 'flags', 'listeners', 'module-ref', 'option-checks', 'paths'],
      ...['protocol', 'registry'],
    ],
    types: ['engine', 'options', 'spec'],
  },
  {
    // Runs in a browser.
    name: 'page',
    files: ['report/page/'],
    may: ['uplot'],
    types: ['report/data'],
    without: ['process', 'fetch', 'XMLHttpRequest', 'WebSocket', 'eval'],
  },
  {
    name: 'edges',
    files: EDGES,
    may: [
      'node:*',
      ...[
        'factory',
        'histogram',
        'journal',
        'options',
        'option-checks',
        'spec',
        'clock',
        'paths',
        'registry',
      ],
      ...VALUES,
    ],
  },
];

const RESERVED: readonly Reserved[] = [
  {
    specifier: 'node:child_process',
    to: ['child/subprocesses', 'manager/fork', 'manager/group-guard', 'manager/pdeathsig'],
  },
  { specifier: 'node:events', to: ['conductor', 'factory', 'tell'] },
  { specifier: 'node:worker_threads', to: ['child/watchdog', 'registry'] },
];

const SRC = join(import.meta.dirname, '..', 'src');

function sourcesOf(folder: string): Map<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  return new Map(
    paths.map((path) => [
      path.replaceAll('\\', '/').replace(/\.ts$/, ''),
      readFileSync(join(folder, path), 'utf8'),
    ]),
  );
}

describe('the house', () => {
  it('keeps its import rules', () => {
    expect(breaches(sourcesOf(SRC), ROOMS, RESERVED)).toEqual([]);
  });
});

describe('src/README.md', () => {
  const rows = readFileSync(join(SRC, 'README.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  /** A path in backticks is under src; what follows in its row is in the same folder. */
  const named = rows.flatMap((row) => {
    const names = [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
    const folder = /^(.*\/)[^/]+$/.exec(names[0] ?? '')?.[1] ?? '';
    return names.map((name) => (name.includes('/') ? name : folder + name));
  });

  it('names every file, or the folder that it is in', () => {
    const files = [...sourcesOf(SRC).keys()].map((path) => `${path}.ts`);
    const isNamed = (file: string): boolean =>
      named.some((name) => (name.endsWith('/') ? file.startsWith(name) : file === name));
    expect(files.filter((file) => !isNamed(file))).toEqual([]);
  });

  it('names none that is not there, and none twice', () => {
    expect(named.filter((name) => !existsSync(join(SRC, name)))).toEqual([]);
    expect(named.filter((name, at) => named.indexOf(name) !== at)).toEqual([]);
  });
});

describe('the tests', () => {
  it('remove the folders that they made', () => {
    const makes = /\b(project|script|commandProject)\b[^;]* from '\.\.\/helpers\/(script|shell)\.js'/;
    const making = [...sourcesOf(join(import.meta.dirname, 'integration'))].filter(([, text]) =>
      makes.test(text),
    );
    expect(making.length).toBeGreaterThan(0);
    const forgetful = making.filter(
      ([, text]) => !/afterAll\(removeProjects\)|await removeProjects\(\)/.test(text),
    );
    expect(forgetful.map(([name]) => name)).toEqual([]);
  });
});

describe('the import rules', () => {
  const judge = (path: string, text: string): string[] => breaches(new Map([[path, text]]), ROOMS, RESERVED);

  it.each([
    [
      'child/bootstrap',
      "import { Pool } from '../manager/pool.js';",
      'child/bootstrap (child) imports manager/pool',
    ],
    [
      'child/bootstrap',
      "import type { Pool } from '../manager/pool.js';",
      'child/bootstrap (child) imports manager/pool as a type',
    ],
    ['manager/pool', "export * from '../child/runner.js';", 'manager/pool (manager) imports child/runner'],
    ['manager/pool', "const m = await import('../journal.js');", 'manager/pool (manager) imports journal'],
    [
      'manager/pool',
      "type P = import('../progress.js').P;",
      'manager/pool (manager) imports progress as a type',
    ],
    ['manager/pool', 'await import(name);', 'manager/pool (manager) imports what a variable says'],
    ['manager/pool', "import '../engines/bullmq.js';", 'manager/pool (manager) imports engines/bullmq'],
    ['protocol', "import type { A } from './errors.js';", 'protocol (protocol) imports errors as a type'],
    ['manager/queue', "import { join } from 'node:path';", 'manager/queue (pure) imports node:path'],
    ['manager/queue', 'const at = Date.now();', 'manager/queue (pure) uses Date'],
    ['manager/queue', 'const at = new Date();', 'manager/queue (pure) uses Date'],
    ['manager/queue', 'setTimeout(() => {}, 1);', 'manager/queue (pure) uses setTimeout'],
    ['manager/queue', 'const now = globalThis[word];', 'manager/queue (pure) uses globalThis'],
    ['manager/queue', 'const { pid } = process;', 'manager/queue (pure) uses process'],
    ['manager/queue', 'const o = { performance };', 'manager/queue (pure) uses performance'],
    ['manager/queue', 'const { env } = globalThis;', 'manager/queue (pure) uses globalThis'],
    ['manager/queue', 'if (a) { const process = 1; } process.exit();', 'manager/queue (pure) uses process'],
    ['child/runner', 'process.exit(1);', 'child/runner (runner) uses process'],
    ['errors', "import { resolveOptions } from './options.js';", 'errors (values) imports options'],
    ['factory', "import { cli } from './cli.js';", 'factory (composition) imports cli'],
    ['index', "export { Pool } from './manager/pool.js';", 'index (names) imports manager/pool'],
    ['attic', 'export {};', 'attic belongs to no room'],
  ])('find a breach in %s: %s', (path, text, breach) => {
    expect(judge(path, text)).toEqual([breach]);
  });

  it('reserve forking, events and threads to the files that are there for them', () => {
    expect(judge('manager/pool', "import { fork } from 'node:child_process';")).toEqual([
      'manager/pool imports node:child_process, which is reserved to child/subprocesses, manager/fork, manager/group-guard, manager/pdeathsig',
    ]);
    expect(judge('manager/pool', "import { EventEmitter } from 'node:events';")).toHaveLength(1);
    expect(judge('manager/fork', "import { Worker } from 'node:worker_threads';")).toHaveLength(1);
  });

  it('find a circle of imports, but not of types', () => {
    const two = (how: string) =>
      new Map([
        ['manager/pool', "import { Worker } from './worker.js';"],
        ['manager/worker', `${how} { Pool } from './pool.js';`],
      ]);
    expect(breaches(two('import'), ROOMS, RESERVED)).toEqual([
      'imports go in a circle: manager/pool → manager/worker → manager/pool',
    ]);
    expect(breaches(two('import type'), ROOMS, RESERVED)).toEqual([]);
  });

  it('let a name pass that is no global', () => {
    const text = [
      "import { sliceParcel } from './batch.js';",
      'interface Timed { process: number; Date?: string }',
      'const timed = { process: 1, ...worker.process, Date: worker.Date };',
      'function take(performance: number) { return performance; }',
      'const at = (): typeof Date | undefined => undefined;',
      'for (const process of []) process();',
    ].join('\n');
    expect(judge('manager/queue', text)).toEqual([]);
  });
});
