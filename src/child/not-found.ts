import type { FactoryRef } from '../protocol.js';
import { constructions, loadedVersions, VERSION } from '../registry.js';

/** What a worker says that did not find the factory that it was forked for. */

/** Which factory of which module. */
export interface Wanted {
  readonly module: string;
  readonly factory: FactoryRef;
}

/** Where a machine could work for more than one. */
export function several(module: string): string {
  return (
    `The module ${module} constructs more than one factory, and a machine can't tell which of them to work for: ` +
    'keep one in the module that machines run, or give them a module of its functions.'
  );
}

/** Where another factory has its number. */
export function another({ module, factory }: Wanted): string {
  return (
    `The worker loaded ${module}, and factory number ${Number(factory) + 1} that it constructs there is another one than ` +
    'in the manager: a construction before it, or one of its functions, depends on a condition that differs in workers. ' +
    'Construct every factory of the module at its top level, unconditionally; only `factory.start()` may be behind a ' +
    'condition such as `if (require.main === module)`.'
  );
}

/**
 * Where it is not there: what the user has to move where.
 * @param state what the module does instead of constructing it
 */
export function missing({ module, factory }: Wanted, state: string): string {
  const made = constructions(module);
  const which =
    factory === 'only' ? 'not one, and no exported functions' : `not number ${Number(factory) + 1}`;
  const others = loadedVersions().filter((version) => version !== VERSION);
  const versions =
    others.length > 0
      ? ` It loaded another version of threadfactory (${others.join(', ')}) than ${VERSION}: install one.`
      : '';
  return (
    `The worker loaded ${module} and found ${made === 0 ? 'no factory' : `${made} of its factories`}, ` +
    `${which}; the module ${state}. Workers run this module again to get at its functions, so the factory ` +
    'must be constructed when the module runs: at its top level, before the first `await factory.start()`, not in a ' +
    'function that a worker does not call and not behind `if (require.main === module)` (only `factory.start()` may be ' +
    `there). Move \`new ThreadFactory(…)\` there, or put the functions into a module of their own and pass its path. ` +
    `A helper that constructs it for another module passes that one as the option \`module\`.${versions}`
  );
}
