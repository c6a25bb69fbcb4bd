import type uPlot from 'uplot';
import { h } from './dom.js';

/** How much closer a step brings. */
const STEP = 1.6;

/** Milliseconds of a view that can't be brought closer. */
const CLOSEST = 0.05;

/** The part of the time axis that is in view, the same in all charts. */
export class TimeView {
  min = 0;
  max: number;
  readonly #charts: uPlot[] = [];
  #isApplying = false;
  readonly #listeners: (() => void)[] = [];

  constructor(readonly length: number) {
    this.max = length;
  }

  /** From now on the chart shows what is in view, and what is chosen in it comes into view. */
  join(chart: uPlot): void {
    this.#charts.push(chart);
  }

  /** Calls back whenever something else comes into view, before it is drawn. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** For a chart's `setScale` hook. */
  chosen(min: number | null | undefined, max: number | null | undefined): void {
    if (this.#isApplying || typeof min !== 'number' || typeof max !== 'number') return;
    if (min !== this.min || max !== this.max) this.show(min, max);
  }

  /** Brings a part into view, or as much of it as there is. */
  show(min: number, max: number): void {
    const width = Math.min(Math.max(max - min, CLOSEST), this.length);
    this.min = Math.min(Math.max(0, (min + max - width) / 2), this.length - width);
    this.max = this.min + width;
    // Data first: it is drawn with the scale that is set next.
    for (const listener of this.#listeners) listener();
    this.#isApplying = true;
    for (const chart of this.#charts) chart.setScale('x', { min: this.min, max: this.max });
    this.#isApplying = false;
  }

  /** Closer (a factor over 1) or further away, around a position. */
  zoom(factor: number, around = (this.min + this.max) / 2): void {
    const keep = (around - this.min) / (this.max - this.min);
    const width = Math.min((this.max - this.min) / factor, this.length);
    this.show(around - keep * width, around + (1 - keep) * width);
  }

  /** To the right, by a share of what is in view. */
  move(share: number): void {
    const by = (this.max - this.min) * share;
    this.show(this.min + by, this.max + by);
  }

  /** All of it. */
  reset(): void {
    this.show(0, this.length);
  }

  /** Buttons for who has no wheel to turn. */
  controls(): HTMLElement {
    const button = (text: string, label: string, act: () => void): HTMLElement => {
      const element = h('button', { type: 'button', 'aria-label': label, title: label }, text);
      element.addEventListener('click', act);
      return element;
    };
    return h(
      'div',
      { class: 'controls', role: 'group', 'aria-label': 'Part of the time that is shown' },
      button('←', 'Earlier', () => this.move(-0.5)),
      button('→', 'Later', () => this.move(0.5)),
      button('−', 'Zoom out', () => this.zoom(1 / STEP)),
      button('+', 'Zoom in', () => this.zoom(STEP)),
      button('Show all', 'Show all', () => this.reset()),
    );
  }

  /** Keys, the wheel with Ctrl or sideways, and two fingers, on a chart. */
  listen(chart: uPlot): void {
    const { over } = chart;
    over.addEventListener(
      'wheel',
      (event) => {
        const isSideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
        if (!event.ctrlKey && !event.metaKey && !isSideways) return;
        event.preventDefault();
        const delta = event.deltaY === 0 ? event.deltaX : event.deltaY;
        if (isSideways) this.move(delta / 1000);
        else this.zoom(2 ** (-delta / 300), chart.posToVal(event.offsetX, 'x'));
      },
      { passive: false },
    );
    over.tabIndex = 0;
    over.addEventListener('keydown', (event) => {
      const act = KEYS[event.key];
      if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act(this);
    });
    this.#pinch(chart);
  }

  #pinch({ over }: uPlot): void {
    const fingers = new Map<number, number>();
    const spread = (): number => {
      const [a = 0, b = 0] = fingers.values();
      return Math.max(20, Math.abs(a - b));
    };
    over.addEventListener('pointerdown', (event) => {
      if (event.pointerType === 'touch') fingers.set(event.pointerId, event.clientX);
    });
    over.addEventListener('pointermove', (event) => {
      if (!fingers.has(event.pointerId)) return;
      const [before, middle] = [spread(), mean(fingers.values())];
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size === 2) this.zoom(spread() / before);
      const share = (middle - mean(fingers.values())) / Math.max(1, over.clientWidth);
      if (fingers.size === 2 || this.max - this.min < this.length) this.move(share);
    });
    for (const end of ['pointerup', 'pointercancel'] as const) {
      over.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
  }
}

const KEYS: Readonly<Record<string, (view: TimeView) => void>> = {
  ArrowLeft: (view) => view.move(-0.2),
  ArrowRight: (view) => view.move(0.2),
  '+': (view) => view.zoom(STEP),
  '=': (view) => view.zoom(STEP),
  '-': (view) => view.zoom(1 / STEP),
  '0': (view) => view.reset(),
};

function mean(values: Iterable<number>): number {
  const all = [...values];
  return all.reduce((sum, each) => sum + each, 0) / Math.max(1, all.length);
}
