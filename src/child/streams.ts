import { apply } from '../apply.js';

/** Standard streams, of which Node makes each when it is first looked at. */
const NAMES = ['stdout', 'stderr'] as const;

/**
 * Lets jobs go on when nobody reads their output any more (`| head -1`), and watches who looks at `process.stdout` and
 * `process.stderr` from now on: one that nobody has looked at has nothing to write, and to make it just to see that takes a
 * process that is leaving half a millisecond. Called before any of the user's code runs, but where Node's flags may have had
 * some run before (`--require`, `--import`): then nobody knows. Of what that printed the console keeps the stream to itself.
 * @returns resolves when all that was written to them is on its way
 */
export function watchStreams(): () => Promise<unknown> {
  const unseen = new Map<string, () => unknown>();
  const isFirst = process.execArgv.length === 0 && process.env['NODE_OPTIONS'] === undefined;
  for (const name of NAMES) {
    const { get, ...others } = Object.getOwnPropertyDescriptor(process, name) ?? {};
    if (get === undefined || others.configurable !== true) continue;
    const look = (): unknown => {
      const stream = apply(get, process, []);
      if (unseen.delete(name)) surviveReader(stream as NodeJS.WriteStream);
      return stream;
    };
    Object.defineProperty(process, name, { ...others, get: look });
    unseen.set(name, look);
  }
  // Whoever put another one in its place may have written to that.
  const isUnseen = (name: string): boolean =>
    isFirst && unseen.has(name) && Object.getOwnPropertyDescriptor(process, name)?.get === unseen.get(name);
  return () => Promise.all(NAMES.filter((name) => !isUnseen(name)).map((name) => written(process[name])));
}

/** An error that nobody hears is thrown: of a reader that has gone it would end the worker, and each one after it. */
function surviveReader(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && stream.listenerCount('error') === 1) throw error;
  });
}

/** Pipes are written asynchronously where their buffer is full. A closed one has nothing to wait for. */
function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('error', () => resolve());
    if (stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}
