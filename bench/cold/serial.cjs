'use strict';
// No pool, no second process: what Node itself takes to start and stop.
const results = [{ i: 1 }, { i: 2 }].map((job) => job);
process.stdout.write(`sum ${results[0].i + results[1].i}\n`);
