import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callSites, moduleNamed, moduleOfCaller, sitesInText } from '../../src/call-site.js';
import { formatOf, isSameModule, moduleKey } from '../../src/module-ref.js';

let root = '';
const file = (path: string): string => join(root, path);
const url = (path: string): string => pathToFileURL(file(path)).href;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'threadfactory-'));
  for (const folder of ['esm/deep', 'cjs', 'open', 'broken']) await mkdir(file(folder), { recursive: true });
  await writeFile(file('esm/package.json'), '{ "type": "module" }');
  await writeFile(file('cjs/package.json'), '{ "type": "commonjs" }');
  await writeFile(file('open/package.json'), '{ "name": "open" }');
  await writeFile(file('broken/package.json'), '{');
  for (const path of ['esm/deep/a.js', 'esm/a.cjs', 'cjs/a.js', 'cjs/a.mjs', 'open/a.js', 'open/a.foo'])
    await writeFile(file(path), '');
  await symlink(file('cjs/a.js'), file('link.js'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe('the loader of a module', () => {
  test.each([
    ['cjs/a.mjs', 'module'],
    ['cjs/a.mts', 'module'],
    ['esm/a.cjs', 'commonjs'],
    ['esm/a.cts', 'commonjs'],
    ['esm/deep/a.js', 'module'],
    ['esm/a.ts', 'module'],
    ['cjs/a.js', 'commonjs'],
    ['open/a.js', undefined],
    ['broken/a.js', undefined],
  ] as const)('follows the format that Node gives %s: %s', (path, format) => {
    expect(formatOf(file(path))).toBe(format);
  });

  test('of a caller is by its format, and where that is open by how it was called', () => {
    expect(moduleOfCaller(file('cjs/a.js'))).toEqual({ loader: 'require', id: file('cjs/a.js') });
    expect(moduleOfCaller(file('open/a.foo'))).toEqual({ loader: 'require', id: file('open/a.foo') });
    // Test runners give the path of an ES module.
    expect(moduleOfCaller(file('cjs/a.mjs'))).toEqual({ loader: 'import', id: url('cjs/a.mjs') });
    expect(moduleOfCaller(file('esm/deep/a.js'))).toEqual({ loader: 'import', id: url('esm/deep/a.js') });
    expect(moduleOfCaller(url('open/a.js'))).toEqual({ loader: 'import', id: url('open/a.js') });
  });

  test('of a module that was named is by its format, and where that is open by the caller', () => {
    const named = (given: string | URL, caller: string) => moduleNamed(given, caller).loader;
    expect(named('./a.mjs', file('cjs/a.js'))).toBe('import');
    expect(named('../esm/a.cjs', url('cjs/a.mjs'))).toBe('require');
    expect(named('./a.foo', file('open/a.js'))).toBe('require');
    expect(named('./a.foo', url('open/a.js'))).toBe('import');
    expect(named(new URL(url('open/a.js')), file('open/a.js'))).toBe('require');
  });
});

test('a path, a file: URL and a link are names of one module; a query makes it another', () => {
  expect(moduleKey(url('cjs/a.mjs'))).toBe(file('cjs/a.mjs'));
  expect(isSameModule(url('cjs/a.mjs'), file('cjs/a.mjs'))).toBe(true);
  expect(isSameModule(file('link.js'), url('cjs/a.js'))).toBe(true);
  expect(isSameModule(`${url('cjs/a.mjs')}?v=2`, url('cjs/a.mjs'))).toBe(false);
  expect(isSameModule(file('cjs/a.js'), file('open/a.js'))).toBe(false);
});

describe('refused at the construction', () => {
  test.each(['[eval1]', '[eval]', '[stdin]'])('an ES module in no file: %s', (name) => {
    expect(() => moduleOfCaller(url(name))).toThrow(/can not load/);
  });

  test.each(['', '.', './cjs', './none.js'])('a named module that is no file: "%s"', (given) => {
    expect(() => moduleNamed(given, file('main.js'))).toThrow(
      expect.objectContaining({ code: 'ERR_SPEC' }) as Error,
    );
  });
});

describe('the call sites', () => {
  test('are those that V8 prints, where Error is frozen and a stack stays text', () => {
    const plain = (sites: ReturnType<typeof callSites>) =>
      sites.map((site) => [
        site.getFileName() ?? '',
        site.isConstructor() ? site.getFunctionName() : undefined,
      ]);
    class Caller {
      readonly structured = plain(callSites()).slice(1, 6);
      readonly text = plain(sitesInText(new Error('x').stack ?? '')).slice(0, 5);
    }
    const { structured, text } = new Caller();
    expect(text).toEqual(structured);
    expect(text.map(([, name]) => name)).toContain('Caller');
  });

  test('are found in names with blanks and parentheses', () => {
    const stack =
      'Error: x\n    at new Mine (/a (b)/c d.js:1:2)\n    at async file:///x/y.mjs:3:4\n    at /p (q).js:5:6';
    expect(sitesInText(stack).map((site) => site.getFileName())).toEqual([
      '/a (b)/c d.js',
      'async file:///x/y.mjs',
      '/p (q).js',
    ]);
  });
});
