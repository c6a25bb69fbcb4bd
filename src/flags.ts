import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { STARTED_IN } from './paths.js';

/**
 * Node's own flags for the children: the manager's, minus those that would make a child do something else than run its
 * entry file (`-e`, `--test`, `--watch`), or fight the manager for a debugger's port.
 */

/** Flags to drop; true where the value is a separate word when there is no `=`. */
const DROPPED: readonly (readonly [RegExp, boolean])[] = [
  [/^(-e|--eval|-p|--print|-pe)$/, true],
  [/^(-i|--interactive|-c|--check)$/, false],
  [/^--input-type$/, true],
  [/^--(test|test-only|test-force-exit|test-update-snapshots|experimental-test-coverage)$/, false],
  [/^--test-/, true],
  [/^--(watch|watch-preserve-output)$/, false],
  [/^--watch-/, true],
  [/^--run$/, true],
];

/** Flags whose value is a file or a module. The last two take a URL or a path. */
const FILES = /^(-r|--require|--env-file|--env-file-if-exists|--import|--loader|--experimental-loader)$/;

/**
 * Flags with relative files made absolute, for a child that runs in another folder than the one in which this process
 * was started. Names of packages stay: they are resolved from the child's folder.
 * @param flags Node flags, as in `process.execArgv`
 * @param folder the child's
 * @param base the folder that they are relative to
 */
export function anchored(flags: readonly string[], folder: string, base = STARTED_IN): readonly string[] {
  if (folder === base) return flags;
  let name = '';
  return flags.map((flag) => {
    const before = name;
    name = flag;
    if (FILES.test(before)) return absolute(before, flag, base);
    const [head = '', ...rest] = flag.split('=');
    return rest.length > 0 && FILES.test(head) ? `${head}=${absolute(head, rest.join('='), base)}` : flag;
  });
}

function absolute(flag: string, value: string, base: string): string {
  // `--require hook.js` is a package of that name; an environment's file needs no dot.
  const isFile = /^\.\.?([\\/]|$)/.test(value) || (flag.startsWith('--env-file') && !isAbsolute(value));
  if (!isFile) return value;
  const path = resolve(base, value);
  return flag.startsWith('--import') || flag.includes('loader') ? pathToFileURL(path).href : path;
}

/** What a user says of children's processes. */
interface ProcessOptions {
  readonly execPath: string | undefined;
  readonly execArgv: readonly string[] | undefined;
  readonly env: NodeJS.ProcessEnv | undefined;
  readonly cwd: string | undefined;
}

/**
 * The same for a fork: what was not said is this process's own, whose relative files stay where they are.
 * @param inherited the environment, where none was said
 */
export function childOptions({ execPath, execArgv, env, cwd }: ProcessOptions, inherited = process.env) {
  const folder = resolve(cwd ?? '.');
  return {
    execPath,
    cwd,
    // What the user gives for the workers is relative to their folder, as it is with Node's own fork.
    execArgv: childFlags(execArgv ?? anchored(process.execArgv, folder)),
    env: env === undefined ? childEnvironment(inherited, folder) : childEnvironment(env),
  };
}

/** @param flags Node flags, as in `process.execArgv` */
export function childFlags(flags: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < flags.length; at += 1) {
    const flag = flags[at] ?? '';
    const equals = flag.indexOf('=');
    const name = equals < 0 ? flag : flag.slice(0, equals);
    if (/^--inspect/.test(name)) {
      // Port 0 lets every process choose its own.
      if (/^--inspect(-brk|-wait)?$/.test(name) && /(=|:)0$/.test(flag)) kept.push(flag);
      else if (name === '--inspect-port' && equals < 0) at += 1;
      continue;
    }
    const dropped = DROPPED.find(([pattern]) => pattern.test(name));
    if (dropped === undefined) kept.push(flag);
    else if (dropped[1] && equals < 0 && !(flags[at + 1] ?? '-').startsWith('-')) at += 1;
  }
  return kept;
}

/**
 * @param env the manager's environment; it is not changed
 * @param folder the child's
 */
export function childEnvironment(env: NodeJS.ProcessEnv, folder = STARTED_IN): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: options, ...rest } = env;
  if (options === undefined) return rest;
  const kept = anchored(childFlags(wordsOf(options)), folder)
    .map(quoted)
    .join(' ');
  return kept === '' ? rest : { ...rest, NODE_OPTIONS: kept };
}

/** Node splits NODE_OPTIONS at blanks outside double quotes, and drops these; within them a backslash escapes. */
function wordsOf(options: string): string[] {
  const words = options.match(/(?:[^\s"]|"(?:\\.|[^"\\])*")+/g) ?? [];
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/g, (_, text: string) => text.replace(/\\(.)/g, '$1')),
  );
}

function quoted(word: string): string {
  return /[\s"]/.test(word) ? `"${word.replace(/["\\]/g, '\\$&')}"` : word;
}
