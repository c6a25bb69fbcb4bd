import uPlot from 'uplot';
import type { ReportData } from '../data.js';
import { createChart, drawPauses, joinView, timeAxis, timeScale } from './chart.js';
import { count, counted, duration, precise } from './format.js';
import type { Steps } from './rates.js';
import { rateUnit, stepsIn } from './rates.js';
import { colours, faded } from './theme.js';
import type { TimeAxis } from './time-axis.js';
import type { TimeView } from './time-view.js';

/** Where charts over time are drawn, and what they have in common. */
export interface OverTime {
  readonly data: ReportData;
  readonly axis: TimeAxis;
  readonly view: TimeView;
  /** Pixels to the left of all of them, so that they are aligned. */
  readonly left: number;
}

/** One line of a chart. */
interface Line {
  readonly values: (steps: Steps) => readonly (number | null)[];
  readonly colour: () => string;
}

/** Jobs a second. */
export function throughput(place: HTMLElement, over: OverTime): void {
  const { data } = over;
  const mean = (data.totals.completed + data.totals.failed) / Math.max(data.totals.active, 0.001);
  const unit = rateUnit(mean);
  const per = (value: number): string => `${precise(value)} jobs/${unit.name}`;
  const scaled = (values: readonly (number | null)[]) =>
    values.map((value) => (value === null ? null : value * unit.milliseconds));
  draw(place, over, {
    label: `Throughput over time, ${per(mean * unit.milliseconds)} in the mean`,
    axisLabel: `jobs/${unit.name}`,
    height: 170,
    lines: [
      { values: (steps) => scaled(steps.completed), colour: () => colours.done },
      ...(data.totals.failed === 0
        ? []
        : [{ values: (steps: Steps) => scaled(steps.failed), colour: () => colours.failed }]),
    ],
    tip: (steps, at) => {
      const failed = (steps.failed[at] ?? 0) * unit.milliseconds;
      return [
        per((steps.completed[at] ?? 0) * unit.milliseconds),
        ...(failed === 0 ? [] : [`failed: ${per(failed)}`]),
        counted(steps.about[at]?.jobs ?? 0, 'job'),
      ];
    },
  });
}

/** How many jobs ran at the same time. */
export function running(place: HTMLElement, over: OverTime): void {
  const { busy, active } = over.data.totals;
  draw(place, over, {
    label: `Jobs that ran at the same time, ${precise(busy / Math.max(active, 0.001))} in the mean`,
    axisLabel: 'jobs at once',
    height: 130,
    lines: [{ values: (steps) => steps.running, colour: () => colours.done }],
    tip: (steps, at) => [`${precise(steps.running[at] ?? 0)} jobs at once`],
  });
}

interface Drawing {
  readonly label: string;
  readonly axisLabel: string;
  readonly height: number;
  readonly lines: readonly Line[];
  readonly tip: (steps: Steps, at: number) => readonly string[];
}

function draw(place: HTMLElement, { data, axis, view, left }: OverTime, drawing: Drawing): void {
  const { lines, tip } = drawing;
  const fill = (steps: Steps): uPlot.AlignedData => [
    steps.x,
    ...lines.map(({ values }) => [...values(steps)]),
  ];
  const stepped = uPlot.paths.stepped?.({ align: 1 });
  const most = (): number => Math.max(24, Math.min(200, place.clientWidth / 5));
  let steps = stepsIn(data, axis, axis.length, most());
  const chart = createChart(place, {
    label: drawing.label,
    height: drawing.height,
    data: fill(steps),
    scales: {
      x: timeScale(axis),
      y: { range: (_chart, _min, max) => [0, max > 0 ? max * 1.08 : 1] },
    },
    series: lines.map(({ colour }) => ({
      stroke: colour,
      fill: () => faded(colour(), 0.18),
      width: 1.5,
      ...(stepped === undefined ? {} : { paths: stepped }),
      points: { show: false },
    })),
    axes: [
      timeAxis(axis),
      { size: left - 20, label: drawing.axisLabel, values: (_chart, splits) => splits.map(axisNumber) },
    ],
    draw: (self) => drawPauses(self, axis),
    onScale: (self) => view.chosen(self.scales.x?.min, self.scales.x?.max),
    drag: true,
    group: 'time',
    tip: (self, x) => {
      const at = stepAt(steps, self.posToVal(x, 'x'));
      const about = steps.about[at];
      if (about === undefined) return [];
      const span = `${axis.say(about.from, view.max - view.min)}, for ${duration(about.to - about.from)}`;
      return [...tip(steps, at), span];
    },
  });
  joinView(chart, view);
  view.onChange(() => {
    steps = stepsIn(data, axis, view.max - view.min, most());
    chart.setData(fill(steps), false);
  });
}

function axisNumber(value: number): string {
  return value >= 10_000 ? `${count(value / 1000)}k` : precise(value);
}

/** The step at a position: the last one that begins before it. */
function stepAt({ x }: Steps, position: number): number {
  let low = 0;
  let high = x.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((x[middle] ?? 0) <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}
