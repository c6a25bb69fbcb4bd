'use strict';
// The smallest job there is: what is left is what it costs to get it there and back.
exports.manager = (list) => list;
exports.workerProcess = (n) => n + 1;
