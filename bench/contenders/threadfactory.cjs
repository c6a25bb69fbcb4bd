'use strict';
// threadfactory loads this module in its workers too: there `measure` is never called, and only the work
// function and the startup below are used.
const { readdirSync, writeFileSync } = require('node:fs');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { byId } = require('./index.cjs');
const { functions } = require('../work/functions.cjs');

const ThreadFactory = require(process.env.BENCH_THREADFACTORY);
const spec = JSON.parse(process.env.BENCH_SPEC);

/** Lets every worker become ready at once, so that the clock starts with all of them there, as it does for peers. */
async function untilAllAreHere(context) {
  writeFileSync(path.join(process.env.BENCH_BARRIER, String(context.id)), '');
  const deadline = Date.now() + 10_000;
  const isHere = (name) => /^\d+$/.test(name);
  while (readdirSync(process.env.BENCH_BARRIER).filter(isHere).length < spec.workers) {
    if (Date.now() > deadline) throw new Error('not every worker came up within 10 s');
    await sleep(1);
  }
}

/** A journal lies beside the barrier's files, on the same temporary disk, and is removed with them. */
function journalOptions({ journal, key } = {}) {
  if (!journal) return {};
  const options = { journal: path.join(process.env.BENCH_BARRIER, 'run.jsonl') };
  return key ? { ...options, key: ({ i }) => String(i) } : options;
}

let jobs;
const factory = new ThreadFactory(
  { manager: () => jobs, workerStartup: untilAllAreHere, workerProcess: functions[spec.work] },
  {
    workers: spec.workers,
    ...(spec.keep ? {} : { keepResults: false }),
    ...journalOptions(byId.get(spec.contender).options),
  },
);

/**
 * One run with default options and a listener for `completed`. From the first worker's `ready` to the last job's
 * `completed`.
 */
exports.measure = async ({ source, atEnd }) => {
  jobs = source;
  let start;
  let ms;
  let completed = 0;
  let sum = 0;
  factory.on('ready', () => {
    start ??= performance.now();
  });
  factory.on('completed', (event) => {
    completed++;
    if (!spec.keep) sum += event.result.i;
    if (completed !== spec.count) return;
    ms = performance.now() - start;
    atEnd();
  });
  const summary = await factory.start();
  if (summary.completed !== spec.count) throw new Error(`${summary.completed} of ${spec.count} completed`);
  return { ms, sum, results: spec.keep ? summary.results : undefined };
};
