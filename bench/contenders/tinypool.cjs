'use strict';
const path = require('node:path');

/** tinypool, on worker threads or child processes. */
exports.open = async ({ workers, kind, bytes }) => {
  const { Tinypool } = await import('tinypool');
  const pool = new Tinypool({
    filename: path.join(__dirname, 'workers/plain.cjs'),
    runtime: kind === 'threads' ? 'worker_threads' : 'child_process',
    // Its child processes get an empty environment otherwise.
    env: process.env,
    minThreads: workers,
    maxThreads: workers,
    ...(bytes && kind === 'processes' ? { serialization: 'advanced' } : {}),
  });
  return {
    submit: (job, done) => {
      pool.run(job).then((result) => done(null, result), done);
    },
    close: () => pool.destroy(),
  };
};
