import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInThisContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { callerFile, callSites, moduleNamed, moduleOfCaller } from '../../src/call-site.js';
import { SpecError } from '../../src/errors.js';

const HERE = import.meta.filename;
const HERE_URL = pathToFileURL(HERE).href;
const ROOT = dirname(dirname(dirname(HERE)));
const SELF = join(ROOT, 'src', 'call-site.ts');

/** Who constructed it, as far as it can tell. */
class Base {
  readonly caller: string | undefined;
  constructor() {
    this.caller = callerFile(new.target, SELF);
  }
}

class Derived extends Base {}

/** A piece of code that says it is in another file. */
function inFile<T>(filename: string, code: string): T {
  return runInThisContext(`(${code})`, { filename }) as T;
}

/** The text of the SpecError. */
function refusal(check: () => unknown): string {
  try {
    check();
  } catch (error) {
    expect(error).toBeInstanceOf(SpecError);
    return (error as SpecError).message;
  }
  throw new Error('Nothing was thrown');
}

describe('the caller of a constructor', () => {
  test('is the file that said `new`, of a class or of one derived from it', () => {
    for (const Factory of [Base, Derived]) {
      const make = inFile<(F: typeof Base) => Base>('/app/report.js', '(F) => new F()');
      expect(make(Factory).caller).toBe('/app/report.js');
    }
  });

  test("is the file of the outermost subclass's own caller, wherever the subclass lives", () => {
    const derive = inFile<(F: typeof Base) => typeof Base>(
      '/lib/derived.js',
      '(F) => class Report extends F {}',
    );
    const make = inFile<(F: typeof Base) => Base>('/app/main.js', '(F) => new F()');
    expect(make(derive(Base)).caller).toBe('/app/main.js');
  });

  test('is no file of ours, by path or URL, no native frame and no part of Node', () => {
    const viaReflect = inFile<(F: typeof Base) => Base>(
      'file:///app/report.mjs',
      '(F) => [F].map((C) => Reflect.construct(C, []))[0]',
    );
    expect(viaReflect(Base).caller).toBe('file:///app/report.mjs');
    const ours = inFile<(make: () => Base) => Base>(
      SELF,
      '(make) => new (class Base { constructor() { return make(); } })()',
    );
    expect(ours(() => new Base()).caller).toBe(HERE);
    const viaNode = inFile<(find: () => unknown) => unknown>('node:internal/x', '(find) => find()');
    const make = inFile<(via: typeof viaNode, find: () => unknown) => unknown>(
      '/app/main.js',
      '(via, find) => via(find)',
    );
    expect(make(viaNode, callerFile.bind(null, Base, SELF))).toBe('/app/main.js');
  });

  test('is read from the text of a stack where call sites are kept from us', () => {
    const { prepareStackTrace } = Error;
    try {
      const ignore = { get: () => undefined, set: () => {}, configurable: true };
      Object.defineProperty(Error, 'prepareStackTrace', ignore);
      expect(callerFile(Base, SELF)).toBe(HERE);
    } finally {
      const value = { value: prepareStackTrace, configurable: true, writable: true };
      Object.defineProperty(Error, 'prepareStackTrace', value);
    }
  });
});

describe('call sites', () => {
  test("are read whatever the user's own prepareStackTrace and limit are, which stay", () => {
    const { prepareStackTrace, stackTraceLimit } = Error;
    const own = () => 'mine';
    try {
      Error.prepareStackTrace = own;
      Error.stackTraceLimit = 0;
      expect(callSites()[1]?.getFileName()).toMatch(/call-site\.test\.ts$/);
      expect(Error.prepareStackTrace).toBe(own);
      expect(Error.stackTraceLimit).toBe(0);
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
      Error.stackTraceLimit = stackTraceLimit;
    }
  });
});

describe("the module of a caller's file", () => {
  test('is loaded as it was: a URL by import, a path by require', () => {
    expect(moduleOfCaller('file:///app/main.mjs')).toEqual({ loader: 'import', id: 'file:///app/main.mjs' });
    expect(moduleOfCaller(HERE)).toEqual({ loader: 'require', id: HERE });
  });

  test.each([
    [undefined, 'code without a file'],
    ['[eval]', '"[eval]"'],
    ['REPL1', '"REPL1"'],
    ['/no/such/file.js', '"/no/such/file.js"'],
  ])('%s can not be loaded by workers, and the error says what to do', (file, what) => {
    const text = refusal(() => moduleOfCaller(file));
    expect(text).toMatch(`new ThreadFactory was called from ${what}, which the workers can not load`);
    expect(text).toMatch(/pass the path of a spec module/);
  });
});

describe('a module that was named', () => {
  test.each([
    ['an absolute path', HERE, undefined],
    ['a file: URL', pathToFileURL(HERE), undefined],
    ['the text of a file: URL', HERE_URL, undefined],
    ['a path relative to a file', '../unit/call-site.test.ts', HERE],
    ['a path relative to a URL', './call-site.test.ts', HERE_URL],
  ])('is found by %s', (_, given, caller) => {
    expect(moduleNamed(given, caller)).toEqual({ loader: 'require', id: HERE });
  });

  test('that does not exist is refused, with the whole path', () => {
    expect(refusal(() => moduleNamed('./spec.js', HERE))).toBe(
      `There is no module ${join(dirname(HERE), 'spec.js')} (given as "./spec.js"). Pass the path of a file.`,
    );
    expect(refusal(() => moduleNamed('/no/spec.js', HERE))).toBe(
      'There is no module /no/spec.js. Pass the path of a file.',
    );
  });

  test('by a relative path needs a caller that is a file', () => {
    for (const caller of [undefined, 'REPL1']) {
      expect(refusal(() => moduleNamed('./spec.js', caller))).toMatch(
        /^Can not tell what ".\/spec.js" is relative to/,
      );
    }
  });

  test('by another URL than a file: URL is refused', () => {
    expect(refusal(() => moduleNamed(new URL('https://example.com/a.js'), HERE))).toBe(
      "Expected the module to be a path or a `file:` URL, got `'https://example.com/a.js'` (string).",
    );
  });
});
