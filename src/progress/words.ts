import type { Snapshot } from '../snapshot.js';

/**
 * Numbers, times and outcomes in words, the same in a live display and in plain lines.
 */

/** What a run has come to. */
export type Counts = Pick<Snapshot, 'completed' | 'failed' | 'skipped' | 'total'>;

/** How a run ended, as far as a display has to know. */
export interface Outcome {
  /** `done`: every job has settled. `failed`: the run itself. `left`: the process exits in the middle of it. */
  readonly how: 'done' | 'stop' | 'bail' | 'interrupt' | 'aborted' | 'failed' | 'left';
}

/** 12345 as `12,345`. */
export function count(number: number): string {
  return number.toLocaleString('en-US');
}

/** Milliseconds as `0s`, `12s`, `1m 05s`, `1h 02m`, `2d 03h`. */
export function time(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${two(Math.floor(seconds / 60) % 60)}m`;
  return `${Math.floor(seconds / 86_400)}d ${two(Math.floor(seconds / 3600) % 24)}h`;
}

/** Jobs a second as `1,234/s`, `12.3/s`; slow ones as `4.2/min` or `1.5/h`. */
export function speed(perSecond: number): string {
  const short = (value: number): string => (value >= 100 ? count(Math.round(value)) : value.toFixed(1));
  if (perSecond >= 1) return `${short(perSecond)}/s`;
  return perSecond * 60 >= 1 ? `${short(perSecond * 60)}/min` : `${short(perSecond * 3600)}/h`;
}

/** Jobs that are through: in this run or an earlier one of the same journal. */
export function done({ completed, failed, skipped }: Omit<Counts, 'total'>): number {
  return completed + failed + skipped;
}

/** Whole percent, rounded down: 100 means all. Undefined while nobody knows of how many. */
function percent(snapshot: Counts): number | undefined {
  const { total } = snapshot;
  if (total === undefined) return undefined;
  return total === 0 ? 100 : Math.floor((done(snapshot) / total) * 100);
}

/** What there is to say of a run that is on, each in words; undefined where it is not so, or nobody knows. */
export interface Facts {
  /** What it does, unless that is simply its work. */
  readonly phase: string | undefined;
  readonly percent: string | undefined;
  readonly counts: string;
  readonly failed: string | undefined;
  readonly skipped: string | undefined;
  readonly speed: string | undefined;
  readonly eta: string | undefined;
}

/**
 * The facts of a run whose list is there, in the order in which they are said.
 *
 * @param rate jobs a second, where it is known
 */
export function factsOf(snapshot: Snapshot, rate: number | undefined): Facts {
  const { phase, paused, failed, skipped, total } = snapshot;
  const isWorking = phase === 'working';
  const known = percent(snapshot);
  const isTimed = rate !== undefined && isWorking;
  return {
    phase: isWorking ? (paused ? 'paused' : undefined) : phase,
    percent: known === undefined ? undefined : `${known}%`,
    counts: `${count(done(snapshot))}${total === undefined ? ' done' : `/${count(total)}`}`,
    failed: failed > 0 ? `${count(failed)} failed` : undefined,
    skipped: skipped > 0 ? `${count(skipped)} skipped` : undefined,
    speed: isTimed ? speed(rate) : undefined,
    eta:
      isTimed && total !== undefined && !paused
        ? `ETA ${time(((total - done(snapshot)) / rate) * 1000)}`
        : undefined,
  };
}

const ENDINGS: Readonly<Record<Outcome['how'], string>> = {
  done: 'finished',
  stop: 'stopped',
  bail: 'stopped after too many failures',
  interrupt: 'interrupted',
  aborted: 'aborted',
  failed: 'the run failed',
  left: 'the process exited',
};

/** The last line: `finished in 1m 05s: 9,997 completed, 3 failed`. */
export function lastLine(snapshot: Counts, { how }: Outcome, elapsedMs: number): string {
  const { completed, failed, skipped, total } = snapshot;
  const left = total === undefined ? 0 : total - done(snapshot);
  const counts = [`${count(completed)} completed`];
  if (failed > 0) counts.push(`${count(failed)} failed`);
  if (skipped > 0) counts.push(`${count(skipped)} skipped`);
  if (left > 0) counts.push(`${count(left)} not run`);
  return `${ENDINGS[how]} ${how === 'done' ? 'in' : 'after'} ${time(elapsedMs)}: ${counts.join(', ')}`;
}
