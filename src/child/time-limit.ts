import type { Clock, Timer } from '../clock.js';
import type { JobTimeoutError } from '../errors.js';
import { timeoutError } from '../errors.js';
import { OVERTIME_MS } from '../protocol.js';
import { Context } from './context.js';

/** Marks an attempt that is over its time, whatever the job itself threw. */
export class OverTime {
  readonly #mark = true;

  constructor(readonly error: JobTimeoutError) {}

  /** A job may throw a proxy, whose traps `instanceof` would spring. */
  static is(thrown: unknown): thrown is OverTime {
    return typeof thrown === 'object' && thrown !== null && #mark in thrown;
  }
}

/** How long an attempt may take, and what then. */
export interface TimeLimit {
  /** Milliseconds. */
  readonly timeout: number;
  readonly clock: Clock;
  /** Whether an attempt that does not end a second later is left behind, because nobody can kill it. */
  readonly abandons: boolean;
  /** Whether other jobs run beside it: what they do at a stretch is not its time. */
  readonly isShared: boolean;
}

/**
 * Waits for an asynchronous attempt; fires its signal when its time is over.
 * @param startedAt when it began, in the limit's clock
 * @throws OverTime if its time was over before it ended, whichever way it did
 */
export async function inTime(
  value: PromiseLike<unknown>,
  context: Context,
  startedAt: number,
  { timeout, clock, abandons, isShared }: TimeLimit,
): Promise<unknown> {
  const overTime = new OverTime(timeoutError(timeout));
  // What it did at a stretch, before it first waited, is its own for certain.
  let isLate = clock.now() - startedAt > timeout;
  let hasEnded = false;
  let abandon: (() => void) | undefined;
  const abandoned = new Promise<void>((resolve) => {
    abandon = resolve;
  });
  const expire = (): void => {
    if (hasEnded) return;
    isLate = true;
    Context.fire(context, overTime.error);
    if (abandons) timer = clock.after(OVERTIME_MS, () => abandon?.());
  };
  let timer: Timer = clock.after(Math.max(0, startedAt + timeout - clock.now()), () => {
    // A neighbour may have kept the loop busy: what has come for this job meanwhile is heard first.
    if (isShared) clock.soon(expire);
    else expire();
  });
  try {
    const result = await (abandons ? Promise.race([value, abandoned]) : value);
    if (!isLate) return result;
  } catch (error) {
    // What a job throws when its signal fires is only its way to end.
    if (!isLate) throw error;
  } finally {
    hasEnded = true;
    clock.clear(timer);
  }
  throw overTime;
}
