/** A machine as a process: `node machine.cjs SCRIPT NAME`, the server in REDIS_URL, its workers in WORKERS. */
const { work } = require('threadfactory/bullmq');

const [, , script, machine] = process.argv;

work(script, {
  name: 'cluster',
  machine,
  workers: Number(process.env.WORKERS ?? 2),
  lockDuration: 2_000,
  stalledInterval: 500,
  // Whoever is killed every second may have bad luck more often than a job that kills.
  maxStalledCount: 5,
  handleSignals: true,
}).then(
  (running) => {
    process.stdout.write('works\n');
    return running.stopped;
  },
  (error) => {
    process.stdout.write(`${error.code} ${error.message}\n`);
    process.exitCode = 1;
  },
);
