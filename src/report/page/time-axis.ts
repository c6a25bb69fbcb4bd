import type { Stretch } from '../data.js';
import { clock, day } from './format.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What may lie between two marks of a time axis, in milliseconds. */
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((each) => each * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((each) => each * MINUTE),
  ...[1, 2, 3, 6, 12].map((each) => each * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100].map((each) => each * DAY),
];

/** A stretch on the axis: `x` is where it begins. */
interface Placed extends Stretch {
  readonly x: number;
}

/**
 * A time axis without the pauses: between two stretches lies a gap of a fixed width. Positions (`x`) are milliseconds of
 * what is left; times are those of the report.
 */
export class TimeAxis {
  /** Where it ends. */
  readonly length: number;
  readonly #placed: readonly Placed[];

  constructor(
    stretches: readonly Stretch[],
    /** Epoch milliseconds of time 0. */
    readonly startedAt: number,
  ) {
    const active = stretches.reduce((sum, { from, to }) => sum + (to - from), 0);
    const gap = active * 0.02;
    let x = 0;
    this.#placed = stretches.map(({ from, to }) => {
      const placed = { from, to, x };
      x += to - from + gap;
      return placed;
    });
    this.length = Math.max(1, x - gap);
  }

  /** Where a time is. A time in a pause is where the next stretch begins. */
  x(time: number): number {
    let low = 0;
    let high = this.#placed.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#placed[middle]?.to ?? 0) < time) low = middle + 1;
      else high = middle;
    }
    const stretch = this.#placed[low];
    if (stretch === undefined) return 0;
    return stretch.x + Math.min(Math.max(time, stretch.from), stretch.to) - stretch.from;
  }

  /** Which time is there; undefined in a gap. */
  time(x: number): number | undefined {
    const stretch = this.#placed.find(({ x: begin, from, to }) => x >= begin && x <= begin + (to - from));
    return stretch === undefined ? undefined : stretch.from + (x - stretch.x);
  }

  /** The gaps: where they are, and how long nothing ran. */
  get gaps(): { readonly from: number; readonly to: number; readonly pause: number }[] {
    return this.#placed.slice(1).flatMap((next, at) => {
      const before = this.#placed[at];
      if (before === undefined) return [];
      return [{ from: before.x + before.to - before.from, to: next.x, pause: next.from - before.to }];
    });
  }

  /** Where marks are to be, at most so many, and what they say; a day is said where it begins. */
  marks(min: number, max: number, most: number): { readonly at: number[]; readonly labels: string[] } {
    const step = STEPS.find((each) => (max - min) / each <= most) ?? 100 * DAY;
    const at: number[] = [];
    const labels: string[] = [];
    let lastDay = '';
    for (const { x, from, to } of this.#placed) {
      const first = Math.max(from, from + min - x);
      const last = Math.min(to, from + max - x);
      for (const time of roundTimes(this.startedAt + first, this.startedAt + last, step)) {
        const position = x + time - this.startedAt - from;
        // Two stretches may be too close for a mark at the end of one and at the beginning of the next.
        if (position - (at.at(-1) ?? Number.NEGATIVE_INFINITY) < step * 0.6) continue;
        const today = day(time);
        at.push(position);
        labels.push(label(time, step, today === lastDay ? undefined : today));
        lastDay = today;
      }
      // A short stretch without a round time in it is told from others by when it begins.
      const begin = x + first - from;
      if (first <= last && (at.at(-1) ?? -1) < x && begin - (at.at(-1) ?? -Infinity) > (max - min) / most) {
        at.push(begin);
        labels.push(label(this.startedAt + first, SECOND, undefined));
      }
    }
    return { at, labels };
  }

  /** Day and time of a moment, as exact as the part of the axis that is in view asks for. */
  say(time: number, inView: number): string {
    return clock(this.startedAt + time, inView < 5 * MINUTE ? 1 : SECOND);
  }
}

function label(time: number, step: number, today: string | undefined): string {
  if (step >= DAY) return today ?? '';
  return today === undefined ? clock(time, step) : `${clock(time, step)}\n${today}`;
}

/** The multiples of a step, in local time, between two moments. */
function roundTimes(from: number, to: number, step: number): number[] {
  const offset = new Date(from).getTimezoneOffset() * MINUTE;
  const times: number[] = [];
  for (let time = Math.ceil((from - offset) / step) * step + offset; time <= to; time += step) {
    times.push(time);
  }
  return times;
}
