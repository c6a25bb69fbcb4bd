import type { ReportData } from '../data.js';
import type { TimeAxis } from './time-axis.js';

/** What happened over time, in steps: between `x[i]` and `x[i + 1]`. A null ends a stretch. */
export interface Steps {
  readonly x: number[];
  /** Jobs a millisecond. */
  readonly completed: (number | null)[];
  readonly failed: (number | null)[];
  /** Jobs that ran at the same time. */
  readonly running: (number | null)[];
  /** Jobs and times of each step, for who points at it. */
  readonly about: ({ readonly from: number; readonly to: number; readonly jobs: number } | undefined)[];
}

/**
 * The series in steps, each of as many buckets as bring what is in view under a number of steps: rates in short buckets
 * are noise.
 */
export function stepsIn(
  { series, stretches, totals }: ReportData,
  axis: TimeAxis,
  inView: number,
  most: number,
): Steps {
  const jobs = totals.completed + totals.failed;
  // A step with less than a few jobs says when they ended, not how fast they went.
  const share = Math.min(1, inView / axis.length);
  const wanted = Math.max(12, Math.min(most, (jobs * share) / 4));
  let step = series.step;
  while (inView / step > wanted) step *= 2;
  const steps: Steps = { x: [], completed: [], failed: [], running: [], about: [] };
  const first = series.at[0] ?? 0;
  let at = 0;
  for (const { from, to } of stretches) {
    // Steps begin where buckets do, so that no bucket is in two of them.
    const begin = first + Math.floor((from - first) / series.step) * series.step;
    for (let start = begin, isLast = false; !isLast; ) {
      // A job in a sliver of time at the edge of a stretch would look like a peak: its neighbour takes it in.
      const end = start + (start < from && start + step - from < step / 2 ? 2 * step : step);
      isLast = to - end < step / 2;
      const sum = { completed: 0, failed: 0, busy: 0 };
      const until = isLast ? Math.max(end, to + 1) : end;
      for (; at < series.at.length && (series.at[at] ?? 0) < until; at += 1) {
        sum.completed += series.completed[at] ?? 0;
        sum.failed += series.failed[at] ?? 0;
        sum.busy += series.busy[at] ?? 0;
      }
      add(steps, axis, { from: Math.max(start, from), to: isLast ? to : end }, sum);
      start = end;
    }
    close(steps, axis.x(to));
  }
  return steps;
}

function add(
  steps: Steps,
  axis: TimeAxis,
  { from, to }: { readonly from: number; readonly to: number },
  { completed, failed, busy }: { readonly completed: number; readonly failed: number; readonly busy: number },
): void {
  const width = Math.max(to - from, 0.001);
  steps.x.push(axis.x(from));
  steps.completed.push(completed / width);
  steps.failed.push(failed / width);
  steps.running.push(busy / width);
  steps.about.push({ from, to, jobs: completed + failed });
}

/** The last step goes on to the end of the stretch; then there is nothing up to the next. */
function close(steps: Steps, end: number): void {
  const { x, completed, failed, running, about } = steps;
  x.push(end, end);
  for (const values of [completed, failed, running]) values.push(values.at(-1) ?? null, null);
  about.push(about.at(-1), undefined);
}

/** The unit in which a rate is a number to be read: jobs a second, a minute, or an hour. */
export function rateUnit(perMillisecond: number): { readonly name: string; readonly milliseconds: number } {
  if (perMillisecond * 1000 >= 1 || perMillisecond === 0) return { name: 's', milliseconds: 1000 };
  if (perMillisecond * 60_000 >= 1) return { name: 'min', milliseconds: 60_000 };
  return { name: 'h', milliseconds: 3_600_000 };
}
