'use strict';
// A machine of ours: two workers, the server in REDIS_URL.
const { join } = require('node:path');
const { work } = require('../../dist/bullmq.cjs');

work(join(__dirname, 'spec.cjs'), { name: 'bench', workers: 2, handleSignals: true }).then(() =>
  process.send('ready'),
);
