'use strict';
// A whole program with two jobs. argv: -, the number of workers.
const ThreadFactory = require(process.env.BENCH_THREADFACTORY);

const factory = new ThreadFactory(
  { manager: () => [{ i: 1 }, { i: 2 }], workerProcess: (job) => job },
  { workers: Number(process.argv[3]) },
);

factory.start().then(({ results }) => {
  process.stdout.write(`sum ${results[0].i + results[1].i}\n`);
});
