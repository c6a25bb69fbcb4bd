'use strict';
const path = require('node:path');

/** piscina: one call a job. */
exports.open = ({ workers }) => {
  const { Piscina } = require('piscina');
  const pool = new Piscina({
    filename: path.join(__dirname, 'workers/plain.cjs'),
    minThreads: workers,
    maxThreads: workers,
  });
  return {
    submit: (job, done) => {
      pool.run(job).then((result) => done(null, result), done);
    },
    close: () => pool.destroy(),
  };
};
