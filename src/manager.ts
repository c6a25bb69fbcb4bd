/**
 * What only the process needs in which a run is: a built file of its own, loaded when a run begins. A worker loads the
 * module that constructs the factory, and would take 5 ms to compile what it never calls.
 */
export { localEngine } from './local.js';
export { jobsFailed, Run } from './run.js';
export { handleSignals } from './signals.js';
