import { PassThrough } from 'node:stream';
import { describe, expect, test, vi } from 'vitest';
import { OptionError } from '../../src/errors.js';
import type { ThreadFactoryOptions } from '../../src/options.js';
import { OPTION_NAMES, resolveOptions } from '../../src/options.js';

/** The message of the OptionError that these options are met with. */
function refusal(options: unknown): string {
  try {
    resolveOptions(options);
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    expect(error).toMatchObject({ code: 'ERR_OPTION' });
    return (error as Error).message;
  }
  throw new Error('The options were accepted');
}

describe('resolveOptions', () => {
  test.each([undefined, {}, Object.create(null)])('%o gives the defaults', (options) => {
    const { workers, retries, ...rest } = resolveOptions(options);
    expect(workers).toBeGreaterThanOrEqual(1);
    expect(retries.limit).toBe(0);
    expect(retries.delay(1, new Error('x'))).toBe(0);
    expect(retries.when(new Error('x'))).toBe(true);
    expect(rest).toEqual({
      concurrency: 1,
      batchSize: 'auto',
      crashRetries: 2,
      timeout: undefined,
      bail: undefined,
      maxJobsPerWorker: undefined,
      maxMemoryPerWorker: undefined,
      startupTimeout: 30_000,
      shutdownTimeout: 5_000,
      ordered: false,
      keepResults: undefined,
      journal: undefined,
      key: undefined,
      fsync: 1_000,
      signal: undefined,
      handleSignals: false,
      progress: undefined,
      output: 'inherit',
      env: undefined,
      execArgv: undefined,
      execPath: undefined,
      cwd: undefined,
      module: undefined,
      engine: undefined,
    });
  });

  test('an option that is undefined counts as left out', () => {
    const options = Object.fromEntries(OPTION_NAMES.map((name) => [name, undefined]));
    expect(Object.keys(resolveOptions(options)).sort()).toEqual([...OPTION_NAMES].sort());
    expect(resolveOptions(options)).toMatchObject({ startupTimeout: 30_000, batchSize: 'auto' });
  });

  test('what is given is taken', () => {
    const { signal } = new AbortController();
    const progress = new PassThrough();
    const engine = { name: 'mine', open: () => {} };
    const key = (job: number) => `job-${job}`;
    const given: ThreadFactoryOptions<number> = {
      workers: 0,
      concurrency: 8,
      batchSize: 16,
      crashRetries: 0,
      timeout: 0.5,
      maxJobsPerWorker: 100,
      maxMemoryPerWorker: 2 ** 30,
      startupTimeout: 2 ** 31 - 1,
      shutdownTimeout: 1,
      ordered: true,
      keepResults: false,
      journal: 'run.jsonl',
      key,
      fsync: true,
      signal,
      handleSignals: true,
      progress,
      output: 'prefix',
      execPath: '/usr/bin/node',
      module: './spec.js',
      engine,
    };
    expect(resolveOptions(given)).toMatchObject(given);
  });

  test('`key` and `fsync` may stay where there is no journal', () => {
    const key = String;
    expect(resolveOptions({ key, fsync: false })).toMatchObject({ key, fsync: false, journal: undefined });
  });

  test('every option is read once, getters of a class too, and nothing is changed', () => {
    const read = vi.fn(() => 50);
    class Config {
      get timeout() {
        return read();
      }
    }
    const options = Object.freeze(new Config());
    expect(resolveOptions(options).timeout).toBe(50);
    expect(read).toHaveBeenCalledTimes(1);
  });

  test.each([null, 5, 'x', [], () => 1])('options that are %o are refused', (options) => {
    expect(refusal(options)).toMatch(/^Expected `options` to be an object, got /);
  });
});

describe('unknown names', () => {
  test.each([
    ['worker', 'workers'],
    ['Workers', 'workers'],
    ['retry', 'retries'],
    ['timeOut', 'timeout'],
    ['batch', 'batchSize'],
    ['maxJobPerWorkers', 'maxJobsPerWorker'],
    ['execargv', 'execArgv'],
  ])('%s is met with %s', (name, meant) => {
    expect(refusal({ [name]: 1 })).toBe(`Unknown option \`${name}\`; did you mean \`${meant}\`?`);
  });

  test('one that looks like none is met with all there are', () => {
    expect(refusal({ timeout: 5, xylophone: 1 })).toMatch(
      /^Unknown option `xylophone`; there are `workers`, (`\w+`, )+`\w+`$/,
    );
    expect(refusal({ retries: { xylophone: 1 } })).toBe(
      'Unknown option `retries.xylophone`; there are `retries.limit`, `retries.delay`, `retries.when`',
    );
  });

  test('an unknown name inside `retries` is refused as well', () => {
    expect(refusal({ retries: { limit: 1, delai: 5 } })).toBe(
      'Unknown option `retries.delai`; did you mean `retries.delay`?',
    );
  });

  test('a function of the spec is sent back to the first argument', () => {
    expect(refusal({ workerFinish() {} })).toBe(
      'Unknown option `workerFinish`: it belongs in the spec, the first argument',
    );
  });
});

describe('values an option can not have', () => {
  test('the message says what was expected and what was given', () => {
    expect(refusal({ timeout: -1 })).toBe(
      'Expected `timeout` to be a positive number of milliseconds, got `-1` (number)',
    );
    expect(refusal({ workers: '4' })).toBe(
      "Expected `workers` to be a whole number, 0 or greater, got `'4'` (string)",
    );
    expect(refusal({ ordered: null })).toBe('Expected `ordered` to be `true` or `false`, got `null`');
    expect(refusal({ output: 'pipe' })).toBe(
      "Expected `output` to be `'inherit'` or `'prefix'` or `'ignore'`, got `'pipe'` (string)",
    );
    expect(refusal({ key: Promise.resolve() })).toMatch(/, got a Promise$/);
    expect(refusal({ key: Symbol('x') })).toMatch(/, got a symbol$/);
    expect(refusal({ timeout: () => 5 })).toMatch(/, got a function$/);
    expect(refusal({ key: ['x'] })).toMatch(/, got an array$/);
    expect(refusal({ output: 'x'.repeat(500) }).length).toBeLessThan(250);
  });

  test.each<[name: keyof ThreadFactoryOptions, values: unknown[]]>([
    ['workers', [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, true, 2 ** 53]],
    ['concurrency', [0, -1, 1.5, '2']],
    ['batchSize', [0, 'all', 2.5, null]],
    ['retries', [-1, 1.5, Number.POSITIVE_INFINITY, '3', true, [], {}, { limit: '3' }]],
    [
      'retries',
      [
        { limit: 1, delay: -1 },
        { limit: 1, delay: 2 ** 31 },
        { limit: 1, delay: '1s' },
      ],
    ],
    ['retries', [{ limit: 1, when: true }]],
    ['crashRetries', [-1, 0.5, null]],
    ['timeout', [0, Number.NaN, '50', 2 ** 31, Number.POSITIVE_INFINITY]],
    ['bail', [0, -3, 1.5, true, '3', '%', '0%', '101%', '-1%', '3%%', '1e1%', '']],
    ['maxJobsPerWorker', [0, 1.5]],
    ['maxMemoryPerWorker', [0, '1GB']],
    ['startupTimeout', [0, 2 ** 31]],
    ['shutdownTimeout', [0, -5]],
    ['ordered', [0, 'yes']],
    ['keepResults', [1]],
    ['handleSignals', [['SIGINT']]],
    ['journal', ['', 'a\0b', 5, true, new URL('https://example.org/j')]],
    ['key', ['id', 5]],
    ['fsync', [0, -1, 2 ** 31, 'always']],
    ['signal', [new AbortController(), {}, 5]],
    ['progress', ['stderr', 1, {}, { write() {} }]],
    ['output', [true, 'Inherit']],
    ['env', ['A=1', null, [], 5]],
    ['execArgv', ['--inspect', [''], ['a\0'], [5], new Array(2)]],
    ['execPath', ['', 5, new URL('file:///usr/bin/node')]],
    ['cwd', ['', 5, new URL('https://example.org/')]],
    ['module', ['', 5, new URL('https://example.org/')]],
    ['engine', ['bullmq', true, 5]],
  ])('%s', (name, values) => {
    for (const value of values)
      expect(refusal({ [name]: value })).toMatch(new RegExp(`^Expected \`${name}[\\[.\`]`));
  });

  test('a timer longer than Node can hold is refused, since it would fire at once', () => {
    expect(refusal({ timeout: 2 ** 31 })).toBe(
      'Expected `timeout` to be at most 2147483647 milliseconds, got `2147483648` (number)',
    );
  });

  test('no message repeats what may be secret', () => {
    const messages = [
      refusal({ env: 'TOKEN=hunter2' }),
      refusal({ env: { TOKEN: ['hunter2'] } }),
      refusal({ env: { TOKEN: 'hunter2\0' } }),
      refusal({ engine: 'redis://:hunter2@localhost' }),
      refusal({ journal: { password: 'hunter2' } }),
    ];
    expect(messages.join('\n')).not.toContain('hunter2');
    expect([refusal({ env: null }), refusal({ engine: {} })]).toEqual([
      'Expected `env` to be an object of strings, got `null`',
      'Expected `engine` to be an engine such as `bullmq({ … })`, got an object',
    ]);
    expect(messages[1]).toBe('Expected `env.TOKEN` to be a string without NUL, got an array');
  });

  test('an option that is no option of a file is named with its URL', () => {
    const message = refusal({ cwd: new URL('file:///a%2Fb') });
    expect(message).toMatch(/^Expected `cwd` to be a path or a `file:` URL, got file:\/\/\/a%2Fb: /);
  });
});

describe('values that are turned into others', () => {
  test('`retries` as a number is a limit', () => {
    expect(resolveOptions({ retries: 3 }).retries.limit).toBe(3);
  });

  test('`retries.delay` may be a number or a function', () => {
    expect(resolveOptions({ retries: { limit: 1, delay: 250 } }).retries.delay(1, null)).toBe(250);
    const delay = (attempt: number) => attempt * 10;
    const when = (error: unknown) => error instanceof TypeError;
    const { retries } = resolveOptions({ retries: { limit: 4, delay, when } });
    expect(retries.delay(3, null)).toBe(30);
    expect(retries.when(new TypeError('x'))).toBe(true);
    expect(retries.when(new Error('x'))).toBe(false);
  });

  test.each([
    [5, { count: 5 }],
    ['3%', { share: 0.03 }],
    ['0.5 %', { share: 0.005 }],
    ['100%', { share: 1 }],
  ])('`bail: %s`', (bail, resolved) => {
    expect(resolveOptions({ bail }).bail).toEqual(resolved);
  });

  test('`progress: true` is standard error, false is none', () => {
    expect(resolveOptions({ progress: true }).progress).toBe(process.stderr);
    expect(resolveOptions({ progress: false }).progress).toBeUndefined();
  });

  test('a `file:` URL becomes a path, that of a module stays a URL', () => {
    const url = new URL('file:///srv/a%20b/run.js');
    const { journal, cwd, module } = resolveOptions({ journal: url, cwd: url, module: url });
    expect([journal, cwd, module]).toEqual([
      '/srv/a b/run.js',
      '/srv/a b/run.js',
      'file:///srv/a%20b/run.js',
    ]);
  });

  test('`env` and `execArgv` are copied, numbers become text, undefined is left out', () => {
    const env = { A: 'x', B: 1, C: true, D: undefined };
    const execArgv = ['--enable-source-maps'];
    const resolved = resolveOptions({ env, execArgv });
    env.A = 'changed';
    execArgv.push('--changed');
    expect(resolved.env).toEqual({ A: 'x', B: '1', C: 'true' });
    expect(resolved.execArgv).toEqual(['--enable-source-maps']);
  });

  test('an AbortSignal and a URL of another realm serve as well', () => {
    const foreign = { aborted: false, addEventListener() {} };
    expect(resolveOptions({ signal: foreign }).signal).toBe(foreign);
    const url = { protocol: 'file:', href: 'file:///srv/run.js' };
    expect(resolveOptions({ module: url }).module).toBe('file:///srv/run.js');
  });
});
