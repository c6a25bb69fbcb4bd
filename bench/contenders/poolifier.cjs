'use strict';
const path = require('node:path');

/** poolifier: a fixed pool of worker threads, or of cluster workers. */
exports.open = ({ workers, kind, bytes }) => {
  const { FixedClusterPool, FixedThreadPool } = require('poolifier');
  const pool =
    kind === 'threads'
      ? new FixedThreadPool(workers, path.join(__dirname, 'workers/poolifier-thread.cjs'))
      : new FixedClusterPool(workers, path.join(__dirname, 'workers/poolifier-cluster.cjs'), {
          ...(bytes ? { settings: { serialization: 'advanced' } } : {}),
        });
  return {
    submit: (job, done) => {
      pool.execute(job).then((result) => done(null, result), done);
    },
    close: () => pool.destroy(),
  };
};
