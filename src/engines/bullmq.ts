import type { EngineDriver, EngineSetup, OpenEngine } from '../engine.js';
import { expectedSecret, isPlainText, isRecord, milliseconds, rejectUnknown } from '../option-checks.js';
import type { Engine } from '../options.js';
import type { Backend } from './backend.js';
import { BullMqBackend } from './bullmq-backend.js';
import type { Connection } from './connection.js';
import { checkConnection, checkServer } from './connection.js';
import { Dispatcher } from './dispatcher.js';
import type { BullMqModule } from './library.js';
import { checkModule } from './library.js';
import { checkName, namesOf, randomName, runOf, specHash } from './names.js';
import { Relay } from './relay.js';

/** The submitting side of more than one machine: the option `engine`. */

/** Where and under which name jobs are submitted. Times are milliseconds. */
export interface BullMqOptions {
  /** The server: what ioredis takes (`{ url }`, `{ host, port, password, tls }`), or a client of ioredis. */
  connection: Connection;
  /** What the machines ask for: up to 64 letters, digits, `_`, `.` and `-`. One manager at a time submits under a name. */
  name: string;
  /**
   * Begins every key on the server, for an ACL.
   * @default 'tf'
   */
  prefix?: string | undefined;
  /**
   * Signs jobs and results (HMAC-SHA256); machines need the same.
   * @default undefined (not signed)
   */
  secret?: string | undefined;
  /**
   * Time to reach the server when the run begins.
   * @default 10000
   */
  connectTimeout?: number | undefined;
  /**
   * Time the server may be away during a run before the run fails.
   * @default undefined (for ever)
   */
  downTimeout?: number | undefined;
  /**
   * Time without any machine, while jobs wait, before the run fails.
   * @default undefined (for ever)
   */
  noWorkersTimeout?: number | undefined;
  /**
   * Time between two looks at what has become of the jobs, beside the events that tell of them.
   * @default 1000
   */
  pollInterval?: number | undefined;
  /**
   * The bullmq module to use.
   * @default undefined (the installed one)
   */
  bullmq?: BullMqModule | undefined;
}

// An object, so that the compiler sees to it that no option is forgotten.
const KNOWN: Readonly<Record<keyof BullMqOptions, true>> = {
  connection: true,
  name: true,
  prefix: true,
  secret: true,
  connectTimeout: true,
  downTimeout: true,
  noWorkersTimeout: true,
  pollInterval: true,
  bullmq: true,
};

/**
 * Runs the jobs of a factory on other machines, by BullMQ: `new ThreadFactory(spec, { engine: bullmq({ … }) })`. Connects
 * when a run begins; in a worker it does nothing.
 * @throws OptionError
 */
export function bullmq(options: BullMqOptions): Engine {
  const checked = checkOptions(options);
  const driver: EngineDriver = { name: 'bullmq', open: (setup) => openBullMq(checked, setup) };
  return driver;
}

type Checked = ReturnType<typeof checkOptions>;

function checkOptions(given: unknown) {
  if (!isRecord(given)) throw expectedSecret('options', 'an object such as `{ connection, name }`', given);
  rejectUnknown(Object.keys(given), Object.keys(KNOWN));
  const time = (name: keyof BullMqOptions): number | undefined =>
    given[name] === undefined ? undefined : milliseconds(given[name], name);
  return {
    connection: checkConnection(given.connection, 'connection'),
    name: checkName(given.name, 'name'),
    prefix: given.prefix === undefined ? 'tf' : checkName(given.prefix, 'prefix'),
    secret: given.secret === undefined ? undefined : checkSecret(given.secret),
    connectTimeout: time('connectTimeout') ?? 10_000,
    downTimeout: time('downTimeout'),
    noWorkersTimeout: time('noWorkersTimeout'),
    pollInterval: time('pollInterval') ?? 1_000,
    bullmq: checkModule(given.bullmq),
  };
}

/** A secret, which no error shows. */
export function checkSecret(value: unknown): string {
  if (isPlainText(value)) return value;
  throw expectedSecret('secret', 'a text that is not empty', value);
}

async function openBullMq(options: Checked, setup: EngineSetup): Promise<OpenEngine> {
  checkServer(options.connection);
  const run = runOf(setup.options.journal);
  const head = { run, spec: specHash(setup.module.id), timeout: setup.options.timeout };
  const backend = new BullMqBackend({
    connection: options.connection,
    names: namesOf(options.prefix, options.name),
    head,
    resumes: setup.options.journal !== undefined,
    connectTimeout: options.connectTimeout,
    clock: setup.clock,
    bullmq: options.bullmq,
  });
  return await openDispatcher(backend, setup, { ...options, head });
}

/** What a dispatcher needs to know besides its backend. */
export interface DispatchOptions {
  readonly head: { readonly run: string; readonly spec: string; readonly timeout: number | undefined };
  readonly secret: string | undefined;
  readonly pollInterval: number;
  readonly noWorkersTimeout: number | undefined;
  readonly downTimeout: number | undefined;
}

/** Any backend as an engine. */
export async function openDispatcher(
  backend: Backend,
  setup: EngineSetup,
  options: DispatchOptions,
): Promise<OpenEngine> {
  const relay = new Relay(setup.clock, options.downTimeout);
  const leftovers = await Promise.race([backend.open(relay), relay.gaveUp]).catch(async (error: unknown) => {
    relay.end();
    await backend.close();
    throw error;
  });
  return {
    run(work, events) {
      const { head, secret, pollInterval: poll, noWorkersTimeout } = options;
      const dispatcher = new Dispatcher(
        {
          backend,
          clock: setup.clock,
          options: setup.options,
          head,
          prefix: `${head.run}.${randomName('s')}`,
          secret,
          leftovers,
          times: { poll, noWorkersTimeout },
        },
        work,
        {
          ...events,
          over: () => {
            relay.end();
            events.over();
          },
        },
      );
      relay.to(dispatcher, events);
      return dispatcher;
    },
    close: () => {
      relay.end();
      return backend.close();
    },
  };
}
