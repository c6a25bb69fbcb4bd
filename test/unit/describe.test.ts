import { runInNewContext } from 'node:vm';
import { expect, describe as group, test } from 'vitest';
import { describe, describeSecret } from '../../src/describe.js';

const forbidden = () => {
  throw new Error('Code of the value was run');
};

class Job {
  secret = 'hunter2';
}

group('a value in words', () => {
  test.each([
    [undefined, '`undefined`'],
    [null, '`null`'],
    [true, '`true` (boolean)'],
    [-0, '`-0` (number)'],
    [7n, '`7n` (bigint)'],
    ['a.txt', "`'a.txt'` (string)"],
    ['y'.repeat(300), `\`'${'y'.repeat(100)}…'\` (string)`],
    [Symbol('secret'), 'a symbol'],
    [() => 'secret', 'a function'],
    [Job, 'a function'],
    [['secret'], 'an array'],
    [{ token: 'secret' }, 'an object'],
    [Object.create(null), 'an object'],
    [runInNewContext('({})'), 'an object'],
    [Promise.resolve('secret'), 'a Promise'],
    [new Job(), 'an instance of Job'],
    [new Date(), 'an instance of Date'],
    [new (class {})(), 'an object'],
  ])('%s', (value, words) => {
    expect(describe(value)).toBe(words);
  });

  test.each([
    ['a Proxy', new Proxy({}, { get: forbidden, getPrototypeOf: forbidden }), 'a Proxy'],
    [
      'an object under a Proxy',
      Object.create(new Proxy({}, { get: forbidden, getOwnPropertyDescriptor: forbidden })),
      'an object',
    ],
    [
      'an object whose constructor is a getter',
      Object.create({
        get constructor() {
          return forbidden();
        },
      }),
      'an object',
    ],
    [
      'an object whose constructor is a Proxy',
      Object.create({ constructor: new Proxy(class {}, { getOwnPropertyDescriptor: forbidden }) }),
      'an object',
    ],
    [
      'an instance of a class whose name is a getter',
      Object.create({ constructor: Object.defineProperty(() => {}, 'name', { get: forbidden }) }),
      'an object',
    ],
    [
      'an object with a tag and a text of its own',
      {
        get [Symbol.toStringTag]() {
          return forbidden();
        },
        toString: forbidden,
      },
      'an object',
    ],
  ])('%s is described without a look at it', (_, value, words) => {
    expect(describe(value)).toBe(words);
  });
});

test.each([
  ['hunter2', 'a string'],
  [1234, 'a number'],
  [1234n, 'a bigint'],
  [null, '`null`'],
  [true, '`true` (boolean)'],
  [{ token: 'hunter2' }, 'an object'],
  [['hunter2'], 'an array'],
])('a secret is named without its text: %#', (value, words) => {
  expect(describeSecret(value)).toBe(words);
});
