'use strict';
const path = require('node:path');

/** jest-worker, on child processes (always advanced serialisation) or worker threads. */
exports.open = ({ workers, kind }) => {
  const { Worker } = require('jest-worker');
  const pool = new Worker(path.join(__dirname, 'workers/named.cjs'), {
    numWorkers: workers,
    enableWorkerThreads: kind === 'threads',
    exposedMethods: ['work'],
  });
  return {
    submit: (job, done) => {
      pool.work(job).then((result) => done(null, result), done);
    },
    close: () => pool.end(),
  };
};
