'use strict';
const work = require('../../work/functions.cjs').workOfEnvironment();
module.exports = (job, done) => done(null, work(job));
