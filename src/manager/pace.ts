import type { Clock, Timer } from '../clock.js';

/**
 * When a run does what can be done: once for all that has come by now, and when the next retry is due. Held, it is asked
 * again as soon as it goes on; who steps asks itself whether it is.
 */
export class Pace {
  private isHeld = false;
  private isDue = false;
  private timer: Timer | undefined;

  /** @param step does everything that can be done now */
  constructor(
    private readonly clock: Clock,
    private readonly step: () => void,
  ) {}

  /** Whether nothing more is to be handed out for now. */
  get held(): boolean {
    return this.isHeld;
  }

  /** Hands out nothing more, or goes on. */
  hold(on: boolean): void {
    if (this.isHeld === on) return;
    this.isHeld = on;
    if (!on) this.poke();
  }

  /** Steps once what has arrived by now was handled: many arrivals, one step. */
  poke(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.clock.soon(() => {
      this.isDue = false;
      this.step();
    });
  }

  /** Steps when a retry is due, in place of what was said before. @param now the time that this step went by */
  wakeFor(due: number | undefined, now: number): void {
    this.stop();
    // One that was not due yet when it could have been handed out is woken up for; the others wait for a worker.
    if (due !== undefined && due > now) this.timer = this.clock.after(due - now, this.step);
  }

  /** Wakes up for nothing more. */
  stop(): void {
    this.clock.clear(this.timer);
  }
}
