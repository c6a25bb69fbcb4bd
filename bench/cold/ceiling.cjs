'use strict';
// Two bare forks, a job each, no pool: the least that a program of two processes can take.
const { fork } = require('node:child_process');

if (process.send) {
  process.once('message', (job) => process.send(job, () => process.disconnect()));
} else {
  const results = [];
  for (const job of [{ i: 1 }, { i: 2 }]) {
    const child = fork(__filename, { serialization: 'advanced' });
    child.send(job);
    child.once('message', (result) => {
      results.push(result);
      if (results.length === 2) process.stdout.write(`sum ${results[0].i + results[1].i}\n`);
    });
  }
}
