import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { RedisServer } from './redis.js';
import { project } from './script.js';

/** Managers and machines as processes, to be killed. */

/** A process and what it has printed. */
export class Running {
  said = '';
  private readonly waiting = new Set<() => void>();

  constructor(readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => {
        this.said += text.toString();
        for (const look of this.waiting) look();
      });
    }
    child.once('close', () => {
      for (const look of this.waiting) look();
    });
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Resolves when it has printed this; rejects if it ends before. */
  async says(what: string | RegExp): Promise<void> {
    const isSaid = (): boolean =>
      typeof what === 'string' ? this.said.includes(what) : what.test(this.said);
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (isSaid()) resolve();
        else if (this.hasEnded) reject(new Error(`It ended without saying ${what}: ${this.said}`));
        else return;
        this.waiting.delete(look);
      };
      this.waiting.add(look);
      look();
    });
  }

  /** Resolves when it has ended and all it said was heard. */
  async ended(): Promise<void> {
    if (!this.hasEnded || this.child.stdout?.readable === true) await once(this.child, 'close');
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.hasEnded) return;
    const gone = once(this.child, 'exit');
    this.child.kill(signal);
    await gone;
  }
}

/** A folder with the script and the machine, and what runs there. */
export class Fleet {
  private readonly processes: Running[] = [];
  private hasEnded = false;

  private constructor(
    readonly folder: string,
    private readonly server: RedisServer,
  ) {}

  /** One of another folder. */
  static of(folder: string, server: RedisServer): Fleet {
    return new Fleet(folder, server);
  }

  static async in(server: RedisServer): Promise<Fleet> {
    const read = (file: string): Promise<string> =>
      readFile(join(import.meta.dirname, '../conformance', file), 'utf8');
    const [script, machine] = await Promise.all([read('cluster.cjs'), read('machine.cjs')]);
    return new Fleet(await project({ 'job.cjs': script, 'machine.cjs': machine }), server);
  }

  machine(name: string, env: NodeJS.ProcessEnv = {}): Running {
    return this.run(['machine.cjs', './job.cjs', name], env);
  }

  manager(env: NodeJS.ProcessEnv): Running {
    return this.run(['job.cjs'], env);
  }

  /** `threadfactory work` in the folder. */
  command(...args: string[]): Running {
    return this.run([join(import.meta.dirname, '../../dist/cli.cjs'), 'work', ...args], {});
  }

  /** Another script of the folder, after flags of Node's. */
  script(...args: string[]): Running {
    return this.run(args, {});
  }

  /** Nothing can be started after it. */
  async end(): Promise<void> {
    this.hasEnded = true;
    await Promise.all(this.processes.map((running) => running.kill()));
  }

  private run(args: readonly string[], env: NodeJS.ProcessEnv): Running {
    if (this.hasEnded) throw new Error('The fleet has ended');
    const { NODE_OPTIONS: _, ...clean } = process.env;
    const child = spawn(process.execPath, args, {
      cwd: this.folder,
      env: { ...clean, REDIS_URL: this.server.url, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = new Running(child);
    this.processes.push(running);
    return running;
  }
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What came of a run through kills. */
export interface Survival {
  readonly summary: Record<string, number>;
  /** Settled lines of the journal, by job index. */
  readonly recorded: ReadonlyMap<number, number>;
  /** Of the machine, in the time of the first manager and of the second. */
  readonly machineKills: readonly [number, number];
}

/** How many jobs a manager has told of. */
function toldBy(manager: Running): number {
  const told = manager.said.match(/told \d+\n/g)?.at(-1) ?? '';
  return Number(/\d+/.exec(told)?.[0] ?? 0);
}

/**
 * Two machines do many jobs while one of them is SIGKILLed and started again after random numbers of jobs, at least once
 * in the time of each manager and between them, and the manager once, in the middle.
 */
export async function survive(
  server: RedisServer,
  options: {
    readonly jobs: number;
    readonly workMs: number;
    readonly seed: number;
    /** A machine is killed each time 0.2 to 1.2 times as many jobs are told: at most a sixth of the jobs. */
    readonly everyJobs: number;
    /** Of each machine. */
    readonly workers: number;
  },
): Promise<Survival> {
  const { jobs, workMs, seed, everyJobs, workers } = options;
  const next = random(seed);
  const fleet = await Fleet.in(server);
  onTestFinished(() => fleet.end());
  const journal = join(fleet.folder, 'run.jsonl');
  const env = { JOBS: `${jobs}`, JOURNAL: journal, WORK_MS: `${workMs}` };
  const machineEnv = { WORKERS: `${workers}` };
  const startVictim = async (): Promise<Running> => {
    const victim = fleet.machine('victim', machineEnv);
    await victim.says('works');
    return victim;
  };
  await fleet.machine('steady', machineEnv).says('works');
  let victim = await startVictim();
  /** @returns how often */
  const killUntilEnd = async (manager: Running): Promise<number> => {
    for (let kills = 0; ; kills += 1) {
      const mark = Math.ceil((toldBy(manager) + everyJobs * (0.2 + next())) / 100) * 100;
      const isReached = await manager.says(`told ${mark}\n`).then(
        () => true,
        () => false,
      );
      if (!isReached) return kills;
      await victim.kill();
      victim = await startVictim();
    }
  };
  const share = Math.floor((jobs * (0.3 + 0.4 * next())) / 100) * 100;
  const first = fleet.manager({ ...env, HALT_AT: `${share}` });
  const [withFirst] = await Promise.all([
    killUntilEnd(first),
    first.says(`told ${share}\n`).then(() => first.kill()),
  ]);
  // And once while there is no manager.
  await victim.kill();
  victim = await startVictim();
  const second = fleet.manager(env);
  const withSecond = await killUntilEnd(second);
  await second.ended();
  const line = second.said.split('\n').find((said) => said.startsWith('{'));
  if (line === undefined) throw new Error(`The second manager said no summary: ${second.said}`);
  const recorded = new Map<number, number>();
  for (const text of (await readFile(journal, 'utf8')).split('\n')) {
    if (text === '') continue;
    const { type, index } = JSON.parse(text) as { type: string; index: number };
    if (type === 'completed' || type === 'failed') recorded.set(index, (recorded.get(index) ?? 0) + 1);
  }
  return {
    summary: JSON.parse(line) as Record<string, number>,
    recorded,
    machineKills: [withFirst, withSecond],
  };
}
