import type { Clock, Timer } from '../clock.js';

/**
 * Whether somebody at the other end still answers. A network that swallows everything closes no connection: TCP takes a
 * quarter of an hour to notice. So the server is asked now and then, and has a limited time for its answer.
 */
export class Pulse {
  private timer: Timer | undefined;
  /** Which question the timer is about. */
  private round = 0;

  /**
   * @param limit milliseconds for an answer
   * @param ask resolves, or rejects, with an answer of any kind
   * @param silent there was none in time
   */
  constructor(
    private readonly clock: Clock,
    private readonly limit: number,
    private readonly ask: () => Promise<unknown>,
    private readonly silent: () => void,
  ) {}

  /** The other end has something to say by itself, within the limit. */
  due(): void {
    const round = this.next();
    this.timer = this.clock.after(this.limit, () => {
      // What came while this process was busy is heard first.
      this.clock.soon(() => {
        if (round === this.round) this.silent();
      });
    });
  }

  /** It has: asked again after a while. */
  heard(): void {
    this.next();
    this.timer = this.clock.after(this.limit / 2, () => {
      this.due();
      const { round } = this;
      const answered = (): void => {
        if (round === this.round) this.heard();
      };
      this.ask().then(answered, answered);
    });
  }

  /** Nobody is there to be asked. */
  stop(): void {
    this.next();
  }

  private next(): number {
    this.clock.clear(this.timer);
    this.round += 1;
    return this.round;
  }
}
