import { existsSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe } from './describe.js';
import { SpecError } from './errors.js';
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
  const ours = selves.flatMap((self) => [self, pathToFileURL(self).href]);
  const chain = new Set<string>();
  for (let c: object | null = constructed; typeof c === 'function'; c = Object.getPrototypeOf(c))
    chain.add(c.name);
  for (const site of callSites()) {
    const file = site.getFileName();
    if (site.isNative() || ours.includes(file ?? '')) continue;
    if (site.isConstructor() && chain.has(site.getFunctionName() ?? '')) continue;
    if (file?.startsWith('node:')) continue;
    return file ?? undefined;
  }
  return undefined;
}

/** The frames of the caller, whatever the user's own `prepareStackTrace` would make of them. */
export function callSites(): readonly CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = 50;
    Error.prepareStackTrace = (_, sites) => sites;
    const sites: unknown = new Error('call sites').stack;
    return Array.isArray(sites) ? (sites as CallSite[]) : [];
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/**
 * A caller's file as something a child can load: a URL means an ES module, a path a CommonJS one.
 * @throws SpecError for code that is in no file (REPL, `-e`, stdin)
 */
export function moduleOfCaller(file: string | undefined): ModuleRef {
  if (file?.startsWith('file:')) return { loader: 'import', id: file };
  if (file !== undefined && isAbsolute(file) && existsSync(file)) return { loader: 'require', id: file };
  throw new SpecError(
    `new ThreadFactory was called from ${file === undefined ? 'code without a file' : `"${file}"`}, which the workers ` +
      'can not load: they run the module that calls it. Put the functions into a file and run that, or pass the path ' +
      'of a spec module: new ThreadFactory("/path/to/spec.js").',
  );
}

/**
 * A module named by the user: a path relative to the caller, an absolute path, a `file:` URL.
 * @param given what was named
 * @param caller the calling file or URL, if known
 * @throws SpecError where there is no such file
 */
export function moduleNamed(given: string | URL, caller: string | undefined): ModuleRef {
  const text = String(given);
  let path: string;
  if (given instanceof URL || text.startsWith('file:')) {
    if (!text.startsWith('file:'))
      throw new SpecError(`Expected the module to be a path or a \`file:\` URL, got ${describe(text)}.`);
    path = fileURLToPath(text);
  } else if (isAbsolute(text)) path = text;
  else {
    const from = caller?.startsWith('file:') ? fileURLToPath(caller) : caller;
    if (from === undefined || !isAbsolute(from)) {
      throw new SpecError(
        `Can not tell what "${text}" is relative to: no file called new ThreadFactory. Pass an absolute path.`,
      );
    }
    path = resolve(from, '..', text);
  }
  if (!existsSync(path)) {
    throw new SpecError(
      `There is no module ${path}${path === text ? '' : ` (given as "${text}")`}. Pass the path of a file.`,
    );
  }
  return { loader: 'either', id: path };
}
