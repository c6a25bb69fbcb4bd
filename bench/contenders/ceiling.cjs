'use strict';
const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { spin } = require('../work/functions.cjs');
const { jobMaker } = require('../work/jobs.cjs');

function expectedSum(spec) {
  const make = jobMaker(spec);
  const hash = spec.jobs === 'equal' ? spin(make(0).n) : 0;
  let sum = 0;
  for (let i = 0; i < spec.count; i++) sum = (sum + (spec.jobs === 'equal' ? hash ^ i : i)) | 0;
  return sum;
}

/** Bare forked children that hold their static share of equal jobs already: the least time the work can take. */
exports.measure = async ({ spec }) => {
  const share = (id) => Math.floor((spec.count * id) / spec.workers);
  const children = Array.from({ length: spec.workers }, () =>
    fork(path.join(__dirname, 'ceiling-child.cjs')),
  );
  await Promise.all(
    children.map((child, id) => {
      child.send({ spec, from: share(id), to: share(id + 1) });
      return once(child, 'message');
    }),
  );
  const exits = children.map((child) => once(child, 'exit'));
  const start = performance.now();
  const replies = children.map((child) => once(child, 'message'));
  for (const child of children) child.send('go');
  const answers = await Promise.all(replies);
  const ms = performance.now() - start;
  await Promise.all(exits);
  const sum = answers.reduce((total, [answer]) => (total + answer.sum) | 0, 0);
  if (sum !== expectedSum(spec)) throw new Error('wrong checksum');
  return { ms };
};
