import type * as BullMq from 'bullmq';
import type { Redis } from 'ioredis';
import { engineError } from './codes.js';

/** The packages of the engine, loaded when a run begins: whoever does not use it needs neither. */
export interface Library {
  readonly Queue: typeof BullMq.Queue;
  readonly QueueEvents: typeof BullMq.QueueEvents;
  readonly Worker: typeof BullMq.Worker;
  readonly Redis: typeof Redis;
}

/** A module of bullmq that the user hands over, in place of the installed one. */
export type BullMqModule = Pick<Library, 'Queue' | 'QueueEvents' | 'Worker'>;

/**
 * @param given the user's own bullmq
 * @throws EngineError (`ERR_ENGINE_MISSING`) that says what to install
 */
export async function loadLibrary(given: BullMqModule | undefined): Promise<Library> {
  try {
    const { Queue, QueueEvents, Worker } = given ?? (await import('bullmq'));
    const { Redis } = await import('ioredis');
    return { Queue, QueueEvents, Worker, Redis };
  } catch (cause) {
    throw engineError(
      'ERR_ENGINE_MISSING',
      'More than one machine needs the packages bullmq (5.81 or later, below 7) and ioredis: npm install bullmq ioredis',
      cause,
    );
  }
}
