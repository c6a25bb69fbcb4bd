import stringWidth from 'string-width';
import type { Snapshot, WorkerSnapshot } from '../snapshot.js';
import { jobText } from './job-text.js';
import { count, done, factsOf, time } from './words.js';

/**
 * What a live display shows, as lines: one for each worker if they are few, and one with the bar and the counts. Pure.
 */

/** All that a frame depends on. */
export interface Picture {
  readonly snapshot: Snapshot;
  readonly elapsedMs: number;
  /** Jobs a second, where it is known. */
  readonly rate: number | undefined;
  /** Milliseconds that a worker has been at what it does now. */
  busyMs(worker: WorkerSnapshot): number;
  /** Of the terminal, in cells. */
  readonly columns: number;
  readonly rows: number;
  readonly colors: boolean;
}

/** With more workers than this only their number is shown: nobody reads that many lines. */
export const MAX_WORKER_LINES = 16;
/** Wider lines are hard to read, and a line as wide as the terminal breaks in two as soon as that gets narrower. */
const MAX_WIDTH = 100;
const MIN_BAR = 8;
const MAX_BAR = 30;

type Style = 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'bold';
const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

/** A text in a colour, or as it is where there are none. */
export function paint(colors: boolean, style: Style, text: string): string {
  const [on, off] = CODES[style];
  return colors && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text;
}

/** The lines of one frame; none is wider than the terminal. */
export function drawFrame(picture: Picture): string[] {
  const width = Math.max(1, Math.min(picture.columns - 1, MAX_WIDTH));
  const { workers } = picture.snapshot;
  const fits = workers.length <= Math.min(MAX_WORKER_LINES, picture.rows - 3);
  const lines = fits ? workers.map((worker) => workerLine(worker, picture, width)) : [];
  return [...lines, countsLine(picture, width, fits ? 0 : workers.length)];
}

const graphemes = new Intl.Segmenter();

/** A text of at most so many cells: what is too much goes from the middle, since paths differ at both ends. */
export function shorten(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  if (width <= 1) return '…'.slice(0, Math.max(0, width));
  const head = Math.floor((width - 1) / 3);
  // What is drawn as one, such as a heart and what makes it red, is not measured apart.
  const characters = Array.from(graphemes.segment(text), ({ segment }) => segment);
  const end = upTo([...characters].reverse(), width - 1 - head);
  return `${upTo(characters, head).join('')}…${end.reverse().join('')}`;
}

/** The first characters, as many as fit. */
function upTo(characters: readonly string[], width: number): string[] {
  let room = width;
  const end = characters.findIndex((character) => {
    room -= stringWidth(character);
    return room < 0;
  });
  return characters.slice(0, end === -1 ? characters.length : end);
}

function workerLine(worker: WorkerSnapshot, picture: Picture, width: number): string {
  const { colors } = picture;
  const number = String(worker.id ?? '').padStart(String(picture.snapshot.workers.length).length);
  const [job] = worker.jobs;
  if (job === undefined) return paint(colors, 'dim', shorten(`${number}   ${worker.state}`, width));
  const at = time(picture.busyMs(worker)).padStart(6);
  const more = worker.jobs.length > 1 ? ` and ${worker.jobs.length - 1} more` : '';
  const again = job.attempt > 1 ? ` (attempt ${job.attempt})` : '';
  const room = width - stringWidth(`${number} ${at}  ${again}${more}`);
  if (room < 4) return shorten(`${number} ${at}  ${jobText(job.job, job.index)}`, width);
  const text = shorten(jobText(job.job, job.index), room);
  return `${paint(colors, 'cyan', number)} ${paint(colors, 'dim', at)}  ${text}${paint(colors, 'dim', again + more)}`;
}

/** A part of the counts; those with the lowest rank go first where the line is too narrow. */
interface Part {
  readonly text: string;
  readonly rank: number;
  readonly style?: Style | undefined;
}

function countsLine(picture: Picture, width: number, hiddenWorkers: number): string {
  const { snapshot, colors } = picture;
  let parts = partsOf(picture, hiddenWorkers);
  const widthOf = (some: readonly Part[]): number =>
    some.reduce((sum, { text }) => sum + stringWidth(text) + 2, -2);
  while (parts.length > 1 && widthOf(parts) > width) {
    const least = Math.min(...parts.map(({ rank }) => rank));
    parts = parts.filter(({ rank }) => rank !== least);
  }
  const room = Math.min(MAX_BAR, width - widthOf(parts) - 2);
  const share = snapshot.total === undefined ? undefined : done(snapshot) / Math.max(1, snapshot.total);
  const line =
    parts.length === 1
      ? shorten(parts[0]?.text ?? '', width)
      : parts.map(({ text, style }) => (style === undefined ? text : paint(colors, style, text))).join('  ');
  return share === undefined || room < MIN_BAR ? line : `${bar(share, room, colors)}  ${line}`;
}

function partsOf({ snapshot, rate, elapsedMs }: Picture, hiddenWorkers: number): Part[] {
  const elapsed: Part = { text: time(elapsedMs), rank: 1, style: 'dim' };
  if (snapshot.phase === 'listing') return [{ text: 'listing the jobs', rank: 9 }, elapsed];
  const { phase, percent, counts, failed, skipped, speed, eta } = factsOf(snapshot, rate);
  const workers = hiddenWorkers > 0 ? `${count(hiddenWorkers)} workers` : undefined;
  const open = snapshot.total === undefined ? 'list still open' : undefined;
  const part = (text: string | undefined, rank: number, style?: Style): Part[] =>
    text === undefined ? [] : [{ text, rank, style }];
  return [
    ...part(phase, 8, 'yellow'),
    ...part(percent?.padStart(4), 5, 'bold'),
    ...part(counts, 9),
    ...part(failed, 7, 'red'),
    ...part(skipped, 2, 'dim'),
    ...part(workers, 0, 'dim'),
    ...part(speed, 3),
    ...part(open, 4, 'dim'),
    elapsed,
    ...part(eta, 6),
  ];
}

function bar(share: number, width: number, colors: boolean): string {
  const full = Math.floor(Math.min(1, share) * width);
  return paint(colors, 'green', '█'.repeat(full)) + paint(colors, 'dim', '░'.repeat(width - full));
}
