'use strict';
// One measurement: one contender, one workload, in a process of its own. Started by run.mjs with the case in
// BENCH_SPEC; prints one line of JSON.
const { byId } = require('./contenders/index.cjs');
const { collector, feedAsync, feedSync, warmUp } = require('./lib/feed.cjs');
const { peakOfChildren, peakOfThisProcess, sampled } = require('./lib/memory.cjs');
const { check, jobArray, jobStream } = require('./work/jobs.cjs');

/** The clock of a pool that is called job by job: from the first call to the last result. */
async function measurePool({ open, spec, source, atEnd }) {
  const pool = await open(spec);
  await warmUp(pool, spec.workers);
  const collected = collector(spec);
  const feed = spec.source === 'stream' ? feedAsync : feedSync;
  const start = performance.now();
  await feed({ pool, spec, source, collected });
  const ms = performance.now() - start;
  atEnd();
  return { ms, sum: collected.sum, results: collected.results, close: () => pool.close() };
}

let reported = false;

async function main() {
  const spec = JSON.parse(process.env.BENCH_SPEC);
  const memory = {};
  const atEnd = () => {
    if (spec.measures === 'memory') memory.peakWorkers = peakOfChildren();
  };
  const lazy = spec.source === 'lazy' ? sampled(spec.count) : undefined;
  const source = sourceOf(spec, lazy);
  const contender = require(`./contenders/${byId.get(spec.contender).module}`);
  const outcome = await (contender.measure ?? ((given) => measurePool({ open: contender.open, ...given })))({
    spec,
    source,
    atEnd,
  });
  memory.peak = peakOfThisProcess();
  const line = { ms: outcome.ms, longestMs: outcome.longestMs, ...memory, ...lazy?.report() };
  line.checksum = verify(spec, outcome);
  reported = true;
  process.stdout.write(`\nBENCH ${JSON.stringify(line)}\n`);
  // Not before: in some versions a pool's own end does not always settle.
  await outcome.close?.();
}

function sourceOf(spec, lazy) {
  if (lazy) return lazy.jobs();
  if (spec.source === 'stream') return jobStream(spec);
  return spec.contender === 'ceiling' ? [] : jobArray(spec);
}

function verify(spec, outcome) {
  // The ceiling has compared those that stay in its children.
  if (spec.contender === 'ceiling' && outcome.results === undefined) return undefined;
  if (spec.keep) return check(spec, outcome.results);
  if (outcome.sum !== (spec.count * (spec.count - 1)) / 2) throw new Error('wrong sum of results');
  return outcome.sum;
}

process.once('beforeExit', (code) => {
  // Nothing left to wait for, yet no figures: a pool has lost a job.
  if (reported || code !== 0) return;
  process.stderr.write('the program ran dry before every job had settled\n');
  process.exitCode = 1;
});

main().catch((error) => {
  process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
});
