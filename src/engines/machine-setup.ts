import type { Clock } from '../clock.js';
import { childOptions } from '../flags.js';
import type { SpawnChild } from '../manager/child.js';
import { forker } from '../manager/fork.js';
import type { ParentDeathPrefix } from '../manager/pdeathsig.js';
import { refOf } from '../module-ref.js';
import { BOOTSTRAP } from '../paths.js';
import type { Connection } from './connection.js';
import { secretsOf, withoutSecrets } from './connection.js';
import type { MachineSetup } from './machine.js';
import { specHash } from './names.js';
import type { CheckedWork } from './work-options.js';

/** What a machine is made of, from what its operator said: the module, and how children are forked. */

/** How a machine forks and what it is called. */
export function machineSetup(
  options: CheckedWork,
  about: { path: string; connection: Connection; clock: Clock; parentDeath: ParentDeathPrefix },
): MachineSetup {
  const { path, connection, clock, parentDeath } = about;
  const { workers, concurrency, startupTimeout, shutdownTimeout, maxJobsPerWorker, secret, machine } =
    options;
  const secrets = [...secretsOf(connection), ...(secret === undefined ? [] : [secret])];
  const spawner = (timeout: number | undefined): SpawnChild =>
    forker({
      bootstrap: BOOTSTRAP,
      init: {
        module: refOf(path, 'import'),
        factory: 'only',
        // Which functions the submitting side has is said by the hash of the module.
        texts: [],
        concurrency,
        timeout,
        startupTimeout,
        maxMemory: options.maxMemoryPerWorker,
        machine,
      },
      ...childOptions({ ...options, env: undefined }, withoutSecrets(process.env, secrets, options.env)),
      output: options.output,
      parentDeath,
      print: (stream, line) => process[stream].write(line),
    });
  return {
    name: machine,
    clock,
    spawner,
    workers,
    concurrency,
    startupTimeout,
    shutdownTimeout,
    maxJobsPerWorker,
    module: path,
    spec: specHash(path),
    secret,
  };
}
