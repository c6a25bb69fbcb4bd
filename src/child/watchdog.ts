/**
 * Ends a child whose manager has gone, where the kernel does not: a second event loop, since the first may be busy in
 * a synchronous loop. It polls the parent's pid, which changes when the parent dies, and kills the process group.
 */

const POLL_MS = 200;

const SOURCE = `
  const parent = require('node:worker_threads').workerData;
  setInterval(() => {
    if (process.ppid === parent) return;
    try { process.kill(-process.pid, 'SIGKILL'); } catch { process.kill(process.pid, 'SIGKILL'); }
  }, ${POLL_MS});
`;

/**
 * Starts watching. The watcher keeps nothing alive.
 * @param parent the pid to watch, as this thread knows it: by the time the watcher runs, the parent may have gone
 */
export function watchParent(parent: number): void {
  // Loading it takes 5 ms, and few children need it.
  const { Worker } = require('node:worker_threads') as typeof import('node:worker_threads');
  try {
    const watcher = new Worker(SOURCE, {
      workerData: parent,
      eval: true,
      stdout: false,
      stderr: false,
      execArgv: [],
      env: {},
    });
    watcher.unref();
    watcher.on('error', () => {});
  } catch {
    // A process that may have no second thread (`--permission`) still leaves on `disconnect`.
  }
}
