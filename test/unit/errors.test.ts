import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import {
  asError,
  EngineError,
  isErrorLike,
  JobTimeoutError,
  JournalError,
  OptionError,
  SerializationError,
  SpecError,
  ThreadFactoryError,
  WorkerCrashError,
  WorkerStartError,
} from '../../src/errors.js';

const crash = { pid: 7, exitCode: null, signal: 'SIGKILL', stderr: 'last words' };

const cases: [error: ThreadFactoryError, name: string, code: string][] = [
  [new ThreadFactoryError('m', { code: 'ERR_THROWN' }), 'ThreadFactoryError', 'ERR_THROWN'],
  [new SpecError('m'), 'SpecError', 'ERR_SPEC'],
  [new OptionError('m'), 'OptionError', 'ERR_OPTION'],
  [new WorkerStartError('m'), 'WorkerStartError', 'ERR_WORKER_START'],
  [new WorkerCrashError('m', crash), 'WorkerCrashError', 'ERR_WORKER_CRASH'],
  [new JobTimeoutError('m', { timeout: 50 }), 'JobTimeoutError', 'ERR_JOB_TIMEOUT'],
  [new SerializationError('m'), 'SerializationError', 'ERR_SERIALIZATION'],
  [new JournalError('m'), 'JournalError', 'ERR_JOURNAL'],
  [new EngineError('m', { code: 'ERR_ENGINE_LOST' }), 'EngineError', 'ERR_ENGINE_LOST'],
];

describe('the error classes', () => {
  test.each(cases)('%s has its name and its code', (error, name, code) => {
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(ThreadFactoryError);
    expect(error.name).toBe(name);
    expect(error.code).toBe(code);
    expect(error.message).toBe('m');
    expect(error.stack).toMatch(new RegExp(`^${name}: m\n`));
  });

  test('the name is no field of its own and does not come from the class, which a minifier may rename', () => {
    class Q extends SpecError {}
    expect(Object.keys(new SpecError('m'))).toEqual(['code']);
    expect(new Q('m').name).toBe('SpecError');
  });

  test('there is a cause only where one was given, and undefined is one', () => {
    expect('cause' in new SpecError('m')).toBe(false);
    expect('cause' in new SpecError('m', { cause: undefined })).toBe(true);
    const cause = new Error('why');
    const withCause = [
      new ThreadFactoryError('m', { code: 'ERR_X', cause }),
      new WorkerStartError('m', { cause }),
      new WorkerCrashError('m', { ...crash, cause }),
      new SerializationError('m', { cause }),
      new JournalError('m', { cause }),
      new EngineError('m', { code: 'ERR_ENGINE_LOST', cause }),
    ];
    for (const error of withCause) expect(error.cause).toBe(cause);
  });

  test('each has the facts of its case as fields', () => {
    expect(new WorkerCrashError('m', crash)).toMatchObject(crash);
    expect(new JobTimeoutError('m', { timeout: 50 }).timeout).toBe(50);
    expect(new SerializationError('m', { path: 'a.b' }).path).toBe('a.b');
    expect(new JournalError('m', { line: 3 }).line).toBe(3);
  });
});

describe('asError', () => {
  test.each([
    ['an Error', new TypeError('x')],
    ['an Error of another realm', runInNewContext('new RangeError("x")')],
    ['a DOMException', new DOMException('x', 'AbortError')],
    ['an object with a message and a stack', { message: 'x', stack: 'at y' }],
    ['an Error without a prototype', Object.setPrototypeOf(new Error('x'), null)],
  ])('%s is returned as it is', (_what, value) => {
    expect(asError(value)).toBe(value);
  });

  test.each([
    [null, '`null`'],
    [undefined, '`undefined`'],
    ['no', "`'no'` (string)"],
    ['y'.repeat(300), `\`'${'y'.repeat(100)}…'\` (string)`],
    [42, '`42` (number)'],
    [7n, '`7n` (bigint)'],
    [Symbol('s'), 'a symbol'],
    [() => 1, 'a function'],
    [Promise.resolve(1), 'a Promise'],
    [{ message: 'only' }, 'an object'],
    [Object.create(null), 'an object'],
  ])('%s becomes the cause of an ERR_THROWN', (value, words) => {
    const error = asError(value);
    expect(error).toBeInstanceOf(ThreadFactoryError);
    expect(error).toMatchObject({ name: 'ThreadFactoryError', code: 'ERR_THROWN', cause: value });
    expect(error.message).toBe(`A value that is not an Error was thrown: ${words}`);
  });

  test('an object that throws when it is looked at is no error', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const trap = {
      message: 'x',
      get stack() {
        throw new Error('trap');
      },
    };
    expect(isErrorLike(proxy)).toBe(false);
    expect(isErrorLike(trap)).toBe(false);
    expect(asError(proxy)).toMatchObject({ code: 'ERR_THROWN' });
  });
});
