import childProcess from 'node:child_process';
import { apply } from '../apply.js';

/** From the class of CommonJS modules, which is what `node:module` is: to load that takes a child most of a millisecond. */
const { syncBuiltinESMExports } = module.constructor as unknown as typeof import('node:module');

/** What starts a process while the caller waits; everything else comes by `ChildProcess.prototype.spawn`. */
const SYNCHRONOUS = ['spawnSync', 'execFileSync', 'execSync'] as const;

/**
 * Tells, once, that this process is about to start another one: before it does, since it may then wait for its end
 * and say nothing more. What native code starts by itself is not seen.
 */
export function onFirstSubprocess(tell: () => void): void {
  let told = false;
  const telling = <Start extends object>(start: Start): Start =>
    new Proxy(start, {
      apply(target, self, args) {
        if (!told) {
          told = true;
          tell();
        }
        return apply(target as never, self, args);
      },
    });
  const { prototype } = childProcess.ChildProcess as unknown as { prototype: { spawn: object } };
  prototype.spawn = telling(prototype.spawn);
  for (const name of SYNCHRONOUS) Object.assign(childProcess, { [name]: telling(childProcess[name]) });
  syncBuiltinESMExports();
}
