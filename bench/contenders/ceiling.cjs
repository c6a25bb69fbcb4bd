'use strict';
const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { spin } = require('../work/functions.cjs');
const { jobMaker } = require('../work/jobs.cjs');

/**
 * The jobs of each worker, a static share: of skewed ones such that all have as much to do, by whoever knows how long each
 * takes.
 */
function shares(spec) {
  const { count, workers } = spec;
  if (spec.jobs !== 'skewed') {
    const bound = (id) => Math.floor((count * id) / workers);
    return Array.from({ length: workers }, (_, id) => ({ from: bound(id), to: bound(id + 1) }));
  }
  const make = jobMaker(spec);
  const longestFirst = Array.from({ length: count }, (_, i) => make(i)).sort((a, b) => b.n - a.n);
  const parts = Array.from({ length: workers }, () => ({ indices: [], n: 0 }));
  for (const { i, n } of longestFirst) {
    const part = parts.reduce((least, other) => (other.n < least.n ? other : least));
    part.indices.push(i);
    part.n += n;
  }
  return parts.map(({ indices }) => ({ indices: indices.sort((a, b) => a - b) }));
}

function expectedSum(spec) {
  const make = jobMaker(spec);
  const hash = spec.jobs === 'equal' ? spin(make(0).n) : 0;
  let sum = 0;
  for (let i = 0; i < spec.count; i++) sum = (sum + (spec.jobs === 'equal' ? hash ^ i : i)) | 0;
  return sum;
}

function resultsOf(parts, answers) {
  const results = [];
  for (const [id, { indices }] of parts.entries())
    for (const [at, index] of indices.entries()) results[index] = answers[id].results[at];
  return results;
}

/** Bare forked children that hold their share of the jobs already: the least time the work can take. */
exports.measure = async ({ spec }) => {
  const parts = shares(spec);
  const children = parts.map((share) => {
    const child = fork(path.join(__dirname, 'ceiling-child.cjs'));
    child.send({ spec, share });
    return child;
  });
  const answersOfAll = () => Promise.all(children.map(async (child) => (await once(child, 'message'))[0]));
  await answersOfAll();
  const exits = children.map((child) => once(child, 'exit'));
  const start = performance.now();
  const answered = answersOfAll();
  for (const child of children) child.send('go');
  const answers = await answered;
  const ms = performance.now() - start;
  await Promise.all(exits);
  if (spec.jobs === 'skewed') return { ms, results: resultsOf(parts, answers) };
  const sum = answers.reduce((total, answer) => (total + answer.sum) | 0, 0);
  if (sum !== expectedSum(spec)) throw new Error('wrong checksum');
  return { ms };
};
