'use strict';
// What loading adds to two bare forks: the library's entry is loaded in the manager and in both children, which load the
// caller's module as well and are started to die with their parent where that can be had.
const { existsSync } = require('node:fs');
const { fork } = require('node:child_process');

require(process.env.BENCH_THREADFACTORY);

if (process.argv[2] === 'child') {
  process.once('message', (job) => {
    require('./caller.cjs');
    process.send(job, () => process.disconnect());
  });
} else {
  const setpriv = '/usr/bin/setpriv';
  const prefix = existsSync(setpriv)
    ? { execPath: setpriv, execArgv: ['--pdeathsig', 'KILL', process.execPath] }
    : {};
  const results = [];
  for (const job of [{ i: 1 }, { i: 2 }]) {
    const child = fork(__filename, ['child'], { serialization: 'advanced', detached: true, ...prefix });
    child.send(job);
    child.once('message', (result) => {
      results.push(result);
      if (results.length === 2) process.stdout.write(`sum ${results[0].i + results[1].i}\n`);
    });
  }
}
