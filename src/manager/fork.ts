import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { systemClock } from '../clock.js';
import { OptionError } from '../errors.js';
import type { ChildMessage, InitMessage, ManagerMessage, SubprocessMessage } from '../protocol.js';
import { BRAND, isBranded, WORKER_ARGUMENT } from '../protocol.js';
import type { Wire } from '../wire.js';
import { advancedWire, JsonWire } from '../wire.js';
import type { Child, ChildEvents, SpawnChild } from './child.js';
import { GroupGuard } from './group-guard.js';
import { LineSplitter, Tail, wholeLine } from './output.js';
import type { ParentDeathPrefix } from './pdeathsig.js';
import { isProgram } from './pdeathsig.js';
import { SharedFiles } from './shared-files.js';

/** How long the pipes of a dead process may stay open, held by something it had started. */
const PIPES_GRACE_MS = 500;

/** All that a fork depends on. */
export interface ForkOptions {
  /** The child's entry file. */
  readonly bootstrap: string;
  /** What the child is told first, but for what depends on how it was forked. */
  readonly init: Omit<InitMessage, 'brand' | 'type' | 'watchdog' | 'managerPid' | 'argv' | 'files'>;
  readonly execPath: string | undefined;
  readonly execArgv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string | undefined;
  /** `lines`: as `inherit`, but by whole lines through `print`. */
  readonly output: 'inherit' | 'lines' | 'prefix' | 'ignore';
  readonly parentDeath: ParentDeathPrefix;
  /** Where whole lines go. */
  readonly print: (stream: 'stdout' | 'stderr', line: string) => void;
}

/**
 * Forks children by these options.
 * @throws OptionError where there is no folder `cwd`: the system would say that the program is missing
 */
export function forker(options: ForkOptions): SpawnChild {
  const { cwd } = options;
  if (cwd !== undefined && statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new OptionError(
      `There is no folder ${cwd}, which the option \`cwd\` names for the workers to run in`,
    );
  // Where the kernel does not end a worker with its manager, the worker's watchdog ends its whole group.
  const guard = options.parentDeath === undefined ? undefined : new GroupGuard();
  return (events) => {
    try {
      return new ForkedChild(options, events, guard);
    } catch (error) {
      process.nextTick(() => events.exited({ code: null, signal: null, error: error as Error }));
      return NOT_FORKED;
    }
  };
}

const NOT_FORKED: Child = { pid: undefined, label() {}, send() {}, kill: () => false, stderr: () => '' };

function start(options: ForkOptions, files: readonly number[]): ChildProcess {
  const node = options.execPath ?? process.execPath;
  const prefix = prefixFor(options);
  const output = options.output === 'lines' || options.output === 'prefix' ? 'pipe' : options.output;
  return fork(options.bootstrap, [WORKER_ARGUMENT], {
    execPath: prefix?.[0] ?? node,
    execArgv: prefix === undefined ? [...options.execArgv] : [...prefix.slice(1), node, ...options.execArgv],
    env: options.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    // Bytes go through the files where there are some.
    serialization: files.length > 0 ? 'json' : 'advanced',
    // A process group of its own: the terminal's Ctrl-C reaches neither it nor what it starts, and it is killed whole.
    detached: process.platform !== 'win32',
    stdio: ['ignore', output, output === 'inherit' ? 'inherit' : 'pipe', 'ipc', ...files],
  });
}

/** setpriv would hide that there is no such program, so a wrong `execPath` goes without it. */
function prefixFor({ execPath, parentDeath }: ForkOptions): ParentDeathPrefix {
  if (parentDeath === undefined || (execPath !== undefined && !isProgram(execPath))) return undefined;
  return parentDeath;
}

/** What a job sends along, a server or a socket, is nobody's here and would keep this process alive. */
function drop(handle: unknown): void {
  const { destroy, close } = (handle ?? {}) as Partial<Record<'destroy' | 'close', () => void>>;
  (destroy ?? close)?.call(handle);
}

class ForkedChild implements Child {
  readonly pid: number | undefined;
  private readonly process: ChildProcess;
  private readonly files = SharedFiles.open();
  private wire: Wire;
  private readonly tail = new Tail();
  private readonly splitters: LineSplitter[] = [];
  private name = '?';
  private gone = false;
  /** Whether it was asked to leave in good order, and nothing else since: what its jobs left running is then meant to. */
  private leaves = false;

  constructor(
    private readonly options: ForkOptions,
    private readonly events: ChildEvents,
    private readonly guard: GroupGuard | undefined,
  ) {
    const { files } = this;
    try {
      this.process = start(options, files?.descriptors ?? []);
    } catch (error) {
      files?.close();
      throw error;
    }
    const { process } = this;
    this.wire = files === undefined ? advancedWire : new JsonWire(files.writer, files.reader);
    this.pid = process.pid;
    process.on('error', (error) => {
      // Also emitted for a message that could not be sent, which the exit will answer.
      if (process.pid === undefined) this.end({ code: null, signal: null, error });
    });
    this.capture('stdout');
    this.capture('stderr');
    process.on('message', (message: unknown, handle: unknown) => {
      drop(handle);
      if (!isBranded(message)) return;
      const said = this.wire.unpack(message) as ChildMessage | SubprocessMessage;
      // Before it was given anything that goes through them.
      if (said.type === 'loaded' && said.lacksFiles === true) this.wire = new JsonWire(undefined, undefined);
      if (said.type !== 'subprocess') events.message(said);
      else if (this.pid !== undefined && !this.gone) guard?.add(this.pid);
    });
    process.on('disconnect', () => events.disconnected());
    this.awaitExit();
    this.send({
      brand: BRAND,
      type: 'init',
      ...options.init,
      managerPid: options.execPath === undefined ? globalThis.process.pid : 0,
      // A program in between may run Node as a process of its own, which the kernel's signal does not reach.
      watchdog: prefixFor(options) === undefined || options.execPath !== undefined,
      argv: globalThis.process.argv,
      ...(files === undefined ? {} : { files: files.identities }),
    });
  }

  label(id: number): void {
    this.name = String(id);
  }

  send(message: ManagerMessage): void {
    if (message.type === 'finish' || message.type === 'abort') this.leaves = message.type === 'finish';
    // An error here means that it is going or gone: its exit says so, and its jobs are still in our books.
    if (this.process.connected) this.process.send(this.wire.pack(message), () => {});
  }

  kill(signal: 'SIGTERM' | 'SIGKILL'): boolean {
    // Of a process that has exited only the group is left, whose end was decided then.
    if (this.pid === undefined || this.process.exitCode !== null || this.process.signalCode !== null)
      return false;
    this.leaves = false;
    this.signal(signal);
    return true;
  }

  /** Signals the whole group. */
  private signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const { pid = 0 } = this;
    try {
      if (globalThis.process.platform === 'win32') this.process.kill(signal);
      else globalThis.process.kill(-pid, signal);
    } catch (error) {
      // ESRCH: it went in the meantime. EPERM: the group holds somebody else's process; then at least our child.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') this.process.kill(signal);
    }
  }

  stderr(): string {
    return this.tail.toString();
  }

  private capture(stream: 'stdout' | 'stderr'): void {
    // Not there at all where the system had no files left for it.
    const pipe: Readable | null | undefined = this.process[stream];
    if (pipe === null || pipe === undefined) return;
    const { output } = this.options;
    const shown = output === 'prefix' || output === 'lines';
    const splitter = new LineSplitter((line) => {
      if (stream === 'stderr') this.tail.push(line);
      if (shown) this.options.print(stream, wholeLine(line, output === 'prefix' ? this.name : undefined));
    });
    this.splitters.push(splitter);
    pipe.on('data', (chunk: Uint8Array) => splitter.write(chunk));
  }

  private awaitExit(): void {
    const child = this.process;
    child.once('exit', (code, signal) => {
      // A job that was cut short may have left processes behind: they go with their group.
      if (code !== 0 || !this.leaves) this.signal('SIGKILL');
      // The rest of what it said may still be on its way, but it takes nothing any more.
      this.events.disconnected();
      // What it started itself may hold its pipes for ever; what it said is here by now.
      const timer = systemClock.after(PIPES_GRACE_MS, () => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        if (child.connected) child.disconnect();
        this.end({ code, signal });
      });
      child.once('close', () => {
        systemClock.clear(timer);
        this.end({ code, signal });
      });
    });
  }

  private end(exit: Parameters<ChildEvents['exited']>[0]): void {
    if (this.gone) return;
    this.gone = true;
    this.files?.close();
    if (this.pid !== undefined) this.guard?.remove(this.pid);
    // A last line without an end belongs to its last words.
    for (const splitter of this.splitters) splitter.end();
    this.events.exited(exit);
  }
}
