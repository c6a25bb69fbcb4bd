'use strict';
const path = require('node:path');

/** workerpool, on worker threads or child processes. */
exports.open = ({ workers, kind, bytes }) => {
  const workerpool = require('workerpool');
  const pool = workerpool.pool(path.join(__dirname, 'workers/workerpool.cjs'), {
    workerType: kind === 'threads' ? 'thread' : 'process',
    minWorkers: workers,
    maxWorkers: workers,
    ...(bytes && kind === 'processes' ? { forkOpts: { serialization: 'advanced' } } : {}),
  });
  return {
    submit: (job, done) => {
      pool.exec('work', [job]).then((result) => done(null, result), done);
    },
    close: () => pool.terminate(),
  };
};
