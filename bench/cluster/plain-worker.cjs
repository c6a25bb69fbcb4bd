'use strict';
// The same with BullMQ alone: one element a job, 32 at once in one process, which measured best.
const { Worker } = require('bullmq');

const worker = new Worker('plain', async ({ data }) => data.n + 1, {
  connection: { url: process.env.REDIS_URL, maxRetriesPerRequest: null },
  concurrency: 32,
});
worker.on('error', () => {});
worker.waitUntilReady().then(() => process.send('ready'));
process.on('SIGTERM', () => worker.close().then(() => process.exit(0)));
