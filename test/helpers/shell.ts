import { spawn } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { project } from './script.js';

/** What a command line printed, and its exit status. */
export interface Said {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number | null;
  /** The JSON lines of standard output. */
  readonly lines: Record<string, unknown>[];
}

/** A project in whose folder the command `threadfactory` is the built one. */
export async function commandProject(files: Record<string, string>): Promise<string> {
  const folder = await project(files);
  const bin = join(folder, 'node_modules', '.bin');
  await mkdir(bin);
  await symlink('../threadfactory/dist/cli.cjs', join(bin, 'threadfactory'));
  return folder;
}

/**
 * Runs a command line in bash, which fails as the first of its pipeline that does. No terminal is near. Without
 * `--norc` it would read a ~/.bashrc, since its standard input is a socket, as it is over a network.
 * @param options.onStderr called with what was said there so far and the shell's pid
 * @param options.open what is on standard input, which is left open; nothing and closed without
 */
export async function shell(
  folder: string,
  command: string,
  options: { readonly onStderr?: (stderr: string, pid: number) => void; readonly open?: string } = {},
): Promise<Said> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn('bash', ['--norc', '-c', `set -o pipefail; ${command}`], {
    cwd: folder,
    env: { ...env, PATH: `${join(folder, 'node_modules', '.bin')}:${env['PATH']}` },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  if (options.open === undefined) child.stdin.end();
  else child.stdin.write(options.open);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    options.onStderr?.(stderr, child.pid ?? 0);
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    stdout,
    stderr,
    status,
    get lines() {
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  };
}
