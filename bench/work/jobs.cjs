'use strict';
// The lists of jobs, and the checks that every result has arrived and is right. Both run off the clock.
const { spin } = require('./functions.cjs');

/** Small seeded generator (mulberry32): the same list in every process and every run. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffle(list, seed) {
  const next = random(seed);
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
  return list;
}

/** Inverse of the normal distribution function (Acklam's approximation, relative error below 1.2e-9). */
function normalQuantile(p) {
  const a = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716];
  const b = [
    -54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572,
  ];
  const c = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734];
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];
  const tail = (q) =>
    (((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + 4.374664141464968) * q + 2.938163982698783) /
    ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1);
  if (p < 0.02425) return tail(Math.sqrt(-2 * Math.log(p)));
  if (p > 1 - 0.02425) return -tail(Math.sqrt(-2 * Math.log(1 - p)));
  const q = p - 0.5;
  const r = q * q;
  const top = ((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + 2.506628277459239;
  return (top * q) / (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1);
}

const distributions = {
  lognormal: (p) => Math.exp(1.5 * normalQuantile(p)),
  pareto: (p) => (1 - p) ** (-1 / 1.3),
  step: (p) => (p < 0.95 ? 0.1 : 18.1),
};

/**
 * Durations in milliseconds, mean 1, at the evenly spaced quantiles of a distribution: the shape without
 * the luck of a draw.
 */
function durations({ distribution, order, count }) {
  const quantile = distributions[distribution];
  const list = Array.from({ length: count }, (_, i) => quantile((i + 0.5) / count));
  const mean = list.reduce((sum, value) => sum + value, 0) / count;
  const scaled = list.map((value) => value / mean);
  return order === 'shuffled' ? shuffle(scaled, 20) : scaled;
}

function payload(i, bytes) {
  // Its own memory, not a slice of the allocation pool: structured clone would copy the whole pool.
  const buffer = Buffer.alloc(bytes, i & 255);
  buffer.writeUInt32LE(i, 0);
  buffer.writeUInt32LE(i, bytes - 4);
  return buffer;
}

/** A function from index to job. Every call with the same case gives the same jobs. */
function jobMaker(spec) {
  switch (spec.jobs) {
    case 'objects':
      return (i) => ({ i });
    case 'numbers':
      return (i) => i;
    case 'equal': {
      const n = Math.max(1, Math.round(spec.ms * spec.iterationsPerMs));
      return (i) => ({ i, n });
    }
    case 'skewed': {
      const list = durations(spec).map((ms) => Math.max(1, Math.round(ms * spec.iterationsPerMs)));
      return (i) => ({ i, n: list[i] });
    }
    case 'payload':
      return (i) => payload(i, spec.bytes);
    default:
      throw new Error(`unknown jobs ${spec.jobs}`);
  }
}

/** Jobs from `from` up to `to` as an array. */
function jobArray(spec, from = 0, to = spec.count) {
  const make = jobMaker(spec);
  const jobs = new Array(to - from);
  for (let i = from; i < to; i++) jobs[i - from] = make(i);
  return jobs;
}

/** The same jobs from an async generator. */
async function* jobStream(spec) {
  const make = jobMaker(spec);
  for (let i = 0; i < spec.count; i++) yield make(i);
}

function sameBytes(result, expected) {
  return result instanceof Uint8Array && Buffer.compare(result, expected) === 0;
}

/**
 * Whether a result is right: echoed jobs and equal CPU jobs are compared with what they must be. Skewed jobs
 * would have to be run again: there the checksum is compared with the serial loop's of the same round.
 */
function resultCheck(spec) {
  const make = jobMaker(spec);
  switch (spec.jobs) {
    case 'objects':
      return (result, i) => result !== null && typeof result === 'object' && result.i === i;
    case 'numbers':
      return (result, i) => result === i;
    case 'equal': {
      const hash = spin(make(0).n);
      return (result, i) => result === (hash ^ i);
    }
    case 'skewed':
      return (result) => Number.isInteger(result);
    default:
      return (result, i) => sameBytes(result, make(i));
  }
}

/** Throws unless every result is there, in its place and right. Returns a checksum that depends on the order. */
function check(spec, results) {
  if (results.length !== spec.count) throw new Error(`${results.length} results for ${spec.count} jobs`);
  const right = resultCheck(spec);
  let sum = 0;
  for (let i = 0; i < results.length; i++) {
    const result = results[i];
    if (!right(result, i)) throw new Error(`wrong result for job ${i}`);
    sum = (Math.imul(sum, 31) + (typeof result === 'number' ? result : i)) | 0;
  }
  return sum;
}

module.exports = { durations, jobMaker, jobArray, jobStream, check, shuffle };
