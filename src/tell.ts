import { EventEmitter } from 'node:events';
import { apply } from './apply.js';

/**
 * Events of a run, told so that no listener can disturb it: what one throws is rethrown as an uncaught exception, as if
 * nobody had called it, the others are told all the same, and the run goes on.
 */

// A subclass of the user's may have an `emit` of its own.
const { emit } = EventEmitter.prototype;

/** Tells each listener by itself. */
export function tell(emitter: EventEmitter, name: string, ...args: readonly unknown[]): void {
  for (const listener of emitter.rawListeners(name)) {
    try {
      apply(listener, emitter, args);
    } catch (error) {
      throwLater(error);
    }
  }
}

/** The same for the one event that comes a million times: nothing is copied or spread for a single listener. */
export function tellCompleted(emitter: EventEmitter, job: object): void {
  const listeners = emitter.listenerCount('completed');
  if (listeners === 0) return;
  if (listeners > 1) return tell(emitter, 'completed', job);
  try {
    emit.call(emitter, 'completed', job);
  } catch (error) {
    throwLater(error);
  }
}

function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
