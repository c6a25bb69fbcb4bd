import { join } from 'node:path';
import { systemClock } from '../../src/clock.js';
import type { EngineDriver } from '../../src/engine.js';
import { openDispatcher } from '../../src/engines/bullmq.js';
import { Machine } from '../../src/engines/machine.js';
import { runOf, specHash } from '../../src/engines/names.js';
import { forker } from '../../src/manager/fork.js';
import { refOf } from '../../src/module-ref.js';
import { conformance, SPEC } from '../helpers/conformance.js';
import { MemoryBackend } from '../helpers/memory-backend.js';

// The submitting and the machine side as they are, with a queue in memory between them and real workers behind.
const spec = specHash(SPEC);
const machines: Machine[] = [];

function machine(name: string): Machine {
  const limits = { startupTimeout: 30_000, shutdownTimeout: 5_000, concurrency: 1 };
  const setup = {
    name,
    clock: systemClock,
    workers: 1,
    maxJobsPerWorker: undefined,
    module: SPEC,
    spec,
    secret: 'shared',
    ...limits,
  };
  const made = new Machine(
    {
      ...setup,
      spawner: (timeout) =>
        forker({
          bootstrap: join(import.meta.dirname, '../../dist/bootstrap.cjs'),
          init: {
            module: refOf(SPEC, 'import'),
            factory: 'exports',
            texts: [],
            ...limits,
            timeout,
            maxMemory: undefined,
            machine: name,
          },
          execPath: undefined,
          execArgv: [],
          env: process.env,
          cwd: undefined,
          output: 'ignore',
          parentDeath: undefined,
          print: () => {},
        }),
    },
    { broken: () => {}, ready: () => {}, exit: () => {} },
  );
  machines.push(made);
  return made;
}

const fleet = [machine('m1'), machine('m2')];

conformance('a queue in memory with two machines', {
  async stop() {
    await Promise.all(machines.map((each) => each.stop(1_000)));
  },
  engine() {
    const backend = new MemoryBackend();
    for (const each of fleet) backend.connect(each, 1);
    const driver: EngineDriver = {
      name: 'memory',
      open(setup) {
        const head = { run: runOf(setup.options.journal), spec, timeout: setup.options.timeout };
        const times = { pollInterval: 100, noWorkersTimeout: undefined, downTimeout: undefined };
        return openDispatcher(backend, setup, { head, secret: 'shared', ...times });
      },
    };
    return driver;
  },
});
