import type * as BullMq from 'bullmq';
import type { Redis } from 'ioredis';
import { expected, isFunction } from '../option-checks.js';
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

/** @throws OptionError where it is no bullmq */
export function checkModule(value: unknown): BullMqModule | undefined {
  if (value === undefined) return undefined;
  const module = value as Partial<Record<keyof BullMqModule, unknown>> | null;
  if (isFunction(module?.Queue) && isFunction(module.QueueEvents) && isFunction(module.Worker)) {
    return value as BullMqModule;
  }
  throw expected('bullmq', "the module itself, as `require('bullmq')`", value);
}

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
