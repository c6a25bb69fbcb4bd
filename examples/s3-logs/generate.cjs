'use strict';
// A month of made-up web server logs: the same rows on every machine, and how many of them are the wanted errors.

const { promisify } = require('node:util');
const zlib = require('node:zlib');

const gzip = promisify(zlib.gzip);

const METHODS = ['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE'];
const PATHS = ['/orders', '/orders/search', '/customers', '/basket', '/images', '/help/error-505', '/login'];
const AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/62.0.3202.94 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_13_1) AppleWebKit/604.3.5 (KHTML, like Gecko) Version/11.0.1 Safari/604.3.5',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 11_1_2 like Mac OS X) AppleWebKit/604.3.5 (KHTML, like Gecko) Mobile/15B202',
  'curl/7.56.1',
];
const OTHER_ERRORS = [500, 501, 502, 503, 504, 506];
const DAY = 24 * 3_600_000;
const MOST_BYTES = 600; // of a row

/** A small seeded random generator (mulberry32): numbers in [0, 1), the same ones for the same seed. */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One row of about 450 bytes, written out by hand: `JSON.stringify` would take most of the time here. */
function row(time, error, number) {
  const request = number.toString(16).padStart(8, '0');
  const path = PATHS[number % PATHS.length];
  const message =
    error === 0
      ? 'served; an \\"error\\":505 in a text is none'
      : `the upstream answered with error ${error}`;
  return (
    `{"time":"${time}","host":"web-${number % 16}.example.com","request":"${request}-4a77-4c3e-9f0e-${request}0505",` +
    `"method":"${METHODS[number % METHODS.length]}","path":"${path}/${number}","status":${error === 0 ? 200 : 500},` +
    `"error":${error},"bytes":${number % 65_536},"milliseconds":${number % 1009},` +
    `"agent":"${AGENTS[number % AGENTS.length]}",` +
    `"referrer":"https://www.example.com${path}?session=${request}&campaign=autumn","message":"${message}"}\n`
  );
}

/** One row in 400 is the error looked for; its neighbours 500…504 and 506 are not. */
function errorOf(chance) {
  if (chance < 1 / 400) return 505;
  return chance < 1 / 100 ? OTHER_ERRORS[Math.floor(chance * 1e9) % OTHER_ERRORS.length] : 0;
}

/** What the key of log file `index` (0, 1, …) has after the month: `DD-…`, one day of November after the other. */
function keyOf(index) {
  const day = String((index % 30) + 1).padStart(2, '0');
  const part = String(Math.floor(index / 30)).padStart(3, '0');
  return `${day}-${part}.ldjson.gz`;
}

/**
 * A log file: one JSON object a line, gzip'd.
 * @param {number} seed the same seed gives the same rows
 * @param {number} rows how many
 * @returns {Promise<{ body: Buffer, errors: number, bytes: number }>} `errors` rows have error 505; `bytes` before gzip
 */
async function logFile(seed, rows) {
  const next = random(seed + 1);
  const start = Date.UTC(2017, 10, (seed % 30) + 1);
  const plain = Buffer.allocUnsafe(rows * MOST_BYTES);
  let bytes = 0;
  let errors = 0;
  for (let n = 0; n < rows; n++) {
    const time = new Date(start + Math.floor((n / rows) * DAY)).toISOString();
    const error = errorOf(next());
    if (error === 505) errors++;
    bytes += plain.write(row(time, error, Math.floor(next() * 2 ** 30)), bytes, 'latin1');
  }
  return { body: await gzip(plain.subarray(0, bytes), { level: 2 }), errors, bytes };
}

module.exports = { keyOf, logFile };
