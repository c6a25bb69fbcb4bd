import type uPlot from 'uplot';
import { createChart, drawPauses, joinView, timeAxis, timeScale } from './chart.js';
import { count, counted, duration, jobName, percent } from './format.js';
import { drawLanes } from './gantt-draw.js';
import type { Lanes } from './lanes.js';
import { lanesOf } from './lanes.js';
import type { OverTime } from './over-time.js';

/** How far from a bar or a mark the pointer may be, in pixels. */
const NEAR = 3;

/** Pixels a lane, by how many there are. */
export function laneHeight(lanes: number): number {
  if (lanes <= 12) return 26;
  if (lanes <= 32) return 18;
  return lanes <= 64 ? 12 : 7;
}

/** What each worker did, when: a lane a worker. */
export function gantt(place: HTMLElement, over: OverTime): void {
  const { data, axis, view, left } = over;
  const { workers } = data;
  const lanes = lanesOf(data, axis);
  const height = Math.max(2, workers.length) * laneHeight(workers.length) + 54;
  const chart = createChart(place, {
    label:
      `What each of ${counted(workers.length, 'worker')} did when, as bars. ` +
      'The tables of workers, slowest jobs and failures say it in numbers. Keys: arrows, plus, minus, 0.',
    height,
    data: [
      [0, axis.length],
      [0, 0],
    ],
    scales: {
      x: timeScale(axis),
      y: { range: [0, Math.max(1, workers.length)], dir: -1 },
    },
    series: [{ paths: () => null, points: { show: false } }],
    axes: [
      timeAxis(axis),
      {
        size: left - 20,
        label: 'worker',
        grid: { show: false },
        ticks: { show: false },
        splits: () => shownLanes(workers.length).map((lane) => lane + 0.5),
        values: (_chart, splits) => splits.map((at) => short(workers[Math.floor(at)]?.name ?? '')),
      },
    ],
    draw: (self) => {
      drawLanes(self, over, lanes);
      drawPauses(self, axis);
    },
    onScale: (self) => view.chosen(self.scales.x?.min, self.scales.x?.max),
    drag: true,
    group: 'time',
    tip: (self, x, y) => tipAt(self, over, lanes, x, y),
  });
  joinView(chart, view);
}

/** Lanes that are named: as many as there is room for. */
function shownLanes(lanes: number): number[] {
  const every = Math.ceil(14 / laneHeight(lanes));
  return Array.from({ length: Math.ceil(lanes / every) }, (_, at) => at * every);
}

/** A name in the room there is: its end is what tells workers apart. */
function short(name: string): string {
  return name.length > 16 ? `…${name.slice(-15)}` : name;
}

function tipAt(chart: uPlot, over: OverTime, lanes: Lanes, x: number, y: number): readonly string[] {
  const { workers } = over.data;
  const lane = Math.floor(chart.posToVal(y, 'y'));
  const worker = workers[lane];
  if (worker === undefined) return [];
  const reach = { from: chart.posToVal(x - NEAR, 'x'), to: chart.posToVal(x + NEAR, 'x') };
  const within = chart.posToVal(y, 'y') - lane;
  const found =
    crashAt(over, lane, reach) ??
    barAt(over, lanes, lane, { at: chart.posToVal(x, 'x'), ...reach, within }) ??
    retryAt(over, lane, reach) ??
    cellAt(over, lanes, lane, chart.posToVal(x, 'x'));
  return found === undefined ? [] : [...found, `worker ${worker.name}`];
}

interface Reach {
  readonly from: number;
  readonly to: number;
}

function crashAt({ data, axis }: OverTime, lane: number, { from, to }: Reach): string[] | undefined {
  const crash = data.crashes.find(
    (each) => each.lane === lane && axis.x(each.at) >= from && axis.x(each.at) <= to,
  );
  if (crash === undefined) return undefined;
  const jobs = crash.jobs.map((index) => `job ${index}`).join(', ');
  return [
    `crashed: ${crash.signal ?? `exit code ${crash.code}`}`,
    axis.say(crash.at, 0),
    ...(crash.held === 0 ? [] : [`held ${crash.held > 3 ? counted(crash.held, 'job') : jobs}`]),
  ];
}

function retryAt({ data, axis }: OverTime, lane: number, { from, to }: Reach): string[] | undefined {
  const { marks } = data;
  const mark = marks.at.findIndex(
    (at, each) => marks.lane[each] === lane && axis.x(at) >= from && axis.x(at) <= to,
  );
  if (mark === -1) return undefined;
  return [`job ${marks.index[mark]} failed and was run again`, axis.say(marks.at[mark] ?? 0, 0)];
}

/** The nearest bar in the row that is pointed at, or in any row of the lane. */
function barAt(
  { data, axis, view }: OverTime,
  { lanes, failed, barStart, barEnd }: Lanes,
  lane: number,
  { at, from, to, within }: Reach & { readonly at: number; readonly within: number },
): string[] | undefined {
  const { bars = [], row = [], rows = 1 } = lanes[lane] ?? {};
  const pointed = Math.floor(within * rows);
  let best: { readonly bar: number; readonly distance: number } | undefined;
  bars.forEach((bar, place) => {
    const [start, end] = [barStart[bar] ?? 0, barEnd[bar] ?? 0];
    if (end < from || start > to) return;
    const off = Math.max(start - at, at - end, 0) + (row[place] === pointed ? 0 : to - from);
    if (best === undefined || off < best.distance) best = { bar, distance: off };
  });
  const bar = best?.bar;
  if (bar === undefined) return undefined;
  // Among jobs too short to be seen, the one that happens to be under the pointer says little.
  if (
    !data.bars.complete &&
    !failed.has(bar) &&
    (barEnd[bar] ?? 0) - (barStart[bar] ?? 0) < (to - from) / NEAR
  )
    return undefined;
  const { index, key, start, duration: durations, attempt } = data.bars;
  const name = jobName({ index: index[bar] ?? 0, key: key[bar] ?? '' });
  const tries = attempt[bar] ?? 1;
  return [
    `${name}${failed.has(bar) ? ' (failed)' : ''}`,
    `took ${duration(durations[bar] ?? 0)}`,
    `began ${axis.say(start[bar] ?? 0, view.max - view.min)}`,
    ...(name === `job ${index[bar]}` ? [] : [`job ${index[bar]}`]),
    ...(tries > 1 ? [`attempt ${tries}`] : []),
  ];
}

function cellAt(
  { data, axis, view }: OverTime,
  { lanes, cellStart, cellEnd }: Lanes,
  lane: number,
  at: number,
): string[] | undefined {
  const { cells } = data;
  const cell = lanes[lane]?.cells.find((each) => (cellStart[each] ?? 0) <= at && (cellEnd[each] ?? 0) > at);
  if (cell === undefined) return undefined;
  const failed = cells.failed[cell] ?? 0;
  return [
    counted(cells.jobs[cell] ?? 0, 'job'),
    ...(failed === 0 ? [] : [`${count(failed)} of them failed`]),
    `busy ${percent(Math.min(1, (cells.busy[cell] ?? 0) / cells.step))} of ${duration(cells.step)}`,
    `from ${axis.say(cells.at[cell] ?? 0, view.max - view.min)}`,
  ];
}
