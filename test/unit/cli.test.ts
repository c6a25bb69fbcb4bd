import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import {
  bytes,
  duration,
  FLAGS,
  FLAGS_BY_NAME,
  keyOf,
  namesAsFlags,
  optionsOf,
} from '../../src/cli/flags.js';
import { printableJson } from '../../src/cli/json.js';
import { JsonLines } from '../../src/cli/json-lines.js';
import type { Given } from '../../src/cli/parse.js';
import { parse, UsageError } from '../../src/cli/parse.js';
import { run } from '../../src/cli/run.js';
import { jobsOf } from '../../src/cli/stdin.js';
import { errorText, say } from '../../src/cli/streams.js';
import { work } from '../../src/cli/work.js';
import { OPTION_NAMES, resolveOptions } from '../../src/options.js';

const given = (...args: string[]): Given => parse(args, run.flags);
const options = (...args: string[]): Record<string, unknown> => optionsOf(given(...args).flags);

describe('flags', () => {
  /** One that the option takes, for each flag that takes a value. */
  const VALUES: Readonly<Record<string, readonly [text: string, value: unknown]>> = {
    workers: ['3', 3],
    concurrency: ['2', 2],
    batchSize: ['auto', 'auto'],
    retries: ['2', 2],
    crashRetries: ['0', 0],
    timeout: ['1.5s', 1500],
    bail: ['3%', '3%'],
    maxJobsPerWorker: ['100', 100],
    maxMemoryPerWorker: ['512M', 512 * 1024 * 1024],
    startupTimeout: ['1m', 60_000],
    shutdownTimeout: ['200', 200],
    journal: ['a.jsonl', 'a.jsonl'],
    key: ['id', expect.any(Function)],
    fsync: ['false', false],
    output: ['prefix', 'prefix'],
    env: ['A=1', ['A=1']],
    execArgv: ['--max-old-space-size=100', ['--max-old-space-size=100']],
    execPath: ['/usr/bin/node', '/usr/bin/node'],
    cwd: ['/tmp', '/tmp'],
  };

  it('there is one for every option, or a reason why not', () => {
    expect(Object.keys(FLAGS).sort()).toEqual([...OPTION_NAMES].sort());
    const none = Object.entries(FLAGS).filter(([, flag]) => 'none' in flag);
    expect(none.map(([name]) => name)).toEqual(['signal', 'module', 'engine']);
  });

  it('all are in the help, in kebab-case', () => {
    const help = run.help();
    for (const name of run.flags.keys()) {
      expect(
        help.includes(`--${name} `) || help.includes(`--[no-]${name} `) || help.includes(`--${name}\n`),
      ).toBe(true);
    }
    expect(help).toContain('--max-jobs-per-worker N');
    for (const line of help.split('\n')) expect(line.length).toBeLessThanOrEqual(105);
  });

  it.each([...FLAGS_BY_NAME])('--%s sets its option to what that takes', (name, { option, value }) => {
    if (value === undefined) {
      expect(options(`--${name}`)).toEqual({ [option]: true });
      expect(options(`--no-${name}`)).toEqual({ [option]: false });
      return;
    }
    const [text, wanted] = VALUES[option] ?? ['', undefined];
    expect(options(`--${name}=${text}`)).toEqual({ [option]: wanted });
    if (option !== 'env') expect(() => resolveOptions(options(`--${name}=${text}`))).not.toThrow();
  });

  it('that may be given several times give a list', () => {
    expect(options('--env', 'A=1', '--env', 'B=2')).toEqual({ env: ['A=1', 'B=2'] });
  });

  it.each([
    ['500', 500],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['soon', 'soon'],
  ])('a time of %s is %s', (text, ms) => {
    expect(duration(text)).toBe(ms);
  });

  it.each([
    ['1000', 1000],
    ['2K', 2048],
    ['1.5GB', 1.5 * 1024 ** 3],
    ['much', 'much'],
  ])('a size of %s is %s', (text, size) => {
    expect(bytes(text)).toBe(size);
  });

  it('--key names a job by a property at a path, or by itself', () => {
    expect(keyOf('file.id')({ file: { id: 7 } })).toBe('7');
    expect(keyOf('.')('line')).toBe('line');
    expect(keyOf('a.b')({})).toBeUndefined();
  });

  it('take the option’s place in its messages', () => {
    expect(namesAsFlags('Expected `maxJobsPerWorker` to be 1, got `x`')).toBe(
      'Expected --max-jobs-per-worker to be 1, got `x`',
    );
    expect(namesAsFlags('Expected `retries.delay` to be')).toBe('Expected --retries to be');
  });
});

describe('the command line', () => {
  it('is flags and SPEC in any order, and what is behind -- is the script’s', () => {
    expect(given('--workers', '2', 'a.js', '--json', '--', '--workers', 'b.js')).toEqual({
      flags: new Map<string, unknown>([
        ['workers', ['2']],
        ['json', true],
      ]),
      positionals: ['a.js'],
      rest: ['--workers', 'b.js'],
    });
    expect(given('a.js').rest).toBeUndefined();
  });

  it.each([
    [['--workes', '3'], 'Unknown flag --workes; did you mean --workers?'],
    [['--max-memory=3'], 'Unknown flag --max-memory; did you mean --max-memory-per-worker?'],
    [['--no-progres'], 'Unknown flag --no-progres; did you mean --no-progress?'],
    [['--no-workers'], 'Unknown flag --no-workers: --workers takes a value, and has no --no- form.'],
    [['-x'], 'Unknown flag -x.'],
    [['--workers'], '--workers needs a value: --workers N.'],
    [
      ['--timeout', '--json'],
      '--timeout needs a value: --timeout TIME. If `--json` is meant: --timeout=--json',
    ],
    [['--json=yes'], '--json takes no value, got `yes`.'],
    [['--no-json=yes'], '--no-json takes no value, got `yes`.'],
    [['--workers=1', '--workers=2'], '--workers was given twice.'],
  ])('says what is wrong with %j', (args, message) => {
    expect(() => given(...args)).toThrow(message);
  });

  it.each([
    [['a.js', 'b.js'], 'Expected one SPEC, got `b.js` besides. What is for the script goes behind `--`.'],
    [[], 'Which SPEC? Give the path of a file: threadfactory run worker.js'],
    [['no/such/file.js'], /^There is no file .*no\/such\/file\.js\.$/],
    [[''], 'Which SPEC? Expected the path of a file, got an empty text.'],
    [['src'], /^\/.*\/src is a folder: name the file in it\.$/],
    [['/dev/null'], '/dev/null is no regular file.'],
    [['package.json', '--stdin', 'csv'], 'Expected --stdin to be `lines` or `jsonl`, got `csv`.'],
    [
      ['package.json', '--workers=x'],
      "Expected --workers to be a whole number, 0 or greater, got `'x'` (string).",
    ],
    [
      ['package.json', '--timeout=1d'],
      "Expected --timeout to be a positive number of milliseconds, got `'1d'` (string). A time may have a unit: 500ms, 30s, 5m, 1h.",
    ],
    [['package.json', '--env=A'], 'Expected --env NAME=VALUE, got `A`.'],
    [['package.json', '--retry-delay=1s'], '--retry-delay needs --retries beside it.'],
  ])('refuses to run %j', async (args, message) => {
    await expect(run.run(args)).rejects.toThrow(message);
  });
});

it('`work` refuses what is behind --', async () => {
  await expect(work.run(['spec.js', '--name', 'november', '--', 'more'])).rejects.toThrow(
    'One SPEC is enough, got `more` too.',
  );
});

it('`work` asks for a name', async () => {
  const refused = work.run(['spec.js']);
  await expect(refused).rejects.toBeInstanceOf(UsageError);
  await expect(refused).rejects.toThrow('Under which name?');
});

it('TypeScript that this Node can not load is told with what to do', () => {
  const code = 'ERR_UNKNOWN_FILE_EXTENSION';
  const text = (extension: string): string =>
    errorText(Object.assign(new TypeError(`Unknown file extension "${extension}" for /job`), { code }));
  expect(text('.ts')).toMatch(/^Unknown file extension "\.ts" for \/job: .*NODE_OPTIONS='--import tsx'/);
  expect(text('.mts')).toContain('--import tsx');
  expect(text('.css')).not.toContain('tsx');
});

describe('jobs from standard input', () => {
  const read = async (
    chunks: readonly (string | Buffer)[],
    format: 'lines' | 'jsonl',
  ): Promise<unknown[]> => {
    const jobs: unknown[] = [];
    async function* input() {
      yield* chunks;
    }
    for await (const job of jobsOf(input(), format)) jobs.push(job);
    return jobs;
  };

  it('are lines, however they are cut into chunks', async () => {
    const text = Buffer.from('\ufeffone\r\ntwö\n\n  \nthree words\nlast');
    const wanted = ['one', 'twö', 'three words', 'last'];
    for (const size of [1, 2, 3, 7, 100]) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
        text.subarray(at * size, (at + 1) * size),
      );
      expect(await read(chunks, 'lines')).toEqual(wanted);
    }
  });

  it('are values of JSON, one a line', async () => {
    expect(await read(['{"a":1}\n\n[1]\r\n', '"x"\nnull\n'], 'jsonl')).toEqual([{ a: 1 }, [1], 'x', null]);
  });

  it('that are not JSON are told with the number of their line', async () => {
    await expect(read(['1\n\n2\n{oops}\n3\n'], 'jsonl')).rejects.toThrow(
      /^Line 4 of standard input is not JSON: \{oops\}\n.*--stdin lines\.$/,
    );
  });

  it('that no string can hold are told of before all of them is read', async () => {
    const chunk = Buffer.alloc(2 ** 20, 'x');
    let megabytes = 0;
    async function* input() {
      yield 'one\n';
      for (; megabytes < 600; megabytes += 1) yield chunk;
    }
    const jobs = jobsOf(input(), 'lines');
    await jobs.next();
    await expect(jobs.next()).rejects.toThrow(/^Line 2 of standard input has more than \d+ bytes.*file/);
    expect(megabytes).toBe(511);
  });

  it('are read only as they are wanted', async () => {
    let reads = 0;
    async function* input() {
      for (;;) {
        reads += 1;
        yield `${reads}\n`;
      }
    }
    const jobs = jobsOf(input(), 'lines');
    await jobs.next();
    await jobs.next();
    expect(reads).toBe(2);
    await jobs.return(undefined);
  });
});

describe('a value as JSON', () => {
  const circle: { name: string; self?: unknown; twice?: unknown } = { name: 'a' };
  circle.self = circle;
  const shared = { b: 1 };
  circle.twice = [shared, shared];

  it.each([
    [{ a: [1, 'b', null, true] }, '{"a":[1,"b",null,true]}'],
    [undefined, 'null'],
    [{ a: undefined }, '{}'],
    [Number.NaN, 'null'],
    [12n, '"12"'],
    [new Map<unknown, unknown>([[{ k: 1 }, 2n]]), '[[{"k":1},"2"]]'],
    [new Set([1, 'x']), '[1,"x"]'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    [new Date(Number.NaN), 'null'],
    [Buffer.from('hi'), '"aGk="'],
    [new Uint16Array([1, 2]), '"AQACAA=="'],
    [new Uint8Array([104, 105]).buffer, '"aGk="'],
    [new URL('file:///a'), '"file:///a"'],
    [circle, '{"name":"a","self":"[Circular]","twice":[{"b":1},{"b":1}]}'],
    [() => 1, 'null'],
  ])('of %o is %s', (value, text) => {
    expect(printableJson(value)).toBe(text);
  });

  it('of an error has name, message, own fields, cause and stack', () => {
    const error = Object.assign(new TypeError('no', { cause: new Error('deep') }), { code: 'E_NO' });
    expect(JSON.parse(printableJson(error))).toEqual({
      name: 'TypeError',
      message: 'no',
      code: 'E_NO',
      cause: { name: 'Error', message: 'deep', stack: expect.stringContaining('deep') },
      stack: expect.stringContaining('TypeError: no'),
    });
  });

  it('of an AggregateError has the errors in it', () => {
    const error = new AggregateError([new RangeError('first'), 'second'], 'both');
    expect(JSON.parse(printableJson(error))).toMatchObject({
      name: 'AggregateError',
      message: 'both',
      errors: [{ name: 'RangeError', message: 'first' }, 'second'],
    });
  });

  it('is one line, whatever it is of', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    expect(printableJson(deep)).toMatch(/^"\[Not printable: .*\]"$/);
    const throws = {
      get a() {
        throw new Error('mine');
      },
    };
    expect(printableJson(throws)).toBe('"[Not printable: mine]"');
    expect(printableJson({ a: 'b\nc\u2028d' })).not.toContain('\n');
  });
});

it('a value whose JSON no string can hold says what to do', () => {
  expect(printableJson({ toJSON: () => 'x'.repeat(2 ** 30) })).toBe(
    '"[Not printable: longer than a string can be. Write it to a file in the job, and return the path]"',
  );
});

it.each([
  ['what \u001b[31mred\u001b[0m\u001b]0;title\u0007 says', 'what red says'],
  ['over\rwritten\u0008\u009b2J\u0000', 'over written  '],
  ['lines\r\n\tof a stack', 'lines \n\tof a stack'],
  ['x'.repeat(1e6), `${'x'.repeat(16_384)}…`],
])('what is said steers no terminal and has an end: %j', (text, plain) => {
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    say(text);
    expect(write.mock.calls).toEqual([[`threadfactory: ${plain}\n`]]);
  } finally {
    write.mockRestore();
  }
});

describe('JSON lines', () => {
  const printer = (ordered: boolean) => {
    const printed: string[] = [];
    const drains: (() => void)[] = [];
    const calls: string[] = [];
    let room = true;
    const listeners = new Map<string, (...args: unknown[]) => void>();
    const lines = new JsonLines({
      write(text, written) {
        printed.push(text);
        written?.();
        return room;
      },
      once: (_, listener) => drains.push(listener),
    });
    const factory = {
      on: (name: string, listener: (...args: unknown[]) => void) => listeners.set(name, listener),
      pause: () => calls.push('pause'),
      unpause: () => calls.push('unpause'),
    };
    lines.watch(factory as unknown as Parameters<JsonLines['watch']>[0], ordered);
    return {
      lines,
      printed,
      calls,
      drain: () => drains.splice(0).forEach((listener) => void listener()),
      full: (is: boolean) => (room = !is),
      complete: (index: number) => listeners.get('completed')?.({ index, job: `j${index}`, result: index }),
      fail: (index: number) =>
        lines.failed(factory as never, new Error('no'), { index, job: `j${index}`, id: 1, attempts: 1 }),
      recall: (index: number) => lines.completed(factory as never, index, `j${index}`, index),
    };
  };

  it('are one a settled job, as they settle', () => {
    const { printed, complete, fail } = printer(false);
    complete(3);
    fail(1);
    expect(printed[0]).toBe('{"index":3,"job":"j3","result":3}\n');
    expect(printed[1]).toMatch(/^\{"index":1,"job":"j1","error":\{"name":"Error","message":"no",.*\}\}\n$/);
  });

  it('come in the order of the list if so wanted, with jobs that an earlier run recorded', async () => {
    const { lines, printed, complete, fail, recall } = printer(true);
    complete(2);
    fail(1);
    expect(printed).toEqual([]);
    recall(0);
    complete(5);
    await lines.end();
    const order = [...printed.join('').matchAll(/"index":(\d)/g)].map(([, index]) => index);
    expect(order).toEqual(['0', '1', '2', '5']);
  });

  it('may be longer than a string', async () => {
    const { lines, printed, complete } = printer(true);
    const half = 'x'.repeat(2 ** 28);
    lines.completed({} as never, 0, half, half);
    complete(1);
    await lines.end();
    expect(printed.map((piece) => piece.slice(0, 30))).toEqual([
      '{"index":0,"job":',
      `"${'x'.repeat(29)}`,
      ',"result":',
      `"${'x'.repeat(29)}`,
      '}\n',
      '{"index":1,"job":"j1","result"',
      '',
    ]);
  });

  it('hold the hand-out while the reader is slow', () => {
    const { calls, complete, drain, full } = printer(false);
    full(true);
    complete(0);
    complete(1);
    expect(calls).toEqual(['pause']);
    full(false);
    drain();
    complete(2);
    expect(calls).toEqual(['pause', 'unpause']);
  });
});

it('the README shows the flags that there are', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const commands = [...readme.matchAll(/threadfactory run (.*)/g)].map(([, command = '']) => command);
  expect(commands.length).toBeGreaterThan(2);
  const flags = commands.flatMap((line) => [...line.matchAll(/--([a-z-]+)/g)].map(([, name = '']) => name));
  for (const name of flags) expect(run.flags.has(name.replace(/^no-/, ''))).toBe(true);
});
