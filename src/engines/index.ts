/** `threadfactory/bullmq`: more than one machine. */
export type { BullMqOptions } from './bullmq.js';
export { bullmq } from './bullmq.js';
export type { Connection } from './connection.js';
export type { Work } from './work.js';
export { work } from './work.js';
export type { WorkOptions } from './work-options.js';
