'use strict';
// Feeds a pool of calls: at most `inFlight` of them open, the next one pulled when one ends.
const { WARM } = require('../work/functions.cjs');

/** Calls until every worker has answered, so that nobody's start-up is on the clock. */
async function warmUp(pool, workers) {
  const seen = new Set();
  const deadline = Date.now() + 20_000;
  while (seen.size < workers) {
    if (Date.now() > deadline) throw new Error(`only ${seen.size} of ${workers} workers answered in 20 s`);
    const answers = Array.from(
      { length: workers * 2 },
      () =>
        new Promise((resolve, reject) => {
          pool.submit(WARM, (error, identity) => (error ? reject(error) : resolve(identity)));
        }),
    );
    for (const identity of await Promise.all(answers)) seen.add(identity);
  }
}

/** Where results go: into their places, or (lazy runs) into a sum. */
function collector(spec) {
  const results = spec.keep ? new Array(spec.count) : undefined;
  const state = { results, settled: 0, sum: 0 };
  state.put = (index, result) => {
    state.settled++;
    if (results) results[index] = result;
    else state.sum += result.i;
  };
  return state;
}

/** An array or a synchronous generator: each call that ends pulls the next, no await between. */
function feedSync({ pool, spec, source, collected }) {
  const iterator = source[Symbol.iterator]();
  const chunk = pool.chunk;
  return new Promise((resolve, reject) => {
    let taken = 0;
    let exhausted = false;
    const pull = () => {
      if (chunk === undefined) {
        const { done, value } = iterator.next();
        exhausted = done === true;
        return value;
      }
      const jobs = [];
      while (jobs.length < chunk) {
        const { done, value } = iterator.next();
        if (done) {
          exhausted = true;
          break;
        }
        jobs.push(value);
      }
      return jobs;
    };
    const submit = () => {
      const job = pull();
      if (exhausted && (chunk === undefined || job.length === 0)) return;
      const index = taken;
      taken += chunk === undefined ? 1 : job.length;
      pool.submit(job, (error, result) => {
        if (error) return reject(error);
        if (chunk === undefined) collected.put(index, result);
        else for (let k = 0; k < result.length; k++) collected.put(index + k, result[k]);
        if (collected.settled === spec.count) resolve();
        else if (!exhausted) submit();
      });
    };
    for (let i = 0; i < inFlightOf(pool, spec) && !exhausted; i++) submit();
  });
}

/** An async generator: a loop that pulls, and waits while the pool is full. */
async function feedAsync({ pool, spec, source, collected }) {
  const limit = inFlightOf(pool, spec);
  let open = 0;
  let taken = 0;
  let wake = () => {};
  let failure;
  const send = (job, size) => {
    const index = taken;
    taken += size;
    open++;
    pool.submit(job, (error, result) => {
      open--;
      if (error) failure ??= error;
      else if (pool.chunk === undefined) collected.put(index, result);
      else for (let k = 0; k < result.length; k++) collected.put(index + k, result[k]);
      wake();
    });
  };
  const room = async (free) => {
    while (open > free) {
      await new Promise((resolve) => {
        wake = resolve;
      });
      if (failure) throw failure;
    }
  };
  let jobs = [];
  for await (const job of source) {
    if (pool.chunk === undefined) {
      if (open >= limit) await room(limit - 1);
      send(job, 1);
    } else if (jobs.push(job) === pool.chunk) {
      if (open >= limit) await room(limit - 1);
      send(jobs, jobs.length);
      jobs = [];
    }
  }
  if (jobs.length > 0) send(jobs, jobs.length);
  await room(0);
  if (failure) throw failure;
}

function inFlightOf(pool, spec) {
  // A call of a thousand jobs counts as a thousand: a few such calls keep every worker busy.
  return pool.chunk === undefined ? spec.inFlight : 4 * spec.workers;
}

module.exports = { warmUp, collector, feedSync, feedAsync };
