/**
 * Time, as the rest of the house may have it: handed in, so that tests bring their own, and taken once when the module
 * loads, so that a user's fake timers or a mocked Date don't stop a run.
 */

const { setTimeout: setTimer, clearTimeout: clearTimer, setImmediate: setSoon } = globalThis;
const nanoseconds = process.hrtime.bigint;
const epoch = Date.now;

/**
 * `performance.now` is no faster, and the first look at `performance` costs a process 4 ms. `process.hrtime` takes twice as
 * long until the code is hot, and makes an array.
 */
function monotonic(): number {
  return Number(nanoseconds()) / 1e6;
}

/** The longest a timer can wait, in milliseconds: Node makes one of more than that end at once, with a warning. */
const LONGEST_WAIT = 2 ** 31 - 1;

/** A timer that was set and can be cleared. */
export type Timer = ReturnType<typeof setTimeout>;

/** A clock with its timers. */
export interface Clock {
  /** Monotonic milliseconds, with a fraction. */
  now(): number;
  /** Milliseconds since 1970. */
  epoch(): number;
  /** Calls back once after so many milliseconds, or after 24.8 days where that is less. */
  after(ms: number, callback: () => void): Timer;
  clear(timer: Timer | undefined): void;
  /** Calls back after what has arrived by now was handled. */
  soon(callback: () => void): void;
}

/** The real one. */
export const systemClock: Clock = {
  now: monotonic,
  epoch,
  after: (ms, callback) => setTimer(callback, Math.min(ms, LONGEST_WAIT)),
  clear: (timer) => clearTimer(timer),
  soon: (callback) => {
    setSoon(callback);
  },
};
