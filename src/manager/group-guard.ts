import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Ends what workers have started when the manager is SIGKILLed. The kernel's parent-death signal ends the workers
 * themselves, but not their subprocesses, and a worker that is killed that way can end nobody any more.
 *
 * A shell of a few hundred KB reads which process groups live and waits for the end of its input, which comes with the
 * manager's end, whatever that was. It sits in a session of its own, lives as long as there are such workers, and keeps
 * the manager's process alive for nothing. There is none until a worker starts a process: forking one out of the manager
 * took a tenth of a short run.
 */

const SCRIPT = `
groups=' '
while read -r sign pid; do
  case $sign in
    +) groups="$groups$pid " ;;
    -) groups="\${groups%% $pid *} \${groups#* $pid }" ;;
  esac
done
for pid in $groups; do kill -9 -$pid; done
`;

export class GroupGuard {
  private shell: ChildProcess | undefined;
  private readonly groups = new Set<number>();

  /** @param pid the leader of a process group that lives, added once */
  add(pid: number): void {
    this.groups.add(pid);
    this.shell ??= startShell();
    this.tell(`+ ${pid}`);
  }

  /** @param pid one that was added and has gone: its number may soon be somebody else's */
  remove(pid: number): void {
    if (!this.groups.delete(pid)) return;
    this.tell(`- ${pid}`);
    if (this.groups.size > 0) return;
    this.shell?.stdin?.end();
    this.shell = undefined;
  }

  private tell(line: string): void {
    this.shell?.stdin?.write(`${line}\n`);
  }
}

function startShell(): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', SCRIPT], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without it a manager's SIGKILL leaves subprocesses of workers behind, and nothing else changes.
  shell.on('error', () => {});
  shell.stdin?.on('error', () => {});
  shell.unref();
  (shell.stdin as Socket | undefined)?.unref?.();
  return shell;
}
