'use strict';
// `npm run example`: the S3 logs first in one process, then with threadfactory on every core, and both checked against
// what the generator wrote. Exit code 1 if a single row is missing or too many. FILES and ROWS set the size.

const os = require('node:os');

process.env.PAGE_SIZE ??= '15'; // so that a few files take several pages of the listing

const { Bucket, Prefix, connect, factory, manager, out, workerProcess } = require('./s3-logs/index.cjs');
const { provideS3 } = require('./s3-logs/local-s3.cjs');

/** The same functions, one file after the other: what the script would be without threadfactory. */
async function inOneProcess() {
  const start = performance.now();
  const context = { id: 1, local: connect() };
  for (const key of await manager()) await workerProcess(key, context);
  context.local.destroy();
  return performance.now() - start;
}

async function main() {
  const logs = await provideS3({ Bucket, Prefix, connect });
  try {
    console.log('\nIn one process, one file after the other:');
    const alone = await inOneProcess();
    console.log(`took ${(alone / 1000).toFixed(1)} s`);
    logs.check(out);

    const cores = os.availableParallelism();
    console.log(`\nWith threadfactory, one worker per core (${cores}):`);
    const { duration } = await factory.start();
    logs.check(out);

    console.log(
      `\n${(alone / 1000).toFixed(1)} s in one process, ${(duration / 1000).toFixed(1)} s with threadfactory: ` +
        `${(alone / duration).toFixed(2)} times as fast on ${cores} cores`,
    );
  } finally {
    await logs.close();
  }
}

main();
