import uPlot from 'uplot';
import { h } from './dom.js';
import { duration } from './format.js';
import { colours, faded, onThemeChange } from './theme.js';
import type { TimeAxis } from './time-axis.js';
import type { TimeView } from './time-view.js';

const FONT = '12px system-ui, sans-serif';

/** What a chart is made of, besides what all charts have in common. */
export interface ChartOptions {
  /** What it shows, in words, for who can't see it. */
  readonly label: string;
  readonly height: number;
  readonly data: uPlot.AlignedData;
  readonly series: readonly uPlot.Series[];
  readonly scales: uPlot.Scales;
  readonly axes: readonly [uPlot.Axis, uPlot.Axis];
  /** Draws on top. */
  readonly draw?: (chart: uPlot) => void;
  readonly onScale?: (chart: uPlot) => void;
  /** Whether a part can be chosen by dragging. */
  readonly drag: boolean;
  /** Charts of the same group show the pointer at the same place. */
  readonly group?: string;
  /** What is said of what is under the pointer: lines, of which the first is a heading. Nothing: none. */
  readonly tip: (chart: uPlot, left: number, top: number) => readonly string[];
}

/** A chart in its place, which is as wide as the place. */
export function createChart(place: HTMLElement, options: ChartOptions): uPlot {
  place.setAttribute('role', 'figure');
  place.setAttribute('aria-label', options.label);
  place.classList.add('chart');
  const { draw, onScale } = options;
  const tip = new Tip(place, options.tip);
  const chart = new uPlot(
    {
      width: Math.max(240, place.clientWidth),
      height: options.height,
      scales: options.scales,
      series: [{}, ...options.series],
      axes: [styled(options.axes[0]), styled(options.axes[1])],
      legend: { show: false },
      padding: [8, 26, 0, 0],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: options.drag, y: false, setScale: options.drag, dist: 4 },
        ...(options.group === undefined ? {} : { sync: { key: options.group, scales: ['x', null] } }),
      },
      hooks: {
        draw: draw === undefined ? [] : [(self) => clipped(self, draw)],
        setScale:
          onScale === undefined
            ? []
            : [
                (self, key) => {
                  if (key === 'x') onScale(self);
                },
              ],
        setCursor: [(self) => tip.follow(self)],
      },
    },
    options.data,
    place,
  );
  chart.over.addEventListener('mouseenter', () => tip.enter());
  chart.over.addEventListener('mouseleave', () => tip.leave());
  new ResizeObserver(() => {
    const width = Math.max(240, place.clientWidth);
    if (width !== chart.width) chart.setSize({ width, height: options.height });
  }).observe(place);
  onThemeChange(() => chart.redraw(false));
  return chart;
}

/** The options of a time axis: marks at round times, none in a pause. */
export function timeAxis(axis: TimeAxis): uPlot.Axis {
  let labels: string[] = [];
  return {
    size: 46,
    splits: (chart, _axis, min, max) => {
      const marks = axis.marks(min, max, roomFor(chart, 74));
      labels = marks.labels;
      return marks.at;
    },
    values: (_chart, splits) => splits.map((_, at) => labels[at] ?? ''),
  };
}

/** The scale of a time axis: all of it, until a part is chosen. */
export function timeScale(axis: TimeAxis): uPlot.Scale {
  return { time: false, range: (_chart, min, max) => [min ?? 0, max ?? axis.length] };
}

/** How many labels of so many pixels a chart has room for. Its inner width is not known before it is drawn first. */
export function roomFor(chart: uPlot, pixels: number): number {
  return Math.max(2, (chart.width - 90) / pixels);
}

/** Hatches the pauses of a time axis, and says how long they were where there is room. */
export function drawPauses(chart: uPlot, axis: TimeAxis): void {
  const { ctx, bbox } = chart;
  for (const { from, to, pause } of axis.gaps) {
    const left = chart.valToPos(from, 'x', true);
    const width = chart.valToPos(to, 'x', true) - left;
    if (left > bbox.left + bbox.width || left + width < bbox.left) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, bbox.top, width, bbox.height);
    ctx.clip();
    ctx.fillStyle = colours.card;
    ctx.fillRect(left, bbox.top, width, bbox.height);
    ctx.strokeStyle = colours.line;
    ctx.lineWidth = devicePixelRatio;
    ctx.beginPath();
    for (let x = left - bbox.height; x < left + width; x += 6 * devicePixelRatio) {
      ctx.moveTo(x, bbox.top + bbox.height);
      ctx.lineTo(x + bbox.height, bbox.top);
    }
    ctx.stroke();
    ctx.fillStyle = colours.quiet;
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    ctx.translate(left + width / 2, bbox.top + bbox.height / 2);
    ctx.rotate(-Math.PI / 2);
    const text = `pause of ${duration(pause)}`;
    if (ctx.measureText(text).width < bbox.height && width > 12 * devicePixelRatio) ctx.fillText(text, 0, 0);
    ctx.restore();
  }
}

/** Lets a chart show what is in view, and bring something else into view. */
export function joinView(chart: uPlot, view: TimeView): void {
  view.join(chart);
  view.listen(chart);
}

function styled(axis: uPlot.Axis): uPlot.Axis {
  return {
    font: FONT,
    labelFont: FONT,
    labelSize: 20,
    stroke: () => colours.quiet,
    ticks: { stroke: () => colours.line, width: 1, size: 5 },
    border: { show: true, stroke: () => colours.line, width: 1 },
    ...axis,
    grid: { stroke: () => faded(colours.line, 0.7), width: 1, ...axis.grid },
  };
}

function clipped(chart: uPlot, draw: (chart: uPlot) => void): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(chart);
  ctx.restore();
}

/** A box beside the pointer that says what is under it. */
class Tip {
  readonly #box = h('div', { class: 'tip', hidden: '' });
  /** Charts of one group have their pointers moved together: only the one that is really pointed at says something. */
  #isHere = false;

  constructor(
    private readonly place: HTMLElement,
    private readonly says: ChartOptions['tip'],
  ) {
    place.append(this.#box);
  }

  enter(): void {
    this.#isHere = true;
  }

  leave(): void {
    this.#isHere = false;
    this.#box.hidden = true;
  }

  follow(chart: uPlot): void {
    const { left = -1, top = -1 } = chart.cursor;
    const lines = this.#isHere && left >= 0 && top >= 0 ? this.says(chart, left, top) : [];
    this.#box.hidden = lines.length === 0;
    if (lines.length === 0) return;
    const [heading, ...rest] = lines;
    this.#box.replaceChildren(h('strong', {}, heading), ...rest.map((line) => h('div', {}, line)));
    this.#moveTo(chart, left, top);
  }

  #moveTo({ over }: uPlot, left: number, top: number): void {
    const { offsetWidth, offsetHeight } = this.#box;
    const x = over.offsetLeft + left;
    const y = over.offsetTop + top;
    const roomRight = this.place.clientWidth - x - 14;
    const besides = roomRight > offsetWidth ? x + 14 : x - offsetWidth - 14;
    this.#box.style.left = `${Math.max(0, Math.min(besides, this.place.clientWidth - offsetWidth))}px`;
    this.#box.style.top = `${Math.max(0, y - offsetHeight - 10 > 0 ? y - offsetHeight - 10 : y + 18)}px`;
  }
}
