/**
 * Elements per second through a server: threadfactory on BullMQ beside BullMQ alone with one element a job, in one run, in
 * turn. No-op jobs: what is measured is the way there and back. `npm run bench:cluster [-- --elements 200000 --plain 10000
 * --rounds 3]`; needs redis-server.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const { Queue, QueueEvents } = require('bullmq');
const { Redis } = require('ioredis');
const ThreadFactory = require('../dist/index.cjs');
const { bullmq } = require('../dist/bullmq.cjs');

const { values } = parseArgs({
  options: {
    elements: { type: 'string', default: '200000' },
    plain: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
  },
});
const elements = Number(values.elements);
const plain = Number(values.plain);
const rounds = Number(values.rounds);

const port = await freePort();
const url = `redis://127.0.0.1:${port}`;
const server = spawn(
  'redis-server',
  ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--maxmemory-policy', 'noeviction'],
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
await until(server.stdout, 'Ready to accept connections');
const admin = new Redis(url);

try {
  const ours = [];
  const theirs = [];
  for (let round = 0; round < rounds; round += 1) {
    theirs.push(await withProcess('plain-worker.cjs', () => measure(plain, runPlain)));
    ours.push(await withProcess('machine.cjs', () => measure(elements, runOurs)));
    show(`round ${round + 1}: BullMQ alone`, theirs.at(-1));
    show(`round ${round + 1}: threadfactory`, ours.at(-1));
  }
  const [a, b] = [median(ours), median(theirs)];
  show('\nmedian: BullMQ alone', b);
  show('median: threadfactory', a);
  console.log(
    `\n${(a.rate / b.rate).toFixed(1)} times the elements per second (${rounds} rounds, interleaved)`,
  );
} finally {
  admin.disconnect();
  server.kill('SIGKILL');
}

async function runOurs(count) {
  const factory = new ThreadFactory(fileURLToPath(new URL('cluster/spec.cjs', import.meta.url)), {
    engine: bullmq({ connection: { url }, name: 'bench' }),
    keepResults: false,
  });
  const { completed } = await factory.start(
    (function* () {
      for (let n = 0; n < count; n += 1) yield n;
    })(),
  );
  if (completed !== count) throw new Error(`${completed} of ${count}`);
}

async function runPlain(count) {
  const connection = { url, maxRetriesPerRequest: null };
  const queue = new Queue('plain', { connection });
  const events = new QueueEvents('plain', { connection });
  await events.waitUntilReady();
  let done = 0;
  const all = new Promise((resolve) => {
    events.on('completed', () => {
      done += 1;
      if (done === count) resolve();
    });
  });
  for (let from = 0; from < count; from += 500) {
    const size = Math.min(500, count - from);
    await queue.addBulk(Array.from({ length: size }, (_, at) => ({ name: 'one', data: { n: from + at } })));
  }
  await all;
  await events.close();
  await queue.obliterate({ force: true });
  await queue.close();
}

/** Elements per second, and the CPU of this process and of the server for each. */
async function measure(count, run) {
  const cpu = process.cpuUsage();
  const serverCpu = await cpuOfServer();
  const began = performance.now();
  await run(count);
  const ms = performance.now() - began;
  const used = process.cpuUsage(cpu);
  return {
    rate: (count / ms) * 1000,
    managerUs: (used.user + used.system) / count,
    serverUs: ((await cpuOfServer()) - serverCpu) / count,
  };
}

async function cpuOfServer() {
  const info = await admin.info('cpu');
  const of = (name) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1] ?? 0);
  return (of('used_cpu_sys') + of('used_cpu_user')) * 1e6;
}

async function withProcess(file, body) {
  const child = fork(fileURLToPath(new URL(`cluster/${file}`, import.meta.url)), [], {
    env: { ...process.env, REDIS_URL: url },
  });
  await once(child, 'message');
  try {
    return await body();
  } finally {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  }
}

function median(all) {
  const sorted = (field) => all.map((one) => one[field]).sort((a, b) => a - b)[Math.floor(all.length / 2)];
  return { rate: sorted('rate'), managerUs: sorted('managerUs'), serverUs: sorted('serverUs') };
}

function show(title, { rate, managerUs, serverUs }) {
  const cpu = `manager ${managerUs.toFixed(1)} us, server ${serverUs.toFixed(1)} us an element`;
  console.log(`${title}: ${Math.round(rate).toLocaleString('en')} elements/s; CPU: ${cpu}`);
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: free } = probe.address();
  probe.close();
  await once(probe, 'close');
  return free;
}

async function until(stream, text) {
  for await (const chunk of stream) if (String(chunk).includes(text)) return stream.resume();
}
