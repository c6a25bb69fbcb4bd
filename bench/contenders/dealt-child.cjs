'use strict';
// A child of dealt.cjs: runs the job of each message and answers with its result.
const { functions } = require('../work/functions.cjs');

const work = functions[process.argv[2]];
process.on('message', ([at, job]) => process.send([at, work(job)]));
process.send('ready');
