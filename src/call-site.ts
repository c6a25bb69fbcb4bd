import { existsSync, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe } from './describe.js';
import { SpecError } from './errors.js';
import { refOf } from './module-ref.js';
import type { ModuleRef } from './protocol.js';

/**
 * Which module constructed a factory: that is what the children load.
 *
 * It is read from structured call sites, not from `process.argv[1]`: a factory in `lib/report.js` of a web server must
 * load `lib/report.js` in the children, never the server.
 */

/** The part of a V8 CallSite that is read. */
interface CallSite {
  getFileName(): string | null | undefined;
  getFunctionName(): string | null;
  isConstructor(): boolean;
  isNative(): boolean;
}

/**
 * The file or URL of the first frame outside the constructor chain.
 * @param constructed the class that was called with `new`: constructors of its ancestors are skipped
 * @param selves our own files, skipped too
 */
export function callerFile(
  constructed: { readonly name: string },
  ...selves: readonly string[]
): string | undefined {
  const chain = new Set<string>();
  for (let c: object | null = constructed; typeof c === 'function'; c = Object.getPrototypeOf(c))
    chain.add(c.name);
  for (const site of callSites()) {
    const file = site.getFileName();
    if (site.isNative() || isOneOf(selves, file ?? '')) continue;
    if (site.isConstructor() && chain.has(site.getFunctionName() ?? '')) continue;
    if (file?.startsWith('node:')) continue;
    return file ?? undefined;
  }
  return undefined;
}

/** The names of files are asked for as URLs only where a frame has one: the first URL takes a process most of a millisecond. */
function isOneOf(paths: readonly string[], file: string): boolean {
  return (
    paths.includes(file) ||
    (file.startsWith('file:') && paths.some((path) => pathToFileURL(path).href === file))
  );
}

/** The frames of the caller, whatever the user's own `prepareStackTrace` would make of them. */
export function callSites(): readonly CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  // Not by assignment: Error may be frozen. Then a stack is text, and read as such.
  Reflect.set(Error, 'stackTraceLimit', 50);
  const structured = Reflect.set(Error, 'prepareStackTrace', (_: Error, sites: unknown) => sites);
  try {
    const sites: unknown = new Error('call sites').stack;
    if (Array.isArray(sites)) return sites as CallSite[];
    return typeof sites === 'string' ? sitesInText(sites) : [];
  } finally {
    if (structured) Reflect.set(Error, 'prepareStackTrace', prepareStackTrace);
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  }
}

/** V8's own text of a stack: `    at new Name (file:1:2)` or `    at file:1:2`. */
export function sitesInText(stack: string): readonly CallSite[] {
  const frames = stack.matchAll(/^ {4}at (?:(?<call>.*?) \((?<within>.*)\)|(?<bare>.*))$/gm);
  return Array.from(frames, ({ groups = {} }) => {
    const { call = '', within, bare = '' } = groups;
    const file = (within ?? bare).replace(/:\d+:\d+$/, '');
    return {
      getFileName: () => (file === '<anonymous>' ? undefined : file),
      getFunctionName: () => call.replace(/^new /, ''),
      isConstructor: () => call.startsWith('new '),
      isNative: () => file === 'native',
    };
  });
}

/** Whether it is what Node calls ES modules that are in no file: `-e` and standard input. */
function isFileless(path: string): boolean {
  return /[\\/]\[(eval\d*|stdin)\]$/.test(path) && !existsSync(path);
}

/**
 * A caller's file as something a child can load.
 * @throws SpecError for code that is in no file (REPL, `-e`, stdin)
 */
export function moduleOfCaller(file: string | undefined): ModuleRef {
  // A hook of the user's may serve a URL that is no file, so only what is known to be none is refused.
  if (file?.startsWith('file:') && !isFileless(fileURLToPath(file))) return { loader: 'import', id: file };
  if (file !== undefined && isAbsolute(file) && existsSync(file)) return refOf(file, 'require');
  throw new SpecError(
    `new ThreadFactory was called from ${file === undefined ? 'code without a file' : `"${file}"`}, which the workers ` +
      'can not load: they run the module that calls it. Put the functions into a file and run that, or pass the path ' +
      'of a spec module: new ThreadFactory("/path/to/spec.js").',
  );
}

/** A module named by the user; the parameters and errors are those of `fileNamed`. */
export function moduleNamed(given: string | URL, caller: string | undefined): ModuleRef {
  // Where the format leaves it open, what loaded the caller can load this: a hook of the user's, or a test runner.
  return refOf(fileNamed(given, caller), caller?.startsWith('file:') ? 'import' : 'require');
}

/**
 * A file named by the user: by a path relative to the caller, an absolute path, a `file:` URL.
 * @param given what was named
 * @param caller the calling file or URL, if known
 * @throws SpecError where there is no such file
 */
export function fileNamed(given: string | URL, caller: string | undefined): string {
  const text = String(given);
  const path = pathNamed(given, caller);
  const from = path === text ? '' : ` (given as "${text}")`;
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || text === '')
    throw new SpecError(`There is no module ${path}${from}. Pass the path of a file.`);
  if (found.isDirectory())
    throw new SpecError(`${path}${from} is a folder. Pass the path of a module in it.`);
  return path;
}

function pathNamed(given: string | URL, caller: string | undefined): string {
  const text = String(given);
  if (given instanceof URL || text.startsWith('file:')) {
    if (!text.startsWith('file:'))
      throw new SpecError(`Expected the module to be a path or a \`file:\` URL, got ${describe(text)}.`);
    return fileURLToPath(text);
  }
  if (isAbsolute(text)) return text;
  const from = caller?.startsWith('file:') ? fileURLToPath(caller) : caller;
  if (from === undefined || !isAbsolute(from)) {
    throw new SpecError(
      `Can not tell what "${text}" is relative to: no file called new ThreadFactory. Pass an absolute path.`,
    );
  }
  return resolve(from, '..', text);
}
