import { describe, expect, test } from 'vitest';
import { anchored, childEnvironment, childFlags } from '../../src/flags.js';

describe("Node's flags for children", () => {
  test.each([
    ['code on the command line', ['-e', 'start()'], []],
    ['code on the command line, in one word', ['--eval=start()'], []],
    ['code that is printed', ['-p', '1 + 1', '--no-warnings'], ['--no-warnings']],
    ['interactive and check', ['-i', '-c', '--interactive', '--check'], []],
    ['the type of input', ['--input-type', 'module'], []],
    ['the type of input, in one word', ['--input-type=module'], []],
    ['the test runner', ['--test', '--test-reporter', 'spec', '--test-name-pattern=x', '--test-only'], []],
    ['watching', ['--watch', '--watch-path', 'src', '--watch-preserve-output'], []],
    ['a script of package.json', ['--run', 'build'], []],
    ['a debugger', ['--inspect', '--inspect=9229', '--inspect-brk=127.0.0.1:9229'], []],
    ['a port for a debugger', ['--inspect-port', '9230', '--inspect-port=9230'], []],
  ])('leave out %s', (_, flags, kept) => {
    expect(childFlags(flags)).toEqual(kept);
  });

  test('keep all others, with their values', () => {
    const flags = [
      '--import',
      'tsx',
      '--require=./hook.cjs',
      '--max-old-space-size=512',
      '--conditions',
      'development',
      '--enable-source-maps',
      '--testing-unknown',
    ];
    expect(childFlags(flags)).toEqual(flags);
  });

  test('keep a debugger that chooses its own port', () => {
    expect(childFlags(['--inspect=0', '--inspect-brk=127.0.0.1:0'])).toEqual([
      '--inspect=0',
      '--inspect-brk=127.0.0.1:0',
    ]);
  });

  test('take no flag for the value of the one before', () => {
    expect(childFlags(['--eval', '--no-warnings'])).toEqual(['--no-warnings']);
    expect(childFlags(['--eval'])).toEqual([]);
  });
});

describe('the environment of children', () => {
  test("is the manager's, without the test runner's context", () => {
    const env = { PATH: '/bin', NODE_TEST_CONTEXT: 'child-v8' };
    expect(childEnvironment(env)).toEqual({ PATH: '/bin' });
    expect(env).toEqual({ PATH: '/bin', NODE_TEST_CONTEXT: 'child-v8' });
  });

  test.each([
    ['--max-old-space-size=512  --inspect=9229', '--max-old-space-size=512'],
    ['--import "./my hooks/a.mjs" --test', '--import "./my hooks/a.mjs"'],
    ['--require "./with \\"quotes\\".cjs"', '--require "./with \\"quotes\\".cjs"'],
    ['--inspect', undefined],
    ['  ', undefined],
  ])('has NODE_OPTIONS %j as %j', (options, kept) => {
    expect(childEnvironment({ NODE_OPTIONS: options })).toEqual(
      kept === undefined ? {} : { NODE_OPTIONS: kept },
    );
  });
});

const at = (flags: readonly string[]) => anchored(flags, '/elsewhere', '/home/x y');

describe('flags for a child in another folder', () => {
  test('keep what they are relative to', () => {
    expect(
      at([
        '--require',
        './hook.js',
        '-r',
        '../up.cjs',
        '--import=./hook.mjs',
        '--env-file=.env',
        '--no-warnings',
      ]),
    ).toEqual([
      '--require',
      '/home/x y/hook.js',
      '-r',
      '/home/up.cjs',
      '--import=file:///home/x%20y/hook.mjs',
      '--env-file=/home/x y/.env',
      '--no-warnings',
    ]);
  });

  test('leave packages, absolute paths, URLs and the flags of a child in the same folder alone', () => {
    const flags = ['-r', 'dotenv/config', '--import', 'tsx', '--require=/a/b.js', '--import=file:///a.mjs'];
    expect(at(flags)).toEqual(flags);
    expect(anchored(['-r', './hook.js'], '/same', '/same')).toEqual(['-r', './hook.js']);
  });

  test('are quoted in NODE_OPTIONS where a folder has a blank in its name', () => {
    const { NODE_OPTIONS } = childEnvironment(
      { NODE_OPTIONS: '--require=./hook.js --no-warnings' },
      '/elsewhere',
    );
    const path = `${process.cwd()}/hook.js`;
    expect(NODE_OPTIONS).toBe(
      `${/\s/.test(path) ? `"--require=${path}"` : `--require=${path}`} --no-warnings`,
    );
  });

  test.each([
    '--require "./my file.cjs"',
    '--require="./my file.cjs"',
    '"--require=./my file.cjs"',
    '--require ./my" "file.cjs',
  ])('are read from NODE_OPTIONS as Node does, which drops the quotes: %s', (options) => {
    const { NODE_OPTIONS } = childEnvironment({ NODE_OPTIONS: options }, '/elsewhere');
    expect(NODE_OPTIONS?.replaceAll('"', '').replace('=', ' ')).toBe(
      `--require ${process.cwd()}/my file.cjs`,
    );
  });
});
