'use strict';
// The S3 logs again, for more machines than one: the same list, the same client for each worker. What is found comes back as
// the job's result instead of going into a file, since machines share no files, and a job may run twice.

const readline = require('node:readline');
const { pipeline } = require('node:stream/promises');
const zlib = require('node:zlib');
const { GetObjectCommand } = require('@aws-sdk/client-s3');
const ThreadFactory = require('threadfactory');
const { bullmq } = require('threadfactory/bullmq');
const { Bucket, connect, manager } = require('../s3-logs/index.cjs');

const { REDIS_URL, JOURNAL } = process.env;

const factory = new ThreadFactory(
  {
    manager,
    workerStartup: connect,
    workerProcess: async (Key, { local: s3, machine }) => {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      let rows = 0;
      let errors = 0;
      await pipeline(Body, zlib.createGunzip(), async (text) => {
        const lines = readline.createInterface({ input: text });
        lines.on('error', () => {}); // pipeline() rejects with it, so the job fails with it
        for await (const line of lines) {
          rows++;
          if (JSON.parse(line).error === 505) errors++;
        }
      });
      return { rows, errors, machine };
    },
  },
  // One option makes the difference. Without it the same script runs on this machine.
  {
    journal: JOURNAL,
    engine: REDIS_URL ? bullmq({ connection: { url: REDIS_URL }, name: 'logs' }) : undefined,
  },
);

module.exports = { factory };
