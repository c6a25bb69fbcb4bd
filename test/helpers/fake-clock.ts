import type { Clock, Timer } from '../../src/clock.js';

interface Entry {
  readonly due: number;
  readonly callback: () => void;
}

/** As with the real one. */
const LONGEST_WAIT = 2 ** 31 - 1;

/** Time that stands still until a test moves it. */
export class FakeClock implements Clock {
  private time = 0;
  private readonly timers = new Map<Timer, Entry>();
  private soons: (() => void)[] = [];
  private isHeld = false;

  now = (): number => this.time;
  epoch = (): number => 1_700_000_000_000 + this.time;

  after(ms: number, callback: () => void): Timer {
    const timer = {} as Timer;
    this.timers.set(timer, { due: this.time + Math.min(ms, LONGEST_WAIT), callback });
    return timer;
  }

  clear(timer: Timer | undefined): void {
    if (timer !== undefined) this.timers.delete(timer);
  }

  soon(callback: () => void): void {
    this.soons.push(callback);
  }

  /** Timers that were set and have neither gone off nor been cleared. */
  get pending(): number {
    return this.timers.size;
  }

  /** Milliseconds until the next timer, undefined if there is none. */
  get untilNext(): number | undefined {
    const dues = [...this.timers.values()].map(({ due }) => due);
    return dues.length === 0 ? undefined : Math.max(0, Math.min(...dues) - this.time);
  }

  /** Time goes by and nothing is called back: a synchronous job runs. */
  pass(ms: number): void {
    this.time += ms;
  }

  /** From now on what is wanted `soon` waits for `release`: until a test has said what arrives before. */
  hold(): void {
    this.isHeld = true;
  }

  /** How much is wanted `soon` and waits. */
  get waiting(): number {
    return this.soons.length;
  }

  /** Calls back all that was wanted `soon`, and what that wants in turn. */
  flush(): void {
    if (!this.isHeld) this.release();
  }

  /** The same where it is held back. */
  release(): void {
    for (let next = this.soons.shift(); next !== undefined; next = this.soons.shift()) next();
  }

  /** Lets time pass; timers go off in their order, at their moment. */
  advance(ms: number): void {
    const end = this.time + ms;
    this.flush();
    for (;;) {
      const [first] = [...this.timers].sort(([, a], [, b]) => a.due - b.due);
      if (first === undefined || first[1].due > end) break;
      this.timers.delete(first[0]);
      this.time = Math.max(this.time, first[1].due);
      first[1].callback();
      this.flush();
    }
    this.time = end;
  }
}
