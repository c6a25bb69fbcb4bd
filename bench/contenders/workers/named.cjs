'use strict';
// For jest-worker: functions exported by name.
exports.work = require('../../work/functions.cjs').workOfEnvironment();
