import type { ReportData } from '../data.js';
import type { TimeAxis } from './time-axis.js';

/** Jobs of a worker that ran at once are drawn in rows; what is beyond shares the last ones. */
const MOST_ROWS = 6;

/** Where a job begins is known to the millisecond only, and so is the clock that the jobs of each batch are timed by. */
const TOLERANCE = 2;

/** A lane: which of the bars and cells are in it, in order of time. */
export interface Lane {
  /** Positions in `ReportData.bars`. */
  readonly bars: number[];
  /** The row of each of them. */
  readonly row: number[];
  rows: number;
  /** Positions in `ReportData.cells`. */
  readonly cells: number[];
}

/** Everything that is drawn, by lane and in positions of the axis. */
export interface Lanes {
  readonly lanes: readonly Lane[];
  readonly failed: ReadonlySet<number>;
  /** Whether there are failed jobs that have no bar. */
  readonly moreFailed: boolean;
  readonly barStart: Float64Array;
  readonly barEnd: Float64Array;
  readonly cellStart: Float64Array;
  readonly cellEnd: Float64Array;
}

/** Sorts a report's jobs into lanes. */
export function lanesOf({ workers, bars, cells }: ReportData, axis: TimeAxis): Lanes {
  const lanes: Lane[] = workers.map(() => ({ bars: [], row: [], rows: 1, cells: [] }));
  bars.lane.forEach((lane, bar) => {
    lanes[lane]?.bars.push(bar);
  });
  cells.lane.forEach((lane, cell) => {
    lanes[lane]?.cells.push(cell);
  });
  const end = (bar: number): number => (bars.start[bar] ?? 0) + (bars.duration[bar] ?? 0);
  for (const lane of lanes) stack(lane, (bar) => bars.start[bar] ?? 0, end);
  return {
    lanes,
    failed: new Set(bars.failed),
    moreFailed: cells.failed.reduce((sum, each) => sum + each, 0) > bars.failed.length,
    barStart: Float64Array.from(bars.start, (time) => axis.x(time)),
    barEnd: Float64Array.from(bars.start, (_, bar) => axis.x(end(bar))),
    cellStart: Float64Array.from(cells.at, (time) => axis.x(time)),
    cellEnd: Float64Array.from(cells.at, (time) => axis.x(time + cells.step)),
  };
}

/** Gives each bar the first row that is free when it begins. */
function stack(lane: Lane, start: (bar: number) => number, end: (bar: number) => number): void {
  const free: number[] = [];
  for (const bar of lane.bars) {
    const begin = start(bar) + TOLERANCE;
    let row = free.findIndex((from) => from <= begin);
    if (row === -1) row = free.length < MOST_ROWS ? free.length : free.indexOf(Math.min(...free));
    free[row] = Math.max(free[row] ?? 0, end(bar));
    lane.row.push(row);
  }
  lane.rows = Math.max(1, free.length);
}
