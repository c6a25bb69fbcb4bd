'use strict';
const { functions } = require('../work/functions.cjs');

/** The same work in one loop, in this process: what parallel work has to beat, and the bound for skewed jobs. */
exports.measure = ({ spec, source }) => {
  const work = functions[spec.work];
  const results = new Array(spec.count);
  let longest = 0;
  const start = performance.now();
  if (spec.jobs === 'skewed') {
    for (let i = 0; i < source.length; i++) {
      const began = performance.now();
      results[i] = work(source[i]);
      longest = Math.max(longest, performance.now() - began);
    }
  } else {
    for (let i = 0; i < source.length; i++) results[i] = work(source[i]);
  }
  return { ms: performance.now() - start, longestMs: longest, results };
};
