import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { types } from 'node:util';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { errorFromWire, errorToWire } from '../../src/error-wire.js';
import * as errors from '../../src/errors.js';
import { deserialize, serialize } from '../../src/serializer.js';

/** To the other side, through the serialiser that every message goes through. */
function roundTrip(thrown: unknown): Error & Record<string, unknown> {
  const error = errorFromWire(deserialize(serialize(errorToWire(thrown))));
  return error as Error & Record<string, unknown>;
}

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown');
}

function chain(levels: number): Error {
  let error = new Error('level 0');
  for (let level = 1; level < levels; level++) error = new Error(`level ${level}`, { cause: error });
  return error;
}

function chainLength(error: unknown): number {
  let length = 0;
  for (let at = error; at instanceof Error; at = at.cause) length++;
  return length;
}

describe('an error on the other side', () => {
  const builtIns = [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError];

  test.each(builtIns)('%o keeps its class, name, message and stack', (BuiltIn) => {
    const error = new BuiltIn('what went wrong');
    const arrived = roundTrip(error);
    expect(Object.getPrototypeOf(arrived)).toBe(BuiltIn.prototype);
    expect(types.isNativeError(arrived)).toBe(true);
    expect(arrived.message).toBe('what went wrong');
    expect(arrived.stack).toBe(error.stack);
    expect(arrived.stack).toContain('error-wire.test');
    expect(Object.keys(arrived)).toEqual([]);
    expect(Object.hasOwn(arrived, 'cause')).toBe(false);
  });

  test.each([...builtIns.map(({ name }) => name), 'AggregateError'])(
    '%s of another realm is that of this one',
    (name) => {
      const arguments_ = name === 'AggregateError' ? '[1], "x"' : '"x"';
      const arrived = roundTrip(runInNewContext(`Object.assign(new ${name}(${arguments_}), { code: 'E' })`));
      expect(arrived).toBeInstanceOf(Reflect.get(globalThis, name) as typeof Error);
      expect(arrived).toMatchObject({ name, message: 'x', code: 'E' });
    },
  );

  test.each<[errors.ThreadFactoryError]>([
    [new errors.ThreadFactoryError('m', { code: 'ERR_JOBS_FAILED' })],
    [new errors.SpecError('m')],
    [new errors.OptionError('m')],
    [new errors.WorkerStartError('m', { cause: 'why' })],
    [new errors.WorkerCrashError('m', { pid: undefined, exitCode: 3, signal: null, stderr: 'end' })],
    [new errors.JobTimeoutError('m', { timeout: 50 })],
    [new errors.SerializationError('m', { path: 'a.b' })],
    [new errors.JournalError('m', { line: 3 })],
    [new errors.EngineError('m', { code: 'ERR_ENGINE_LOST' })],
  ])('%s is of the same class of this library', (error) => {
    const arrived = roundTrip(error);
    expect(Object.getPrototypeOf(arrived)).toBe(Object.getPrototypeOf(error));
    expect(types.isNativeError(arrived)).toBe(true);
    deepStrictEqual({ ...arrived }, { ...error });
    expect(arrived.cause).toBe(error.cause);
    expect(arrived.stack).toBe(error.stack);
  });

  test('that another copy of this library made is known by its name and code', () => {
    class JournalError extends Error {
      code = 'ERR_JOURNAL';
    }
    Object.defineProperty(JournalError.prototype, 'name', { value: 'JournalError' });
    expect(roundTrip(new JournalError('m'))).toBeInstanceOf(errors.JournalError);
    class SpecError extends Error {}
    Object.defineProperty(SpecError.prototype, 'name', { value: 'SpecError' });
    expect(roundTrip(new SpecError('m'))).not.toBeInstanceOf(errors.SpecError);
  });

  test("of a user's class keeps its name, code and fields, and the built-in class below", () => {
    class HttpError extends TypeError {
      override name = 'HttpError';
      status = 503;
      headers = new Map([['retry-after', 5n]]);
      body = Buffer.from('busy');
      retry = undefined;
      get code() {
        return 'EBUSY';
      }
    }
    const arrived = roundTrip(new HttpError('Service Unavailable'));
    expect(arrived).toBeInstanceOf(TypeError);
    expect(arrived.name).toBe('HttpError');
    deepStrictEqual(
      { ...arrived },
      {
        status: 503,
        headers: new Map([['retry-after', 5n]]),
        body: Buffer.from('busy'),
        retry: undefined,
        code: 'EBUSY',
      },
    );
  });

  test('a name that the prototype has is no property of the error', () => {
    class NamedByPrototype extends Error {}
    NamedByPrototype.prototype.name = 'NamedByPrototype';
    expect(roundTrip(new NamedByPrototype('x')).name).toBe('NamedByPrototype');
    expect(Object.hasOwn(roundTrip(new TypeError('x')), 'name')).toBe(false);
  });

  test('of the system keeps errno, code, syscall and path', () => {
    const error = thrownBy(() => readFileSync('/no/such/file')) as Error;
    const arrived = roundTrip(error);
    deepStrictEqual({ ...arrived }, { ...error });
    expect(arrived).toMatchObject({ code: 'ENOENT', syscall: 'open', path: '/no/such/file' });
  });

  test('of the DOM is a DOMException with its name, code and cause', () => {
    const timeout = new DOMException('too late', 'TimeoutError');
    const arrived = roundTrip(timeout);
    expect(arrived).toBeInstanceOf(DOMException);
    expect(arrived).toMatchObject({
      name: 'TimeoutError',
      message: 'too late',
      code: 23,
      stack: timeout.stack,
    });
    const controller = new AbortController();
    controller.abort();
    expect(roundTrip(controller.signal.reason)).toMatchObject({ name: 'AbortError', code: 20 });
    const withCause = new DOMException('x', { name: 'DataError', cause: new Error('why') } as never);
    expect(roundTrip(withCause).cause).toMatchObject({ message: 'why' });
  });

  test('with nested aggregates keeps them, values that are no errors included', () => {
    const inner = new AggregateError([new TypeError('a'), 'text', undefined], 'inner');
    const arrived = roundTrip(new AggregateError([inner, 7n], 'outer')) as unknown as AggregateError;
    expect(arrived).toBeInstanceOf(AggregateError);
    expect(Object.keys(arrived)).toEqual([]);
    const [first, second] = arrived.errors as [AggregateError, bigint];
    expect(second).toBe(7n);
    expect(first).toBeInstanceOf(AggregateError);
    expect(first.errors).toEqual([new TypeError('a'), 'text', undefined]);
    expect(first.errors[0]).toBeInstanceOf(TypeError);
  });

  test('with a list of errors of its own keeps it enumerable', () => {
    const arrived = roundTrip(
      Object.assign(new Error('many'), { errors: [Object.assign(new Error('one'), { code: 'E1' })] }),
    );
    expect(Object.keys(arrived)).toEqual(['errors']);
    expect(arrived.errors).toMatchObject([{ message: 'one', code: 'E1' }]);
  });

  test.each([['text'], [0], [null], [undefined], [7n], [false], [{ a: [1] }], [new Map([[1, 2]])]])(
    'with the cause %o keeps it',
    (cause) => {
      const arrived = roundTrip(new Error('x', { cause }));
      expect(Object.hasOwn(arrived, 'cause')).toBe(true);
      expect(Object.keys(arrived)).toEqual([]);
      expect(arrived.cause).toEqual(cause);
    },
  );

  test('with an error in a field keeps that error whole', () => {
    const original = Object.assign(new RangeError('root'), { code: 'EROOT' });
    const arrived = roundTrip(Object.assign(new Error('x'), { original }));
    expect(arrived.original).toBeInstanceOf(RangeError);
    expect(arrived.original).toMatchObject({ message: 'root', code: 'EROOT' });
  });
});

describe('what can not be sent is left out, the error never', () => {
  test('functions, symbols, promises, throwing getters and values that hold them', () => {
    const error = Object.assign(new Error('x'), {
      code: 'E',
      fn() {},
      symbol: Symbol('s'),
      promise: Promise.resolve(),
      request: { socket: { write() {} } },
      proxy: new Proxy({}, {}),
      huge: Buffer.alloc(2 ** 20 + 1),
      ok: { fine: 1 },
      [Symbol('key')]: 1,
    });
    Object.defineProperty(error, 'trap', {
      enumerable: true,
      get() {
        throw new Error('trap');
      },
    });
    expect({ ...roundTrip(error) }).toEqual({ code: 'E', ok: { fine: 1 } });
  });

  test('circles: in a field, in a chain of causes, in an aggregate', () => {
    const self = Object.assign(new Error('self'), { code: 'E' });
    Object.assign(self, { self, holder: { self } });
    const arrived = roundTrip(self);
    expect(arrived.code).toBe('E');
    expect(Object.hasOwn(arrived, 'self')).toBe(false);

    const first = new Error('first');
    first.cause = new Error('second', { cause: first });
    expect(chainLength(roundTrip(first))).toBe(2);

    const aggregate = new AggregateError([], 'all');
    aggregate.errors.push(aggregate, new Error('other'));
    expect(roundTrip(aggregate).errors).toEqual([undefined, new Error('other')]);
  });

  test('a frozen error arrives whole', () => {
    const error = Object.freeze(Object.assign(new Error('x'), { code: 'E' }));
    expect(roundTrip(error)).toMatchObject({ message: 'x', code: 'E' });
  });

  test('an error without a prototype is an Error', () => {
    const error: unknown = Object.setPrototypeOf(new Error('x'), null);
    const arrived = roundTrip(error);
    expect(arrived).toBeInstanceOf(Error);
    expect(arrived).toMatchObject({ name: 'Error', message: 'x' });
  });

  test.each<[what: string, stack: PropertyDescriptor, expected: string]>([
    ['is missing', { value: undefined }, 'TypeError: x'],
    ['is a number', { value: 5 }, 'TypeError: x'],
    [
      'throws',
      {
        get: () => {
          throw new Error('no');
        },
      },
      'TypeError: x',
    ],
    ['is text', { value: 'TypeError: x\n    at far away' }, 'TypeError: x\n    at far away'],
    [
      'is a list of call sites',
      { value: ['a.js:1:2', { toString: () => 'b.js:3:4' }] },
      'TypeError: x\n    at a.js:1:2\n    at b.js:3:4',
    ],
    ['is a list that can not be read', { value: [Object.create(null)] }, 'TypeError: x'],
  ])('a stack that %s', (_what, descriptor, expected) => {
    const error = Object.defineProperty(new TypeError('x'), 'stack', { configurable: true, ...descriptor });
    expect(roundTrip(error).stack).toBe(expected);
  });

  test("a user's Error.prepareStackTrace does no harm on either side", () => {
    const { prepareStackTrace } = Error;
    try {
      Error.prepareStackTrace = (_error, sites) => sites;
      expect(roundTrip(new Error('x')).stack).toMatch(/^Error: x\n {4}at .*error-wire\.test/);
      Error.prepareStackTrace = () => {
        throw new Error('broken');
      };
      expect(roundTrip(new RangeError('y'))).toMatchObject({ name: 'RangeError', message: 'y' });
    } finally {
      if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
      else Error.prepareStackTrace = prepareStackTrace;
    }
  });

  test('a `toJSON` is not asked', () => {
    const error = Object.assign(new Error('x'), { toJSON: () => 'mine', code: 'E' });
    expect({ ...roundTrip(error) }).toEqual({ code: 'E' });
  });

  test.each([
    [undefined, ''],
    [5, '5'],
    [Symbol('s'), 'Symbol(s)'],
    [{ a: { b: {} } }, '{ a: { b: {} } }'],
    [null, 'null'],
  ])('a message that is %o becomes text', (message, text) => {
    expect(roundTrip(Object.assign(new Error('x'), { message })).message).toBe(text);
  });

  test('an error without a message or with one that throws has an empty one', () => {
    expect(roundTrip(new Error())).toMatchObject({
      message: '',
      stack: expect.stringMatching(/^Error(: )?\n/),
    });
    const trap = Object.defineProperty(new Error('x'), 'message', {
      get() {
        throw new Error('no');
      },
    });
    expect(roundTrip(trap).message).toBe('');
    expect(roundTrip(Object.defineProperty(new Error(), 'stack', { value: undefined })).stack).toBe('Error');
  });

  test('a name that is no text is that of Error', () => {
    expect(roundTrip(Object.assign(new TypeError('x'), { name: 5 }))).toMatchObject({
      name: 'Error',
      message: 'x',
    });
  });

  test('a Proxy around an error, and one that throws at every look', () => {
    expect(roundTrip(new Proxy(new RangeError('x'), {}))).toMatchObject({ name: 'RangeError', message: 'x' });
    const hostile = new Proxy(new Error('x'), {
      get() {
        throw new Error('no');
      },
      has() {
        throw new Error('no');
      },
      ownKeys() {
        throw new Error('no');
      },
    });
    expect(roundTrip(hostile)).toMatchObject({ name: 'Error', message: '' });
    const { proxy, revoke } = Proxy.revocable(new Error('x'), {});
    revoke();
    expect(roundTrip(proxy)).toMatchObject({ code: 'ERR_THROWN', cause: '<Revoked Proxy>' });
    expect(
      roundTrip(
        Object.assign(new Error('x'), {
          errors: new Proxy([], {
            get: () => {
              throw new Error('no');
            },
          }),
        }),
      ),
    ).toMatchObject({ message: 'x' });
  });

  test('an object that only looks like an error arrives as one', () => {
    const arrived = roundTrip({ name: 'Odd', message: 'x', stack: 'Odd: x\n    at y', code: 'E' });
    expect(arrived).toBeInstanceOf(Error);
    expect(arrived).toMatchObject({ name: 'Odd', message: 'x', stack: 'Odd: x\n    at y', code: 'E' });
  });

  test('whatever is thrown arrives as an Error', () => {
    fc.assert(
      fc.property(
        fc.anything({ withMap: true, withNullPrototype: true, withBigInt: true }),
        fc.object(),
        (value, fields) => {
          expect(roundTrip(value)).toBeInstanceOf(Error);
          const arrived = roundTrip(Object.assign(new Error('x', { cause: value }), { fields }));
          expect(arrived.cause).toEqual(value);
          expect(arrived.fields).toEqual(fields);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('something thrown that is no error', () => {
  test.each([
    [null],
    [undefined],
    ['text'],
    [42],
    [7n],
    [{ status: 404 }],
    [new Map([[1, 2]])],
    [Object.create(null)],
  ])('%o is the cause of an ERR_THROWN', (value) => {
    const arrived = roundTrip(value);
    expect(arrived).toBeInstanceOf(errors.ThreadFactoryError);
    expect(arrived).toMatchObject({ name: 'ThreadFactoryError', code: 'ERR_THROWN' });
    expect(Object.hasOwn(arrived, 'cause')).toBe(true);
    expect(arrived.cause).toEqual(value);
  });

  test.each([
    [Symbol('s'), 'Symbol(s)'],
    [function job() {}, '[Function: job]'],
    [Promise.resolve(5), 'Promise { 5 }'],
    [{ list: [() => 1] }, '{ list: [ [Function (anonymous)] ] }'],
  ])('%o is described, since it can not be sent', (value, words) => {
    expect(roundTrip(value)).toMatchObject({ code: 'ERR_THROWN', cause: words });
  });

  test('an object loses the fields that can not be sent alone, as an Error does', () => {
    class Refusal {
      status = 404;
      nothing = undefined;
      retry = () => {};
      deep = { inner() {} };
    }
    for (const thrown of [new Refusal(), { ...new Refusal() }]) {
      expect(roundTrip(thrown)).toMatchObject({ code: 'ERR_THROWN', cause: { status: 404 } });
      expect(Object.keys(roundTrip(thrown).cause as object)).toEqual(['status', 'nothing']);
    }
    expect(roundTrip({ retry() {} }).cause).toBe('{ retry: [Function: retry] }');
  });

  test('what is too large is described, be each of its parts small', () => {
    const parts = Array.from({ length: 4 }, () => 'x'.repeat(500_000));
    for (const large of [{ ...parts, retry() {} }, parts, parts.join(''), Buffer.alloc(2_000_000)])
      expect(roundTrip(large).cause).toBeTypeOf('string');
  });

  test('an object whose description runs into a trap is described as far as can be', () => {
    const trap = {
      fn() {},
      get [Symbol.toStringTag](): string {
        throw new Error('no');
      },
    };
    expect(roundTrip(trap)).toMatchObject({ code: 'ERR_THROWN', cause: 'a value that can not be shown' });
  });
});

describe('bounds', () => {
  test('a chain of causes ends after 16, and says so', () => {
    expect(chainLength(roundTrip(chain(16)))).toBe(16);
    const long = roundTrip(chain(1_000));
    expect(chainLength(long)).toBe(17);
    let last: unknown = long;
    while (last instanceof Error && last.cause !== undefined) last = last.cause;
    expect(last).toMatchObject({ message: 'Further errors inside this one were left out' });
    const deepField = chain(16);
    let inner: Error = deepField;
    while (inner.cause instanceof Error) inner = inner.cause;
    Object.assign(inner, { original: new Error('too deep') });
    expect(chainLength(roundTrip(deepField))).toBe(16);
  });

  test('a long aggregate is cut, and says by how much', () => {
    const list = Array.from({ length: 1_200 }, (_, i) => new Error(`e${i}`));
    const arrived = roundTrip(new AggregateError(list, 'all')).errors as Error[];
    expect(arrived).toHaveLength(1_000);
    expect(arrived[998]?.message).toBe('e998');
    expect(arrived[999]?.message).toBe('201 more errors were left out');
    const values = roundTrip(new AggregateError(new Array(2_000).fill('x'), 'all')).errors as unknown[];
    expect(values).toHaveLength(1_001);
    expect(values[1_000]).toMatchObject({ message: '1000 more errors were left out' });
  });

  test('aggregates of aggregates stay within a thousand errors in all', () => {
    const nest = (depth: number): Error =>
      depth === 0
        ? new Error('leaf')
        : new AggregateError(
            Array.from({ length: 12 }, () => nest(depth - 1)),
            'nest',
          );
    const count = (error: Error): number =>
      1 + ('errors' in error ? (error.errors as Error[]).reduce((sum, inner) => sum + count(inner), 0) : 0);
    expect(count(roundTrip(nest(3)))).toBeLessThan(1_100);
  });

  test('a very long message and stack are cut, and say by how much', () => {
    const { message, stack } = roundTrip(new Error('x'.repeat(100_005)));
    expect(message).toBe(`${'x'.repeat(100_000)}… (5 more characters)`);
    expect(stack?.length).toBeLessThan(100_100);
  });
});

describe('errorFromWire', () => {
  test.each([
    [null],
    ['text'],
    [{}],
    [{ class: 'Error', name: 'Error', message: 5, fields: [] }],
    [{ class: 'Error', name: 'Error', message: 'x', fields: 'none' }],
    [{ class: 'Error', name: 'Error', message: 'x', fields: [null] }],
  ])('makes an Error of %o, which it can not read', (wire) => {
    expect(errorFromWire(wire).message).toMatch(/^An error arrived that can not be read: /);
  });

  test('takes no class from the wire but those it knows, and lets no field change a prototype', () => {
    const wire = JSON.parse(`{
      "class": "constructor", "name": "Error", "message": "x",
      "fields": [["__proto__", { "value": { "polluted": true } }], ["constructor", { "value": 1 }]]
    }`);
    const error = errorFromWire(wire);
    expect(Object.getPrototypeOf(error)).toBe(Error.prototype);
    expect(Reflect.get(error, 'polluted')).toBeUndefined();
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
    expect(Object.keys(error)).toEqual(['__proto__', 'constructor']);
  });

  test('takes a `__proto__` field of an error as a field', () => {
    const error = new Error('x');
    Object.defineProperty(error, '__proto__', { value: { polluted: true }, enumerable: true });
    const arrived = roundTrip(error);
    expect(Object.getPrototypeOf(arrived)).toBe(Error.prototype);
    expect(Object.getOwnPropertyDescriptor(arrived, '__proto__')?.value).toEqual({ polluted: true });
  });

  test('gives up on an error nested without end', () => {
    let wire: unknown = { class: 'Error', name: 'Error', message: 'core', fields: [] };
    for (let i = 0; i < 100_000; i++)
      wire = { class: 'Error', name: 'Error', message: 'x', fields: [], cause: { error: wire } };
    expect(chainLength(errorFromWire(wire))).toBe(18);
  });
});

test('a SuppressedError keeps both errors, where the platform has that class', async () => {
  class SuppressedError extends Error {
    constructor(error: unknown, suppressed: unknown, message: string) {
      super(message);
      for (const [key, value] of Object.entries({ error, suppressed }))
        Object.defineProperty(this, key, { value, configurable: true, writable: true });
    }
  }
  for (const [key, value] of [
    ['name', 'SuppressedError'],
    ['message', ''],
  ] as const)
    Object.defineProperty(SuppressedError.prototype, key, { value, configurable: true, writable: true });
  const own = Object.getOwnPropertyDescriptor(globalThis, 'SuppressedError');
  if (own === undefined) vi.stubGlobal('SuppressedError', SuppressedError);
  vi.resetModules();
  try {
    const wires = await import('../../src/error-wire.js');
    const Present = (globalThis as unknown as { SuppressedError: typeof SuppressedError }).SuppressedError;
    const sent = new Present(new TypeError('disposal'), 'body', 'both');
    const arrived = wires.errorFromWire(wires.errorToWire(sent)) as SuppressedError & Record<string, unknown>;
    expect(arrived).toBeInstanceOf(Present);
    expect(arrived.message).toBe('both');
    expect(arrived['error']).toEqual(new TypeError('disposal'));
    expect(arrived['suppressed']).toBe('body');
    expect(Object.keys(arrived)).toEqual([]);
  } finally {
    vi.unstubAllGlobals();
    vi.resetModules();
  }
});
