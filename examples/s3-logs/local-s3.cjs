'use strict';
// Where the example's logs come from. With AWS_ENDPOINT_URL_S3 in the environment: from there. Without: from an S3 server
// on this machine, filled with generated logs, of which we know how many rows are the errors looked for.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { PutObjectCommand } = require('@aws-sdk/client-s3');
const { keyOf, logFile } = require('./generate.cjs');

const FILES = Number(process.env.FILES ?? 30); // one for each day of November
const ROWS = Number(process.env.ROWS ?? 50_000); // in a file
const UPLOADS = 4; // at a time

/** Starts the server. What the SDK needs to find it goes into this process's environment, which the workers inherit. */
async function startServer(bucket) {
  const server = fork(path.join(__dirname, 'server.cjs'), [bucket], {
    // The server encrypts the tokens of its listing's pages with a cipher that OpenSSL 3 keeps among the legacy ones.
    execArgv: ['--openssl-legacy-provider'],
  });
  const died = once(server, 'exit').then(([code]) => {
    throw new Error(`the local S3 server ended with exit code ${code}`);
  });
  const [{ port }] = await Promise.race([once(server, 'message'), died]);
  died.catch(() => {}); // from here on its end is our doing
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true', // the same words about Node 20 from every worker
  });
  return server;
}

/** Uploads FILES log files whose keys begin with `prefix`, and one more that the prefix leaves out. */
async function fillBucket(s3, Bucket, prefix) {
  const truth = { errors: 0, bytes: 0 };
  const put = (Key, Body) => s3.send(new PutObjectCommand({ Bucket, Key, Body }));
  let next = 0;
  const upload = async () => {
    while (next < FILES) {
      const index = next++;
      const { body, errors, bytes } = await logFile(index, ROWS);
      truth.errors += errors;
      truth.bytes += bytes;
      await put(`${prefix}${keyOf(index)}`, body);
    }
  };
  await Promise.all(Array.from({ length: UPLOADS }, upload));
  await put(`not-${prefix}${keyOf(0)}`, (await logFile(FILES, 1000)).body);
  return truth;
}

/** The rows in all files `output-*.ldjson` of a folder; throws on one that is not an error 505. */
function countOutput(folder) {
  let count = 0;
  for (const name of fs.readdirSync(folder).filter((file) => /^output-\d+\.ldjson$/.test(file))) {
    for (const line of fs.readFileSync(path.join(folder, name), 'utf8').split('\n').slice(0, -1)) {
      if (JSON.parse(line).error !== 505) throw new Error(`${name} has a row without error 505: ${line}`);
      count++;
    }
  }
  return count;
}

/**
 * Makes sure that there is an S3 to talk to.
 * @param {{ Bucket: string, Prefix: string, connect: () => import('@aws-sdk/client-s3').S3Client }} where
 * @returns what was generated as `truth` (undefined for logs that are not ours), `check(folder)`, which says whether the
 *   output there is the truth and sets the exit code if it is not, and `close()`
 */
async function provideS3({ Bucket, Prefix, connect }) {
  if (process.env.AWS_ENDPOINT_URL_S3) return { truth: undefined, check() {}, async close() {} };

  console.log(`No AWS_ENDPOINT_URL_S3: filling a local S3 server with ${FILES} log files of ${ROWS} rows …`);
  const server = await startServer(Bucket);
  const s3 = connect();
  const truth = await fillBucket(s3, Bucket, Prefix);
  s3.destroy();
  console.log(`${Math.round(truth.bytes / 1e6)} MB of logs are in the bucket ${Bucket}`);
  return {
    truth,
    check(folder) {
      const count = countOutput(folder);
      const right = count === truth.errors;
      if (!right) process.exitCode = 1;
      console.log(`${right ? 'Right' : 'WRONG'}: ${truth.errors} were generated, ${count} are in the output`);
      return right;
    },
    async close() {
      const ended = once(server, 'exit');
      server.disconnect();
      await ended;
    },
  };
}

module.exports = { provideS3 };
