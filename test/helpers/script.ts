import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** What a script printed and how it ended. */
export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
  readonly signal: string | null;
  /** The JSON lines it printed; throws where a line that looks like one is none. */
  readonly said: unknown[];
  /** The folder it ran in. */
  readonly folder: string;
}

/** How most scripts of the tests begin: the class, and `say`, which prints a JSON line. */
export const HEAD =
  "const ThreadFactory = require('threadfactory');\nconst say = (x) => console.log(JSON.stringify(x));\n";

/** Defines `hang()` in a script: it holds the event loop as an endless loop does, and takes no core from the tests beside it. */
export const HANG = 'const hang = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);\n';

const folders: string[] = [];
const running = new Set<ChildProcess>();

/** A temporary folder with these files, in which `threadfactory` is the built package. */
export async function project(files: Record<string, string>, name = 'plain'): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'threadfactory-'));
  folders.push(root);
  const folder = join(root, name);
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), text);
  }
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  await symlink(resolve(import.meta.dirname, '../..'), join(folder, 'node_modules/threadfactory'));
  return folder;
}

/** Ends what a test that ran out of time left running, and removes all folders made by `project`. */
export async function removeProjects(): Promise<void> {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}

/** How to run a script. */
export interface RunOptions {
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** What runs the file in place of this Node, and what comes after the file. */
  readonly program?: string;
  readonly args?: readonly string[];
  /** Called with what was printed so far and the process, for tests that interfere. */
  readonly onOutput?: (stdout: string, pid: number, type: (text: string) => void) => void;
  /** Whether something is typed into it, by the last argument of `onOutput`. */
  readonly typed?: boolean;
}

/** Runs a script of a project with this Node to its end. */
export async function runIn(folder: string, file: string, options: RunOptions = {}): Promise<Ran> {
  const { NODE_OPTIONS: _, ...clean } = process.env;
  const child = spawn(
    options.program ?? process.execPath,
    [...(options.flags ?? []), file, ...(options.args ?? [])],
    {
      cwd: folder,
      env: { ...clean, ...options.env },
      stdio: [options.typed === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    },
  );
  running.add(child);
  child.once('close', () => running.delete(child));
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    options.onOutput?.(stdout, child.pid ?? 0, (text) => child.stdin?.write(text));
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolvePromise) => {
    child.once('close', (...ended) => resolvePromise(ended));
  });
  return {
    stdout,
    stderr,
    code,
    signal,
    folder,
    get said(): unknown[] {
      const lines = stdout.split('\n').filter((line) => line.startsWith('{') || line.startsWith('['));
      return lines.map((line) => JSON.parse(line) as unknown);
    },
  };
}

/** A project of one CommonJS script, run to its end. */
export async function script(
  text: string,
  options: RunOptions & { readonly file?: string } = {},
): Promise<Ran> {
  const { file = 'main.cjs' } = options;
  return await runIn(await project({ [file]: text }), file, options);
}

/** Whether a process lives. One that is dead and has not been collected by its new parent does not. */
export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch (error) {
    // Signalled, but there is no /proc to ask.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync('/proc/self');
  }
}

/** Resolves when none of the processes lives; rejects after `limit` milliseconds. */
export async function allGone(pids: readonly number[], limit = 2000): Promise<void> {
  const deadline = performance.now() + limit;
  while (pids.some(lives)) {
    if (performance.now() > deadline) throw new Error(`still alive: ${pids.filter(lives).join(', ')}`);
    await new Promise((resolvePromise) => setTimeout(resolvePromise, 20));
  }
}
