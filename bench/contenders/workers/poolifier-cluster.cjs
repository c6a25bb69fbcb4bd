'use strict';
const { ClusterWorker } = require('poolifier');
module.exports = new ClusterWorker(require('../../work/functions.cjs').workOfEnvironment());
