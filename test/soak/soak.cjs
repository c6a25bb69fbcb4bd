/**
 * Drives a seeded mix of jobs that behave and jobs that do not, and checks every ending. Run by `drive` in
 * test/helpers/soak.ts; parameters come in the environment: SOAK_SEED, SOAK_JOBS, SOAK_TIMEOUT (ms an attempt may take).
 * Prints one JSON line when the run is over, and a second one when nothing is left that keeps the process alive.
 */
const { spawn } = require('node:child_process');
const ThreadFactory = require('threadfactory');

const SEED = Number(process.env.SOAK_SEED);
const JOBS = Number(process.env.SOAK_JOBS);
const TIMEOUT = Number(process.env.SOAK_TIMEOUT);
const RETRIES = 1;
const CRASH_RETRIES = 1;

/** What a job does, how many of a hundred thousand do (each at least once), and how it has to end. */
const KINDS = {
  sync: { ends: 'ok' },
  async: { share: 20_000, ends: 'ok' },
  slow: { share: 3_000, ends: 'ok' },
  huge: { share: 100, ends: 'ok' },
  progress: { share: 500, ends: 'ok' },
  flaky: { share: 500, ends: 'ok' },
  throws: { share: 2_000, ends: 'E_SOAK' },
  rejects: { share: 1_000, ends: 'E_SOAK' },
  throwsNull: { share: 300, ends: 'ERR_THROWN' },
  badResult: { share: 500, ends: 'ERR_SERIALIZATION' },
  badJob: { share: 300, ends: 'ERR_SERIALIZATION' },
  lateThrow: { share: 40, ends: 'ok' },
  lateReject: { share: 30, ends: 'ok' },
  exits: { share: 40, ends: 'ERR_WORKER_CRASH' },
  exitsOnce: { share: 30, ends: 'ok' },
  killed: { share: 40, ends: 'ERR_WORKER_CRASH' },
  family: { share: 20, ends: 'ERR_WORKER_CRASH' },
  disconnects: { share: 10, ends: 'ERR_WORKER_CRASH' },
  overtime: { share: 30, ends: 'ERR_JOB_TIMEOUT' },
  hangsOnce: { share: 10, ends: 'ok' },
  waitsOnce: { share: 10, ends: 'ok' },
  hangs: { share: 5, ends: 'ERR_JOB_TIMEOUT', least: 0 },
};
/** Workers that are killed from outside, of a hundred thousand jobs. */
const OUTSIDE = 100;

const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGABRT'];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const forever = () => new Promise(() => {});
/** Blocks its process as an endless loop does, and leaves the core to others. */
const hang = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
const failure = (n) => Object.assign(new RangeError(`job ${n}`), { code: 'E_SOAK', n });

/** Each kind's deed. `random` is a whole number from 0 to 255 of the job's own. */
const DEEDS = {
  sync: ({ n }) => n * 3,
  async: async ({ n, random }) => {
    if (random & 1) await null;
    else await new Promise(setImmediate);
    return n * 3;
  },
  slow: async ({ n, random }) => {
    await sleep(random & 3);
    return n * 3;
  },
  huge: ({ n, random }) => Buffer.alloc(1_000_000 + 4096 * random, n & 255),
  progress: ({ n }, { progress }) => {
    progress(n);
    return n * 3;
  },
  flaky: ({ n }, { attempt }) => {
    if (attempt === 1) throw failure(n);
    return n * 3;
  },
  throws: ({ n }) => {
    throw failure(n);
  },
  rejects: async ({ n }) => {
    await null;
    throw failure(n);
  },
  throwsNull: () => {
    throw null;
  },
  badResult: ({ random }) => ({ deep: [random & 1 ? () => {} : Symbol('soak')] }),
  badJob: () => 'never',
  lateThrow: ({ n, random }) => {
    setTimeout(() => {
      throw failure(n);
    }, random & 15);
    return n * 3;
  },
  lateReject: async ({ n, random }) => {
    setTimeout(() => Promise.reject(failure(n)), random & 15);
    return n * 3;
  },
  exits: async ({ random }) => {
    if (random & 1) await sleep(random & 7);
    process.exit(random);
  },
  exitsOnce: ({ n }, { attempt }) => (attempt === 1 ? process.exit(3) : n * 3),
  killed: ({ random }) => {
    process.kill(process.pid, SIGNALS[random % SIGNALS.length]);
    return forever();
  },
  family: (_, { progress }) => {
    progress({ started: spawn('sleep', ['600'], { stdio: 'inherit' }).pid });
    // Let the word out first: an exit takes unsent messages with it.
    setTimeout(() => process.exit(7), 20);
    return forever();
  },
  disconnects: () => {
    process.disconnect();
    return forever();
  },
  overtime: (_, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(failure(0)))),
  hangsOnce: ({ n }, { attempt }) => (attempt === 1 ? hang() : n * 3),
  waitsOnce: ({ n }, { attempt }) => (attempt === 1 ? forever() : n * 3),
  hangs: hang,
};

/** mulberry32: 32 bits of state, good enough to shuffle by. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = generator(SEED);
const pick = (list) => list[Math.floor(random() * list.length)];

/** The kind of every job: exact numbers of each, in random order. */
function shuffledKinds() {
  const names = Object.keys(KINDS);
  const kinds = new Uint8Array(JOBS);
  let at = 0;
  for (const [number, { share = 0, least = share === 0 ? 0 : 1 }] of Object.values(KINDS).entries()) {
    const count = Math.max(least, Math.floor((share * JOBS) / 100_000));
    kinds.fill(number, at, at + count);
    at += count;
  }
  if (at > JOBS) throw new RangeError(`SOAK_JOBS has to be ${at} or more for one of each kind`);
  for (let last = JOBS - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [kinds[last], kinds[other]] = [kinds[other], kinds[last]];
  }
  return (n) => names[kinds[n]];
}

const options = {
  workers: pick([2, 3]),
  concurrency: pick([1, 1, 4]),
  batchSize: pick(['auto', 'auto', 5]),
  maxJobsPerWorker: Math.max(50, Math.floor(JOBS / pick([20, 40]))),
};
const kindOf = shuffledKinds();
const seeds = Uint8Array.from({ length: JOBS }, () => random() * 256);

const factory = new ThreadFactory(
  {
    manager: function* () {
      for (let n = 0; n < JOBS; n += 1) {
        const kind = kindOf(n);
        yield kind === 'badJob' ? { n, kind, refused: [forever] } : { n, kind, random: seeds[n] };
      }
    },
    workerProcess: (job, context) => DEEDS[job.kind](job, context),
  },
  {
    ...options,
    retries: { limit: RETRIES, delay: 5 },
    crashRetries: CRASH_RETRIES,
    timeout: TIMEOUT,
    keepResults: false,
    output: 'ignore',
  },
);

/** Everything that is checked; a line for each thing that is wrong. */
const wrong = [];
const complain = (text) => wrong.length < 50 && wrong.push(text);

const endings = new Uint8Array(JOBS);
/** Attempts that were charged, and how many of those died with a worker that was killed from outside. */
const charges = new Uint8Array(JOBS);
const bystander = new Uint8Array(JOBS);
const progressed = new Uint8Array(JOBS);
const living = new Map();
const pids = [];
const outside = new Set();
const family = [];
const memory = [];
const reasons = {};
let order = 0;

function ended(index, job) {
  endings[index] += 1;
  if (endings[index] > 1) complain(`job ${index} (${kindOf(index)}) ended ${endings[index]} times`);
  if (job.n !== index) complain(`job ${index} came back as job ${job.n}`);
  order += 1;
  if (order % Math.ceil(JOBS / 100) === 0) memory.push(process.memoryUsage().rss);
  if (kills.has(order)) killOne();
}

const kills = new Set(
  Array.from({ length: Math.max(1, Math.floor((OUTSIDE * JOBS) / 100_000)) }, () =>
    Math.floor(JOBS * (0.05 + 0.9 * random())),
  ),
);

function killOne() {
  const pid = pick([...living.keys()]);
  if (pid === undefined) return;
  outside.add(pid);
  process.kill(pid, 'SIGKILL');
}

function asItShould({ n, kind }, result) {
  if (kind !== 'huge') return result === n * 3;
  return (
    result.length === 1_000_000 + 4096 * seeds[n] && result[0] === (n & 255) && result.at(-1) === (n & 255)
  );
}

/** Whether so many deaths by our own hand explain a crash that the job had no part in. */
const unlucky = (index, error) => outside.has(error.pid) && bystander[index] === CRASH_RETRIES;

factory.on('ready', ({ id, pid }) => {
  for (const [other, number] of living)
    if (number === id) complain(`${pid} and ${other} are both worker ${id}`);
  if (id < 1 || id > options.workers) complain(`a worker has number ${id}`);
  living.set(pid, id);
  pids.push(pid);
});
factory.on('exit', ({ pid, reason }) => {
  living.delete(pid);
  reasons[reason] = (reasons[reason] ?? 0) + 1;
});
factory.on('progress', ({ index, data }) => {
  if (data?.started !== undefined) family.push(data.started);
  else if (endings[index] > 0 || data !== index) complain(`progress ${data} of job ${index} came late`);
  progressed[index] = 1;
});
factory.on('retry', (error, { index, attempt }) => {
  const kind = kindOf(index);
  charges[index] += 1;
  if (attempt !== charges[index]) complain(`job ${index} retries attempt ${attempt}, not ${charges[index]}`);
  if (error.code !== 'ERR_WORKER_CRASH') return;
  if (outside.has(error.pid)) bystander[index] += 1;
  else if (kind !== 'exitsOnce' && KINDS[kind].ends !== 'ERR_WORKER_CRASH')
    complain(`job ${index} (${kind}) was charged for a crash: ${error.message}`);
});
factory.on('completed', ({ index, job, result, attempt }) => {
  ended(index, job);
  if (KINDS[job.kind].ends !== 'ok') complain(`job ${index} (${job.kind}) completed`);
  else if (!asItShould(job, result)) complain(`job ${index} (${job.kind}) has a wrong result`);
  if (attempt !== 1 + charges[index]) complain(`job ${index} completed at attempt ${attempt}`);
  if (job.kind === 'progress' && progressed[index] === 0) complain(`job ${index} came before its progress`);
});
factory.on('error', (error, failed) => {
  if (failed === undefined) return complain(`the run failed: ${error.stack}`);
  const { index, job, attempts } = failed;
  ended(index, job);
  if (error.code !== KINDS[job.kind].ends && !unlucky(index, error))
    complain(`job ${index} (${job.kind}) failed with ${error.stack}`);
  if (attempts !== 1 + charges[index]) complain(`job ${index} failed at attempt ${attempts}`);
  if (job.kind === 'exits' && error.exitCode !== job.random && !outside.has(error.pid))
    complain(`job ${index} left with ${job.random}, it says ${error.exitCode}`);
});

function lives(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function listeners(names) {
  return names.reduce((sum, name) => sum + process.listenerCount(name), 0);
}

const WATCHED = ['exit', 'beforeExit', 'SIGINT', 'SIGTERM', 'uncaughtException', 'unhandledRejection'];

if (!ThreadFactory.isWorker) {
  process.once('beforeExit', () => console.log(JSON.stringify({ left: process.getActiveResourcesInfo() })));
  const before = listeners(WATCHED);
  factory.start().then((summary) => {
    if (summary.total !== JOBS) complain(`${summary.total} jobs were taken from the list`);
    if (summary.completed + summary.failed !== JOBS)
      complain(`${summary.completed} + ${summary.failed} ended`);
    for (let n = 0; n < JOBS; n += 1) if (endings[n] === 0) complain(`job ${n} (${kindOf(n)}) was lost`);
    if (living.size > 0) complain(`no exit of ${[...living.keys()].join(', ')}`);
    if (listeners(WATCHED) !== before) complain('a listener is left on process');
    const { completed, failed, duration } = summary;
    const figures = {
      completed,
      failed,
      duration,
      forks: pids.length,
      outside: outside.size,
      reasons,
      options,
    };
    console.log(JSON.stringify({ ...figures, memory, wrong, alive: [...pids, ...family].filter(lives) }));
  });
}
