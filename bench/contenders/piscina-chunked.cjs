'use strict';
const path = require('node:path');

/** piscina with arrays of 1 000 jobs, cut and joined by hand. */
exports.open = ({ workers }) => {
  const { Piscina } = require('piscina');
  const pool = new Piscina({
    filename: path.join(__dirname, 'workers/chunked.cjs'),
    minThreads: workers,
    maxThreads: workers,
  });
  return {
    chunk: 1000,
    submit: (jobs, done) => {
      pool.run(jobs).then((results) => done(null, results), done);
    },
    close: () => pool.destroy(),
  };
};
