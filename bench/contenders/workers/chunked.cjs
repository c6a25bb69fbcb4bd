'use strict';
// What a careful user of a pool writes by hand: an array of jobs a call.
const { WARM, workOfEnvironment } = require('../../work/functions.cjs');
const work = workOfEnvironment();
module.exports = (jobs) => (jobs === WARM ? work(jobs) : jobs.map(work));
