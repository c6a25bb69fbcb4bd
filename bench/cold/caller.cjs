'use strict';
// Stands for the module that constructs a factory.
require(process.env.BENCH_THREADFACTORY);
