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

/** @param env the manager's environment; it is not changed */
export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: options, ...rest } = env;
  if (options === undefined) return rest;
  // Node splits NODE_OPTIONS at blanks outside double quotes.
  const words = options.match(/(?:[^\s"]|"(?:\\.|[^"\\])*")+/g) ?? [];
  const kept = childFlags(words).join(' ');
  return kept === '' ? rest : { ...rest, NODE_OPTIONS: kept };
}
