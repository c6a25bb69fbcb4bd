'use strict';
// A whole program: open a pool, run two jobs, close it. argv: the contender's id, the number of workers.
const { byId } = require('../contenders/index.cjs');

async function main() {
  const contender = byId.get(process.argv[2]);
  const pool = await require(`../contenders/${contender.module}`).open({
    workers: Number(process.argv[3]),
    kind: contender.kind,
  });
  const run = (job) =>
    new Promise((resolve, reject) =>
      pool.submit(job, (error, result) => (error ? reject(error) : resolve(result))),
    );
  const results = await Promise.all([run({ i: 1 }), run({ i: 2 })]);
  process.stdout.write(`sum ${results[0].i + results[1].i}\n`);
  await pool.close();
}

main();
