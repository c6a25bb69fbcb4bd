import { createRequire } from 'node:module';

/** The built package's second door, and the two versions of bullmq that it has to work with. */

const require = createRequire(import.meta.url);

export const { bullmq, work } =
  require('../../dist/bullmq.cjs') as typeof import('../../src/engines/index.js');

/** By the number of their major version. */
export const VERSIONS = {
  5: require('bullmq5') as typeof import('bullmq'),
  6: require('bullmq') as typeof import('bullmq'),
};
