'use strict';
// A machine: `REDIS_URL=… node machine.cjs NAME`. The same as `threadfactory work ./job.cjs --name logs`, but for times that
// suit a short demonstration.

const { work } = require('threadfactory/bullmq');

work('./job.cjs', {
  name: 'logs',
  machine: process.argv[2],
  workers: 2,
  lockDuration: 2_000, // a machine that is silent for so long is dead: 15 s by default
  stalledInterval: 500,
  handleSignals: true,
  log: (line) => console.log(`  ${line}`),
}).then(
  ({ stopped }) => {
    process.send?.('works');
    return stopped;
  },
  (error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
