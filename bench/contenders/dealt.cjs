'use strict';
const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');

/**
 * Bare forked children that are dealt the list by hand, a job a message, with one waiting in each: the least that it takes
 * to give each job to whoever is free. No error, no crash, no event and no order to keep.
 */
exports.measure = async ({ spec, source, atEnd }) => {
  const children = Array.from({ length: spec.workers }, () =>
    fork(path.join(__dirname, 'dealt-child.cjs'), [spec.work]),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
  const results = new Array(source.length);
  let next = 0;
  let left = source.length;
  const start = performance.now();
  const deal = (child) => {
    if (next === source.length) return;
    child.send([next, source[next]]);
    next++;
  };
  await new Promise((resolve) => {
    for (const child of children) {
      child.on('message', ([at, result]) => {
        results[at] = result;
        deal(child);
        if (--left === 0) resolve();
      });
    }
    for (let waiting = 0; waiting < 2; waiting++) for (const child of children) deal(child);
  });
  const ms = performance.now() - start;
  atEnd();
  for (const child of children) child.disconnect();
  return { ms, results };
};
