import { Worker } from 'node:worker_threads';

/**
 * Ends a child whose manager has gone, where the kernel does not: a second event loop, since the first may be busy in
 * a synchronous loop. It polls the parent's pid, which changes when the parent dies, and kills the process group.
 */

const POLL_MS = 200;

const SOURCE = `
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid === parent) return;
    try { process.kill(-process.pid, 'SIGKILL'); } catch { process.kill(process.pid, 'SIGKILL'); }
  }, ${POLL_MS});
`;

/** Starts watching. The watcher keeps nothing alive. */
export function watchParent(): void {
  const watcher = new Worker(SOURCE, { eval: true, stdout: false, stderr: false, execArgv: [], env: {} });
  watcher.unref();
  // A process that may have no second thread still leaves on `disconnect`.
  watcher.on('error', () => {});
}
