/** What is bundled into `manager.cjs`: what `src/manager.ts` names, and what the other built files take from there. */
import * as histogram from '../src/histogram.js';
import * as fork from '../src/manager/fork.js';
import * as pdeathsig from '../src/manager/pdeathsig.js';
import * as pool from '../src/manager/pool.js';
import * as queue from '../src/manager/queue.js';
import * as retry from '../src/manager/retry.js';
import * as scheduler from '../src/manager/scheduler.js';
import * as tally from '../src/manager/tally.js';
import * as window from '../src/manager/window.js';

export * from '../src/manager.js';

/** Modules by their path under src. */
export const shared = {
  histogram,
  'manager/fork': fork,
  'manager/pdeathsig': pdeathsig,
  'manager/pool': pool,
  'manager/queue': queue,
  'manager/retry': retry,
  'manager/scheduler': scheduler,
  'manager/tally': tally,
  'manager/window': window,
};
