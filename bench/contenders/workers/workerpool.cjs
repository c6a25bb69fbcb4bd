'use strict';
const workerpool = require('workerpool');
workerpool.worker({ work: require('../../work/functions.cjs').workOfEnvironment() });
