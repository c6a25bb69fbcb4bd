'use strict';
// `node examples/cluster/run.cjs`: a Redis, two machines as processes, and the logs of a month over both. One machine is
// killed midway; the count must be right all the same. Needs redis-server. FILES and ROWS set the size.

const { fork, spawn } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');

async function startRedis() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  const flags = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--maxmemory-policy', 'noeviction'];
  const server = spawn('redis-server', flags.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  await Promise.race([
    once(server.stdout, 'data'),
    once(server, 'error').then(([error]) => {
      throw new Error(`redis-server can not be started (${error.code}): apt-get install redis-server`);
    }),
  ]);
  server.stdout.resume();
  process.env.REDIS_URL = `redis://127.0.0.1:${port}`;
  return server;
}

async function startMachine(name) {
  const machine = fork(path.join(__dirname, 'machine.cjs'), [name]);
  await Promise.race([
    once(machine, 'message'),
    once(machine, 'exit').then(() => Promise.reject(new Error(`machine ${name} did not start`))),
  ]);
  return machine;
}

async function main() {
  const redis = await startRedis();
  // Only now: they read the environment.
  const { Bucket, Prefix, connect } = require('../s3-logs/index.cjs');
  const { provideS3 } = require('../s3-logs/local-s3.cjs');
  const { factory } = require('./job.cjs');
  const logs = await provideS3({ Bucket, Prefix, connect });
  const machines = [];
  try {
    machines.push(...(await Promise.all(['alpha', 'beta'].map(startMachine))));
    const [, victim] = machines;
    factory.on('completed', ({ done, total, job, result }) => {
      console.log(
        `${done} of ${total}: ${job} has ${result.errors} in ${result.rows} rows, says ${result.machine}`,
      );
      if (done === Math.ceil(total / 3) && victim.kill('SIGKILL')) console.log('--- beta was killed ---');
    });
    factory.on('warning', (warning) => console.log(`warning: ${warning.message}`));
    const { results, duration } = await factory.start();
    const found = results.reduce((sum, { errors }) => sum + errors, 0);
    const wanted = logs.truth?.errors ?? found;
    if (found !== wanted) process.exitCode = 1;
    const verdict = found === wanted ? 'Right' : 'WRONG';
    console.log(
      `${verdict}: ${wanted} were generated, ${found} were found in ${(duration / 1000).toFixed(1)} s, one of two machines dead`,
    );
  } finally {
    for (const machine of machines) machine.kill('SIGTERM');
    await logs.close();
    redis.kill('SIGTERM');
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
