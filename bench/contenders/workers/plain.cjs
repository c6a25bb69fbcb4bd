'use strict';
// For pools that call the function a module exports: piscina, tinypool.
module.exports = require('../../work/functions.cjs').workOfEnvironment();
