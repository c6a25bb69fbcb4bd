import { SpecError } from '../errors.js';
import type { ThreadFactory } from '../factory.js';
import { isSameModule } from '../module-ref.js';
import type { Commanded, CommandSide } from '../registry.js';

/** What the command line says about the factory it runs. */
export interface Wishes {
  /** The SPEC, as an absolute path. */
  readonly path: string;
  /** Options that flags gave: they go before the script's own. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Lists the jobs in place of the spec's `manager`. */
  readonly manager: (() => unknown) | undefined;
  readonly relayed: boolean;
  /** The factory is there: listeners may be attached. */
  taken(factory: ThreadFactory, ordered: boolean): void;
  failed(factory: ThreadFactory, ...about: Parameters<Commanded['failed']>): void;
  skipped(factory: ThreadFactory, ...about: Parameters<Commanded['skipped']>): void;
}

/**
 * Waits for the one factory that a SPEC is about, whether the script constructs it or the command does, and keeps the
 * runs that begin on it, whoever starts them.
 */
export class Taken implements CommandSide {
  factory: ThreadFactory | undefined;
  /** Whether a display says how its runs end. */
  showsItself = false;
  /** Each settles as `start()` does. */
  readonly runs: Promise<unknown>[] = [];
  /** What those that failed failed with. */
  readonly reasons = new Set<unknown>();

  constructor(private readonly wishes: Wishes) {}

  constructed(factory: object, about: Parameters<CommandSide['constructed']>[1]): Commanded | undefined {
    const { path, manager, relayed, taken, failed, skipped } = this.wishes;
    // A library that a script loads may have factories of its own: they are none of ours.
    if (![about.module, about.caller ?? ''].some((name) => isSameModule(name, path))) return undefined;
    if (this.factory !== undefined) {
      throw new SpecError(
        `${path} builds more than one factory, so it is not clear which to run. Run it with node itself, or keep one ` +
          'factory (or only its functions, exported by name) in a file of its own.',
      );
    }
    const own = factory as ThreadFactory;
    this.factory = own;
    const options = merged(about.options, this.wishes.options);
    const { ordered, progress } = Object(options) as {
      readonly ordered?: unknown;
      readonly progress?: unknown;
    };
    this.showsItself = Boolean(progress);
    taken(own, ordered === true);
    return {
      options,
      manager,
      relayed,
      started: (running) => {
        running.catch((error) => this.reasons.add(error));
        this.runs.push(running);
      },
      failed: (...told) => failed(own, ...told),
      skipped: (...told) => skipped(own, ...told),
    };
  }
}

/** A flag wins over the script's option; `--retries` leaves the script's `delay` and `when` as they are. */
function merged(given: unknown, flags: Wishes['options']): unknown {
  if (given !== undefined && (typeof given !== 'object' || given === null)) return given;
  const own = (given ?? {}) as Readonly<Record<string, unknown>>;
  const options: Record<string, unknown> = { ...own, ...flags };
  const [before, now] = [own['retries'], flags['retries']];
  if (typeof before === 'object' && before !== null && now !== undefined) {
    options['retries'] = { ...before, ...(typeof now === 'number' ? { limit: now } : (now as object)) };
  }
  return options;
}
