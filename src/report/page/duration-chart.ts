import type uPlot from 'uplot';
import type { Durations } from '../data.js';
import { createChart, roomFor } from './chart.js';
import { count, counted, duration, percent } from './format.js';
import { colours, faded } from './theme.js';

/** Positions are logarithms: a doubling is as wide wherever it is. */
const position = (milliseconds: number): number => Math.log2(milliseconds);

/** How long jobs took, as a histogram with its percentiles. */
export function durationChart(place: HTMLElement, durations: Durations): void {
  const { bars } = durations;
  const first = position(bars[0]?.from ?? 1);
  const last = position(bars.at(-1)?.to ?? 2);
  const margin = Math.max(0.15, (last - first) * 0.03);
  createChart(place, {
    label:
      `Histogram of durations: the median is ${duration(durations.median)}, 95 % took at most ` +
      `${duration(durations.p95)}, 99 % at most ${duration(durations.p99)}.`,
    height: 240,
    data: [bars.map(({ from }) => position(from)), bars.map((bar) => bar.count)],
    scales: {
      x: { time: false, range: [first - margin, last + margin], auto: false },
      y: { range: (_chart, _min, max) => [0, max > 0 ? max * 1.18 : 1] },
    },
    series: [{ paths: () => null, points: { show: false } }],
    axes: [
      {
        size: 34,
        label: 'duration of a job',
        splits: (chart, _axis, min, max) => roundDurations(min, max, roomFor(chart, 72)),
        values: (_chart, splits) => splits.map((split) => duration(2 ** split)),
      },
      {
        size: 48,
        label: 'jobs',
        incrs: WHOLE_STEPS,
        values: (_chart, splits) => splits.map((value) => (Number.isInteger(value) ? short(value) : '')),
      },
    ],
    draw: (chart) => {
      drawBars(chart, durations);
      drawPercentiles(chart, durations);
    },
    drag: false,
    tip: (chart, x) => {
      const at = 2 ** chart.posToVal(x, 'x');
      const bar = bars.find(({ from, to }) => at >= from && at < to);
      if (bar === undefined) return [];
      return [
        counted(bar.count, 'job'),
        `took ${duration(bar.from)} to ${duration(bar.to)}`,
        `${percent(bar.count / durations.count)} of all`,
      ];
    },
  });
}

function short(value: number): string {
  return value >= 10_000 ? `${count(value / 1000)}k` : count(value);
}

function drawBars(chart: uPlot, { bars }: Durations): void {
  const { ctx, bbox } = chart;
  ctx.fillStyle = colours.done;
  for (const bar of bars) {
    const left = chart.valToPos(position(bar.from), 'x', true);
    const width = chart.valToPos(position(bar.to), 'x', true) - left;
    const height = Math.max(2, bbox.top + bbox.height - chart.valToPos(bar.count, 'y', true));
    ctx.fillRect(left, bbox.top + bbox.height - height, Math.max(1, width - devicePixelRatio), height);
  }
}

/** Lines with their names, each name on a height of its own where they are close. */
function drawPercentiles(chart: uPlot, { count: jobs, median, p95, p99 }: Durations): void {
  if (jobs < 2) return;
  const { ctx, bbox } = chart;
  const dpr = devicePixelRatio;
  ctx.font = `${12 * dpr}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  let line = 0;
  let lastEnd = Number.NEGATIVE_INFINITY;
  for (const [name, value] of [
    ['median', median],
    ['p95', p95],
    ['p99', p99],
  ] as const) {
    const x = chart.valToPos(position(value), 'x', true);
    const text = `${name} ${duration(value)}`;
    const width = ctx.measureText(text).width;
    const isLeft = x + width + 6 * dpr > bbox.left + bbox.width;
    const start = isLeft ? x - width - 5 * dpr : x + 5 * dpr;
    line = start < lastEnd ? line + 1 : 0;
    lastEnd = Math.max(lastEnd, start + width + 8 * dpr);
    const top = bbox.top + (2 + line * 16) * dpr;
    ctx.strokeStyle = colours.text;
    ctx.lineWidth = dpr;
    ctx.setLineDash([4 * dpr, 3 * dpr]);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillStyle = faded(colours.card, 0.8);
    ctx.fillRect(start - 2 * dpr, top, width + 4 * dpr, 15 * dpr);
    ctx.fillStyle = colours.text;
    ctx.fillText(text, start, top + dpr);
  }
}

/** What may lie between two marks of an axis of counts. */
const WHOLE_STEPS = Array.from({ length: 13 }, (_, power) =>
  [1, 2, 5].map((each) => each * 10 ** power),
).flat();

const ROUND = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const UNITS = [0.001, 1, 1000];
const LONG = [60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000, 86_400].map((s) => s * 1000);
/** Durations that are easily read: 1, 2 and 5 times powers of ten, then whole minutes and hours. */
const EASY = [...UNITS.flatMap((unit) => ROUND.map((each) => each * unit)), ...LONG].filter(
  (each) => each < 60_000 || LONG.includes(each),
);

/** Round durations between two positions, at most so many. */
function roundDurations(min: number, max: number, most: number): number[] {
  const within = EASY.map(position).filter((each) => each >= min && each <= max);
  const powers = within.filter((each) => /^1(0*)$/.test(String(Math.round(2 ** each * 1000))));
  if (within.length <= most) return within;
  const some = powers.length > 1 ? powers : within;
  const every = Math.ceil(some.length / most);
  return some.filter((_, at) => at % every === 0);
}
