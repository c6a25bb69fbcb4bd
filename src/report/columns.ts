import { bucketStart, type Histogram, PER_DOUBLING } from '../histogram.js';
import type { Buckets, Cell } from './buckets.js';
import { addCell, halved } from './buckets.js';
import type { Bar, Bars, Cells, Durations, Series, Stretch } from './data.js';
import { LIMITS } from './limits.js';

/** A pause is left out of the charts when it is longer than this, and than a tenth of the time in which jobs ran. */
const SHORTEST_PAUSE = 5000;

/** Milliseconds: a journal's durations are whole multiples of this. */
const RESOLUTION = 0.001;

/** When something ran. @param since what times are counted from, in epoch milliseconds */
export function stretchesOf(buckets: Buckets, since: number): Stretch[] {
  const { all, width } = buckets;
  const pause = Math.max(SHORTEST_PAUSE, (all.length * width) / 10);
  const stretches: { from: number; to: number }[] = [];
  let last: { from: number; to: number } | undefined;
  for (const [, { from, to }] of all) {
    if (last === undefined || from - since - last.to > pause) {
      last = { from: from - since, to: to - since };
      stretches.push(last);
    } else last.to = Math.max(last.to, to - since);
  }
  return stretches.map(({ from, to }) => ({ from: rounded(from), to: rounded(to) }));
}

/** What happened over time. */
export function seriesOf(buckets: Buckets, since: number): Series {
  const { all, width } = buckets;
  return {
    step: width,
    at: all.map(([number]) => number * width - since),
    completed: all.map(([, { completed }]) => completed),
    failed: all.map(([, { failed }]) => failed),
    busy: all.map(([, { busy }]) => rounded(busy)),
  };
}

/** Percentiles and bars of a histogram: as many buckets to a bar as bring them under the limit. */
export function durationsOf(histogram: Histogram): Durations {
  const { count, sum, min, max } = histogram;
  const filled = [...histogram.filled()];
  const first = filled[0]?.[0] ?? 0;
  const last = filled.at(-1)?.[0] ?? 0;
  // No finer than durations are recorded: among a few microseconds, bars without any would lie between the others.
  const finest = PER_DOUBLING * Math.log2(1 + RESOLUTION / Math.max(RESOLUTION, histogram.percentile(0.05)));
  let size = PER_DOUBLING / 16;
  while (size < finest) size *= 2;
  while (Math.floor(last / size) - Math.floor(first / size) >= LIMITS.durations) size *= 2;
  const counts = new Map<number, number>();
  for (const [bucket, times] of filled) {
    const bar = Math.floor(bucket / size);
    counts.set(bar, (counts.get(bar) ?? 0) + times);
  }
  return {
    count,
    min: count === 0 ? 0 : rounded(min),
    mean: count === 0 ? 0 : rounded(sum / count),
    median: rounded(histogram.percentile(0.5)),
    p95: rounded(histogram.percentile(0.95)),
    p99: rounded(histogram.percentile(0.99)),
    max: rounded(max),
    bars: [...counts].map(([bar, times]) => ({
      from: bucketStart(bar * size),
      to: bucketStart((bar + 1) * size),
      count: times,
    })),
  };
}

/** Jobs in columns, by when they began. @param complete whether these are all jobs */
export function barsOf(bars: readonly Bar[], complete: boolean): Bars {
  const sorted = [...bars].sort((a, b) => a.start - b.start || a.index - b.index);
  const isKeyed = sorted.some(({ key }) => key !== undefined);
  return {
    complete,
    lane: sorted.map(({ lane }) => lane),
    index: sorted.map(({ index }) => index),
    key: isKeyed ? sorted.map(({ key = '' }) => key) : [],
    start: sorted.map(({ start }) => start),
    duration: sorted.map(({ duration }) => rounded(duration)),
    attempt: sorted.map(({ attempt }) => attempt),
    failed: sorted.flatMap(({ failed }, position) => (failed ? [position] : [])),
  };
}

/**
 * How full the workers were, in buckets so wide that there are not too many.
 *
 * @param places the place in the report of each lane; none where no cells are wanted
 */
export function cellsOf(buckets: Buckets, places: readonly number[], since: number): Cells {
  let step = buckets.width;
  let lanes: [number, Cell][][] = places.map((_, lane) => buckets.lane(lane));
  while (lanes.reduce((sum, cells) => sum + cells.length, 0) > LIMITS.cells) {
    step *= 2;
    lanes = lanes.map((cells) => [...halved(cells, addCell)]);
  }
  const flat = lanes.flatMap((cells, lane) =>
    cells.map(([number, cell]) => ({ lane: places[lane] ?? 0, at: number * step - since, ...cell })),
  );
  return {
    step,
    lane: flat.map(({ lane }) => lane),
    at: flat.map(({ at }) => at),
    jobs: flat.map(({ jobs }) => jobs),
    failed: flat.map(({ failed }) => failed),
    busy: flat.map(({ busy }) => rounded(busy)),
  };
}

/** To the microsecond: what a journal holds is no finer. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
