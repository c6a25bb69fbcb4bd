/** A script as users write it: the manager runs it, and machines name it on their command line. */
const ThreadFactory = require('threadfactory');
const { bullmq } = require('threadfactory/bullmq');

const { REDIS_URL, JOBS = '0', JOURNAL, WORK_MS = '0' } = process.env;

const factory = new ThreadFactory(
  {
    *manager() {
      for (let n = 0; n < Number(JOBS); n += 1) yield { n };
    },
    workerProcess({ n }) {
      // As work does, it holds the process; unlike work it leaves the core to the tests beside it.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(WORK_MS));
      return n * 3;
    },
  },
  {
    journal: JOURNAL,
    engine: REDIS_URL && bullmq({ connection: { url: REDIS_URL }, name: 'cluster', pollInterval: 300 }),
  },
);

if (!ThreadFactory.isWorker) {
  const haltAt = Number(process.env.HALT_AT);
  let told = 0;
  factory.on('completed', () => {
    told += 1;
    if (told % 100 === 0) process.stdout.write(`told ${told}\n`);
    // To be killed just here, however busy the one who does it is.
    if (told === haltAt) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
  factory.on('warning', (warning) => process.stdout.write(`warning ${warning.code}\n`));
  factory.start().then(({ completed, skipped, failed, results }) => {
    const wrong = results.findIndex((result, n) => result !== 3 * n);
    process.stdout.write(`${JSON.stringify({ completed, skipped, failed, total: results.length, wrong })}\n`);
  });
}
