import type uPlot from 'uplot';
import type { Lane, Lanes } from './lanes.js';
import type { OverTime } from './over-time.js';
import { colours } from './theme.js';

/** Pixels from which on a job is drawn as a bar of its own. */
const OWN_BAR = 1.5;

/** Where lanes and what is in them are on the canvas. */
interface Canvas {
  readonly chart: uPlot;
  readonly ctx: CanvasRenderingContext2D;
  readonly left: number;
  readonly width: number;
  readonly scale: number;
  /** The position at the left edge. */
  readonly min: number;
  readonly dpr: number;
}

/** Draws all lanes: how busy the worker was where jobs are too short to be seen, a bar for each of the others. */
export function drawLanes(chart: uPlot, over: OverTime, lanes: Lanes): void {
  const { ctx, bbox, scales } = chart;
  const { min = 0, max = 1 } = scales.x ?? {};
  const scale = bbox.width / Math.max((max ?? 1) - (min ?? 0), Number.MIN_VALUE);
  const dpr = devicePixelRatio;
  const canvas = { chart, ctx, left: bbox.left, width: bbox.width, scale, min: min ?? 0, dpr };
  lanes.lanes.forEach((lane, number) => {
    const top = chart.valToPos(number, 'y', true);
    const height = chart.valToPos(number + 1, 'y', true) - top;
    const gap = Math.min(3 * dpr, height * 0.16);
    const box = { top: top + gap, height: height - 2 * gap };
    ctx.fillStyle = colours.line;
    ctx.globalAlpha = 0.35;
    ctx.fillRect(bbox.left, box.top, bbox.width, box.height);
    ctx.globalAlpha = 1;
    shade(canvas, over, lanes, lane, box);
    drawBars(canvas, lanes, lane, box);
  });
  drawMarks(canvas, over);
}

interface Box {
  readonly top: number;
  readonly height: number;
}

/** How busy the worker was in each column of pixels with jobs that have no bar of their own. */
function shade(canvas: Canvas, { data }: OverTime, lanes: Lanes, lane: Lane, box: Box): void {
  const busy = new Float32Array(Math.ceil(canvas.width) + 1);
  const failed = new Uint8Array(busy.length);
  const { cells, bars } = data;
  for (const cell of lane.cells) {
    const share = Math.min(1, (cells.busy[cell] ?? 0) / cells.step);
    const [from, to] = [pixel(canvas, lanes.cellStart[cell]), pixel(canvas, lanes.cellEnd[cell])];
    spread(busy, from, to, share);
    const column = Math.floor((from + to) / 2);
    if (lanes.moreFailed && (cells.failed[cell] ?? 0) > 0 && column >= 0 && column < failed.length)
      failed[column] = 1;
  }
  if (bars.complete) {
    lane.bars.forEach((bar) => {
      const [from, to] = [pixel(canvas, lanes.barStart[bar]), pixel(canvas, lanes.barEnd[bar])];
      if (to - from < OWN_BAR) spread(busy, from, Math.max(to, from + 0.2), 1 / lane.rows);
    });
  }
  fillColumns(canvas, { busy, failed, strength: bars.complete ? 1 : 0.6 }, box);
}

/** Columns of pixels: how busy the worker was, in which a job failed, and how strongly to draw it. */
interface Columns {
  readonly busy: Float32Array;
  readonly failed: Uint8Array;
  /** Less than 1 where bars are to stand out from what is not drawn one by one. */
  readonly strength: number;
}

function fillColumns({ ctx, left, dpr }: Canvas, { busy, failed, strength }: Columns, box: Box): void {
  ctx.fillStyle = colours.done;
  for (let column = 0; column < busy.length; column += 1) {
    const share = busy[column] ?? 0;
    if (share <= 0) continue;
    // A quarter of the strength for what was hardly busy, so that it is seen at all.
    ctx.globalAlpha = strength * (0.25 + 0.75 * Math.min(1, share));
    ctx.fillRect(left + column, box.top, 1, box.height);
  }
  ctx.globalAlpha = 1;
  ctx.fillStyle = colours.failed;
  const tick = Math.max(2 * dpr, box.height * 0.3);
  failed.forEach((has, column) => {
    if (has === 1) ctx.fillRect(left + column, box.top, Math.max(1, dpr), tick);
  });
}

/** Adds to each column the share of it that lies between two positions. */
function spread(columns: Float32Array, from: number, to: number, share: number): void {
  const last = Math.min(columns.length - 1, Math.floor(to));
  for (let column = Math.max(0, Math.floor(from)); column <= last; column += 1) {
    const part = Math.min(to, column + 1) - Math.max(from, column);
    columns[column] = (columns[column] ?? 0) + Math.max(0, part) * share;
  }
}

/** Jobs of their own bar; those that failed on top, and never too short to be seen. */
function drawBars(canvas: Canvas, lanes: Lanes, lane: Lane, box: Box): void {
  const { ctx, left, width, dpr } = canvas;
  const height = box.height / lane.rows;
  for (const isFailed of [false, true]) {
    ctx.fillStyle = isFailed ? colours.failed : colours.done;
    lane.bars.forEach((bar, place) => {
      if (lanes.failed.has(bar) !== isFailed) return;
      const [from, to] = [pixel(canvas, lanes.barStart[bar]), pixel(canvas, lanes.barEnd[bar])];
      if (to < 0 || from > width || (to - from < OWN_BAR && !isFailed)) return;
      const start = Math.max(from, -2);
      const length = Math.min(to, width + 2) - start;
      // A gap between neighbours, where there is room for one.
      const gap = length > 4 * dpr ? dpr : 0;
      const rowTop = box.top + (lane.row[place] ?? 0) * height;
      ctx.fillRect(
        left + start,
        rowTop,
        Math.max(length - gap, isFailed ? 2 * dpr : 1),
        Math.max(1, height - (lane.rows > 1 ? dpr / 2 : 0)),
      );
    });
  }
}

/** Retries as small triangles at the lower edge of their lane, crashes as crosses. */
function drawMarks(canvas: Canvas, { data, axis }: OverTime): void {
  const { ctx, chart, left, dpr } = canvas;
  const laneTop = (lane: number): number => chart.valToPos(lane, 'y', true);
  const height = laneTop(1) - laneTop(0);
  const shown = data.marks.at
    .map((at) => pixel(canvas, axis.x(at)))
    .filter((x) => x >= 0 && x <= canvas.width);
  const isCrowded = shown.length > 15 * data.workers.length;
  const size = Math.min(5 * dpr, height / 3);
  ctx.fillStyle = colours.retry;
  data.marks.at.forEach((at, mark) => {
    const x = left + pixel(canvas, axis.x(at));
    const bottom = laneTop((data.marks.lane[mark] ?? 0) + 1);
    ctx.beginPath();
    const half = isCrowded ? 1.5 * dpr : size;
    ctx.moveTo(x - half, bottom);
    ctx.lineTo(x + half, bottom);
    ctx.lineTo(x, bottom - (isCrowded ? 1 : 1.6) * size);
    ctx.fill();
  });
  for (const { lane, at } of data.crashes) {
    if (lane !== undefined) drawCross(ctx, left + pixel(canvas, axis.x(at)), laneTop(lane + 0.5), size, dpr);
  }
}

function drawCross(ctx: CanvasRenderingContext2D, x: number, y: number, size: number, dpr: number): void {
  for (const [colour, width] of [
    [colours.card, 5 * dpr],
    [colours.crash, 2.5 * dpr],
  ] as const) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.lineCap = 'round';
    ctx.beginPath();
    ctx.moveTo(x - size, y - size);
    ctx.lineTo(x + size, y + size);
    ctx.moveTo(x + size, y - size);
    ctx.lineTo(x - size, y + size);
    ctx.stroke();
  }
}

/** Canvas pixels from the left edge. */
function pixel({ min, scale }: Canvas, position = 0): number {
  return (position - min) * scale;
}
