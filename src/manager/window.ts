import type { Admit } from './queue.js';

/**
 * How far the hand-out may run ahead of the oldest job that has not settled, for results that are wanted in order:
 * without a bound, one slow first job would make everything after it pile up.
 *
 * A ring of flags, one a job of the window; the oldest unsettled index moves over it. Constant time and space.
 */
export class OrderWindow {
  private readonly settledFlags: Uint8Array;
  private oldest = 0;

  /** @param size jobs that may be held beyond the oldest unsettled one */
  constructor(private readonly size = 4096) {
    this.settledFlags = new Uint8Array(size);
  }

  /** No job with this index or a higher one may be handed out yet. */
  get limit(): number {
    return this.oldest + this.size;
  }

  /** Notes that a job has settled, or will never be handed out. */
  settled(index: number): void {
    this.settledFlags[index % this.size] = 1;
    while (this.settledFlags[this.oldest % this.size] === 1) {
      this.settledFlags[this.oldest % this.size] = 0;
      this.oldest += 1;
    }
  }
}

/** Who may keep jobs from running, which then take no room in the window: an earlier run recorded them. */
export function noting(admit: Admit, window: OrderWindow | undefined): Admit {
  return (index, job) => {
    const runs = admit(index, job);
    if (!runs) window?.settled(index);
    return runs;
  };
}
