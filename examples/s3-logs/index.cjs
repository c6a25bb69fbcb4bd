'use strict';
// A month of logs lies in S3: gzip'd files with one JSON object a line. Find every row with error 505.
// One job is one file. Each worker streams its file through gunzip, line by line, so memory stays flat however large it is.

const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { pipeline } = require('node:stream/promises');
const zlib = require('node:zlib');
const { GetObjectCommand, ListObjectsV2Command, S3Client } = require('@aws-sdk/client-s3');
const ThreadFactory = require('threadfactory');
const { provideS3 } = require('./local-s3.cjs');

const Bucket = process.env.BUCKET ?? 'name-of-log-bucket';
const Prefix = process.env.PREFIX ?? '2017-11-';
const PageSize = Number(process.env.PAGE_SIZE ?? 1000); // 1 000 keys a page is the most that S3 gives
const out = process.env.OUT ?? path.join(__dirname, '../out/s3-logs');

// Region, endpoint and credentials come from the environment, in the variables that every AWS tool reads.
const connect = () => new S3Client({ forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' });

// Runs once, in this process: the list of jobs. S3 lists a page of keys at a time.
const manager = async () => {
  fs.mkdirSync(out, { recursive: true });
  for (const file of fs.readdirSync(out)) {
    if (/^output-\d+\.ldjson$/.test(file)) fs.rmSync(path.join(out, file)); // of an earlier run
  }

  const s3 = connect();
  const keys = [];
  let page;
  do {
    page = await s3.send(
      new ListObjectsV2Command({
        Bucket,
        Prefix,
        MaxKeys: PageSize,
        ContinuationToken: page?.NextContinuationToken,
      }),
    );
    keys.push(...(page.Contents ?? []).map((object) => object.Key));
  } while (page.IsTruncated);
  s3.destroy();
  return keys;
};

// Runs once in each worker: what it resolves to is `context.local` of all its jobs.
const workerStartup = connect;

// Runs once a job, in whichever worker is free. `id` is the worker's number: no two workers write to the same file.
const workerProcess = async (Key, { id, local: s3 }) => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  const found = [];
  let rows = 0;
  await pipeline(Body, zlib.createGunzip(), async (text) => {
    const lines = readline.createInterface({ input: text });
    lines.on('error', () => {}); // pipeline() rejects with it, so the job fails with it
    for await (const line of lines) {
      rows++;
      if (JSON.parse(line).error === 505) found.push(line);
    }
  });
  // Only when the whole file was read: a file that breaks off midway leaves nothing behind.
  fs.appendFileSync(path.join(out, `output-${id}.ldjson`), found.map((line) => `${line}\n`).join(''));
  return { rows, errors: found.length };
};

const factory = new ThreadFactory({ manager, workerStartup, workerProcess });

factory.on('completed', ({ done, total, job, result }) => {
  console.log(`${done} of ${total}: ${job} has ${result.errors} in ${result.rows} rows`);
});

factory.on('error', (error, failure) => {
  console.error(failure ? `${failure.job} failed: ${error.message}` : error);
  process.exitCode = 1;
});

factory.on('finished', ({ completed, results, duration }) => {
  const sum = (field) => results.reduce((total, result) => total + (result?.[field] ?? 0), 0);
  console.log(
    `${sum('errors')} rows with error 505 among ${sum('rows')} in ${completed} files, ` +
      `in ${(duration / 1000).toFixed(1)} s: see ${path.join(out, 'output-*.ldjson')}`,
  );
});

async function main() {
  const logs = await provideS3({ Bucket, Prefix, connect });
  try {
    await factory.start();
    logs.check(out);
  } finally {
    await logs.close();
  }
}

// This file is loaded again in every worker, to find workerProcess there. What only the manager should do stands behind
// this condition: in a worker `require.main` is another file.
if (require.main === module) main();

module.exports = { Bucket, Prefix, connect, factory, manager, out, workerProcess };
