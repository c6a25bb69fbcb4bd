import './compile-cache.js';
import { readFileSync } from 'node:fs';
import { systemClock } from '../clock.js';
import { errorToWire } from '../error-wire.js';
import { SpecError } from '../errors.js';
import { runInside } from '../inside.js';
import { isSameModule } from '../module-ref.js';
import { peakRssSampler } from '../peak-rss.js';
import type {
  ChildMessage,
  FactoryRef,
  FatalPhase,
  InitMessage,
  ManagerMessage,
  SubprocessMessage,
} from '../protocol.js';
import { BRAND, isBranded } from '../protocol.js';
import { becomeWorker } from '../registry.js';
import type { CheckedSpec } from '../spec.js';
import { exportsFunctions, isAnotherSpec, specOfModule } from '../spec.js';
import type { Wire } from '../wire.js';
import { advancedWire, JsonWire } from '../wire.js';
import { loadModule } from './load.js';
import type { Wanted } from './not-found.js';
import { another, missing, several } from './not-found.js';
import { Runner } from './runner.js';
import { wireOverFiles } from './shared-files.js';
import { watchStreams } from './streams.js';
import { onFirstSubprocess } from './subprocesses.js';
import { watchParent } from './watchdog.js';

/**
 * The forked entry: takes hold of the channel, loads the user's module, finds the wanted factory's spec in it, and
 * binds a runner to the channel.
 *
 * Order: the channel's listener comes first, before any of the user's code, with everything that is needed of
 * `process` and the globals taken then, since the user's code may replace them. While the module loads the channel is
 * unref'ed: a loop that drains without the wanted factory means that it will never be constructed.
 *
 * Phases: `loading` → `found` (spec known, module maybe still evaluating) → `loaded` (told the manager) → `running`
 * (its number came) → `leaving`.
 */

const send = process.send?.bind(process);
const exit = process.exit.bind(process);
const microtask = queueMicrotask;
const parent = process.ppid;
const emit = process.emit.bind(process) as (...args: unknown[]) => boolean;
const on = process.on.bind(process) as (name: string, listener: Listener) => unknown;
const listeners = process.listeners.bind(process) as (name: string) => unknown[];
const printed = watchStreams();

/** Milliseconds that a module has to finish evaluating, or to start the wanted factory, once it started another one. */
const EVALUATION_MS = 1000;

/** Milliseconds for a last message to get to the manager. */
const WAY_MS = 50;

let phase: 'loading' | 'found' | 'loaded' | 'running' | 'leaving' = 'loading';
/** Whether the module has run to its end: what is constructed later is ready as soon as it is found. */
let evaluated = false;
let wanted: Wanted | undefined;
let init: InitMessage | undefined;
let spec: CheckedSpec | undefined;
let runner: Runner | undefined;
/** Its number, once it came. */
let ownId: number | undefined;
let lastSent: Promise<void> | undefined;
let loadingSince = 0;
let wire: Wire = advancedWire;
/** Whether the files that the manager sent along did not get here. */
let lacksFiles = false;

/** Sends a message; a promise where the channel is full, settled when it is on its way. */
function say(message: ChildMessage | SubprocessMessage): Promise<void> | undefined {
  if (send === undefined || !process.connected) return undefined;
  let sent: (() => void) | undefined;
  const done = new Promise<void>((resolve) => {
    sent = resolve;
  });
  const room = send(wire.pack(message), undefined, undefined, () => sent?.());
  lastSent = done;
  return room ? undefined : done;
}

/** Resolves when all that was said is on its way: messages are written in order, so the last one's turn is all's. */
function flushed(): Promise<void> {
  return lastSent ?? Promise.resolve();
}

function takeChannel(): void {
  listen();
  process.channel?.ref();
  // Ours are taken before the user's listeners see them.
  process.emit = ((name: string | symbol, ...args: unknown[]) => {
    const [message] = args;
    if (name === 'exit') exiting();
    if (name === 'message' && isBranded(message)) {
      receive(wire.unpack(message) as ManagerMessage);
      return true;
    }
    return emit(name, ...args);
  }) as typeof process.emit;
}

/** Messages are only read while somebody listens for them. */
function heard(): void {}

type Listener = (...args: never[]) => void;

const OURS: readonly (readonly [string, Listener])[] = [
  ['message', heard],
  ['disconnect', orphaned],
  ['beforeExit', drained],
  ['uncaughtExceptionMonitor', dying],
  ['removeListener', removed],
];

/** Attaches our listeners, those that are missing. */
function listen(): void {
  for (const [name, listener] of OURS) if (!listeners(name).includes(listener)) on(name, listener);
}

/** Whoever removes all listeners must not cut us off. */
function removed(_: string | symbol, listener: unknown): void {
  if (OURS.some(([, ours]) => ours === listener)) microtask(listen);
}

/** A job called `process.exit`: what others of its batch came to is known here alone. */
function exiting(): void {
  runner?.flush();
}

function dying(error: unknown): void {
  exiting();
  const { running = [], finishing = false } = runner ?? {};
  say({ brand: BRAND, type: 'uncaught', error: errorToWire(error), running, finishing });
}

/** The manager has gone, or a job closed the channel: nothing we do can be reported. */
function orphaned(): void {
  if (phase === 'leaving') return;
  try {
    // With everything that jobs started. The manager's own group is another one.
    if (process.platform !== 'win32') process.kill(-process.pid, 'SIGKILL');
  } finally {
    exit(1);
  }
}

function receive(message: ManagerMessage): void {
  switch (message.type) {
    case 'init':
      void load(message);
      return;
    case 'begin':
      ownId = message.id;
      systemClock.soon(begin);
      return;
    case 'jobs':
      runInside('job', () => runner?.accept(message));
      return;
    case 'finish':
      void finish();
      return;
    case 'abort':
      void abort();
      return;
    default:
      message satisfies never;
  }
}

async function load(message: InitMessage): Promise<void> {
  init = message;
  if (message.files !== undefined) {
    const wired = wireOverFiles(message.files);
    lacksFiles = wired === undefined;
    wire = wired ?? new JsonWire(undefined, undefined);
  }
  loadingSince = systemClock.now();
  // From here on only the user's module keeps the loop going.
  process.channel?.unref();
  wanted = { module: message.module.id, factory: message.factory };
  if (message.managerPid !== 0 && process.ppid !== message.managerPid) orphaned();
  if (message.watchdog) watchParent(parent);
  // The kernel's parent-death signal ends this process alone.
  onFirstSubprocess(() => void say({ brand: BRAND, type: 'subprocess' }));
  process.argv = [...message.argv];
  becomeWorker({ constructed, started });
  try {
    const evaluating = loadModule(message.module);
    // Most have found it by now, and the first timer of a process takes it half a millisecond.
    if (phase === 'loading') {
      const { startupTimeout } = message;
      // The manager's time began with the fork, and what is said here has to get there before it is over.
      const left = startupTimeout - Math.min(startupTimeout / 10, WAY_MS) - process.uptime() * 1000;
      systemClock.after(Math.max(1, left), tooLate).unref();
    }
    const namespace = await evaluating;
    if (message.factory === 'exports') found(specOfModule(namespace, message.module.id, false));
    if (message.factory === 'only' && phase === 'loading' && exportsFunctions(namespace)) {
      found(specOfModule(namespace, message.module.id));
    }
    evaluated = true;
    announce();
  } catch (error) {
    fail(error instanceof SpecError ? 'spec' : 'load', error);
  }
}

function constructed(module: string, ordinal: FactoryRef, checked: CheckedSpec): void {
  if (wanted === undefined || !isWanted(module, ordinal)) return;
  if (wanted.factory === 'only' && ordinal !== 0) {
    fail('spec', new SpecError(several(wanted.module)));
    return;
  }
  if (isAnotherSpec(init?.texts ?? [], checked, moduleText)) {
    fail('spec', new SpecError(another(wanted)));
    return;
  }
  found(checked);
  if (evaluated) systemClock.soon(announce);
}

function moduleText(): string {
  const { id = '' } = init?.module ?? {};
  return readFileSync(id.startsWith('file:') ? new URL(id) : id, 'utf8');
}

function found(checked: CheckedSpec): void {
  spec ??= checked;
  if (phase === 'loading') phase = 'found';
}

/**
 * A factory's `start()` was called: a module that awaits it never finishes evaluating. Where it was another factory's,
 * nobody can say whether it is awaited: then the module gets its time.
 */
function started(module: string, ordinal: FactoryRef): void {
  if (isWanted(module, ordinal)) systemClock.soon(announce);
  else systemClock.after(EVALUATION_MS, announce).unref();
}

function isWanted(module: string, ordinal: FactoryRef): boolean {
  if (wanted === undefined || !isSameModule(module, wanted.module)) return false;
  return wanted.factory === 'only' || ordinal === wanted.factory;
}

function announce(): void {
  if (phase !== 'found') return;
  phase = 'loaded';
  process.channel?.ref();
  const took = systemClock.now() - loadingSince;
  say({ brand: BRAND, type: 'loaded', took, ...(lacksFiles ? { lacksFiles } : {}) });
  systemClock.soon(begin);
}

/** The loop has nothing left to do. */
function drained(): void {
  if (phase === 'found') announce();
  else if (phase === 'loading' && wanted !== undefined)
    fail('spec', new SpecError(missing(wanted, 'has nothing left to do')));
}

function tooLate(): void {
  if (phase === 'loading' && wanted !== undefined)
    fail('spec', new SpecError(missing(wanted, 'is still waiting for something')));
}

/**
 * With its number, which may have come before or after the module was loaded; a turn of the loop later, so that what the
 * module left behind (a rejection that nobody handles, say) ends a start and no job.
 */
function begin(): void {
  const id = ownId;
  if (id === undefined || spec === undefined || init === undefined || phase !== 'loaded') return;
  phase = 'running';
  runner = new Runner(
    spec,
    { send: say },
    {
      concurrency: init.concurrency,
      timeout: init.timeout,
      maxMemory: init.maxMemory,
      machine: init.machine,
      rss: process.memoryUsage.rss,
      peakRss: peakRssSampler(systemClock),
      clock: systemClock,
      abandons: false,
    },
  );
  // A startup that throws has been reported; the manager ends us.
  const running = runner;
  void runInside('job', () => running.begin(id));
}

async function finish(): Promise<void> {
  // Only what has started up has anything to finish; a failed start was reported, and the manager ends us.
  if ((await runInside('job', () => runner?.finish())) === false) return;
  leave();
}

async function abort(): Promise<void> {
  await runner?.abort();
  leave();
}

/** It can't go on, and says why. */
function fail(fatal: FatalPhase, error: unknown): void {
  leave({ brand: BRAND, type: 'fatal', phase: fatal, error: errorToWire(error) });
}

/**
 * Leaves, if it is not leaving yet, when all that was said and printed is on its way: an exit cuts off what is still queued.
 * @param last why it failed
 */
function leave(last?: ChildMessage): void {
  if (phase === 'leaving') return;
  phase = 'leaving';
  runner?.flush();
  if (last !== undefined) say(last);
  void Promise.all([flushed(), printed()]).then(() => exit(last === undefined ? 0 : 1));
}

if (send === undefined) {
  process.stderr.write(
    'threadfactory: bootstrap.cjs is the entry of its worker processes and is not run by hand.\n',
  );
  exit(2);
} else {
  takeChannel();
}
