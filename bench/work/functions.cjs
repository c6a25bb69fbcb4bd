'use strict';
// The work that every contender does: one module, loaded by every worker of every pool.

/** Sent to a pool before the clock starts, until every worker has answered: the answer names the worker. */
const WARM = 'bench:warm-up';

/**
 * Spins `iterations` rounds of a xorshift generator: work that only the processor does, and whose result
 * cannot be known without doing it.
 */
function spin(iterations) {
  let x = 0x9e3779b9 | 0;
  for (let i = 0; i < iterations; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
  }
  return x;
}

const functions = {
  /** A job that does nothing: what is left is the cost of the pool. */
  echo: (job) => job,
  /** `{ i, n }`: spins n iterations; the result depends on both. */
  cpu: (job) => spin(job.n) ^ job.i,
};

/** The function that peers' workers export, chosen by the environment so that each stays monomorphic. */
function workOfEnvironment() {
  const work = functions[process.env.BENCH_WORK];
  if (work === undefined) throw new Error(`unknown BENCH_WORK ${process.env.BENCH_WORK}`);
  const identity = `${process.pid}:${require('node:worker_threads').threadId}`;
  return (job) => (job === WARM ? identity : work(job));
}

module.exports = { WARM, spin, functions, workOfEnvironment };
