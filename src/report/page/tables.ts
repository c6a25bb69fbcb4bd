import type { Crash, ReportData, WorkerTotals } from '../data.js';
import type { Child } from './dom.js';
import { h, table } from './dom.js';
import { count, counted, duration, jobName, moment, percent, precise } from './format.js';

/** The numbers at the top of the page. */
export function tiles(data: ReportData): HTMLElement {
  const { totals, durations, stretches } = data;
  const settled = totals.completed + totals.failed;
  const pauses = stretches.length - 1;
  return h(
    'dl',
    { class: 'tiles' },
    tile('Completed', count(totals.completed), recovered(totals.recovered), 'done'),
    tile(
      'Failed',
      count(totals.failed),
      settled === 0 ? '' : `${percent(totals.failed / settled)} of jobs`,
      totals.failed > 0 ? 'failed' : '',
    ),
    tile('Took', duration(totals.active), pauses > 0 ? `and ${counted(pauses, 'pause')}` : ''),
    tile('Throughput', rate(settled / Math.max(totals.active, 0.001)), ''),
    tile(
      'Jobs took',
      duration(totals.busy),
      `in all: ${precise(totals.busy / Math.max(totals.active, 0.001))} at once`,
    ),
    tile('Median job', duration(durations.median), `p99 ${duration(durations.p99)}`),
    tile('Retries', count(totals.retries), '', totals.retries > 0 ? 'retry' : ''),
    tile('Crashes', count(totals.crashes), '', totals.crashes > 0 ? 'crash' : ''),
  );
}

function recovered(jobs: number): string {
  return jobs === 0 ? '' : `${count(jobs)} of them after failing`;
}

function tile(name: string, value: string, note: string, kind = ''): HTMLElement {
  return h(
    'div',
    { class: `tile ${kind}` },
    h('dt', {}, name),
    h('dd', {}, value, note === '' ? undefined : h('small', {}, note)),
  );
}

/** Jobs a second, or a minute where that is less than one. */
function rate(perMillisecond: number): string {
  const perSecond = perMillisecond * 1000;
  return perSecond >= 1 || perSecond === 0 ? `${precise(perSecond)}/s` : `${precise(perSecond * 60)}/min`;
}

/** How much each worker did. */
export function workersTable(data: ReportData): Child {
  const { workers, moreWorkers, totals } = data;
  const isShown = (field: keyof WorkerTotals): boolean => workers.some((worker) => Number(worker[field]) > 0);
  const optional = (['failed', 'retries', 'crashes'] as const).filter(isShown);
  const atOnce = workers.some(({ busy, covered }) => busy > covered * 1.05);
  const columns = [
    { title: 'Worker' },
    { title: 'Busy' },
    { title: 'Jobs', numeric: true },
    ...optional.map((field) => ({ title: capital(field), numeric: true })),
    { title: 'Time in jobs', numeric: true },
    { title: 'Mean', numeric: true },
    ...(atOnce ? [{ title: 'At once', numeric: true }] : []),
  ];
  const rows = workers.map((worker) => {
    const jobs = worker.completed + worker.failed;
    return [
      worker.name,
      meter(worker.covered / Math.max(totals.active, 0.001)),
      count(jobs),
      ...optional.map((field) => count(worker[field])),
      duration(worker.busy),
      jobs === 0 ? '' : duration(worker.busy / jobs),
      ...(atOnce ? [precise(worker.busy / Math.max(worker.covered, 0.001))] : []),
    ];
  });
  const more =
    moreWorkers === 0
      ? undefined
      : h('p', { class: 'note' }, `And ${counted(moreWorkers, 'worker')} more, which only the totals count.`);
  return [table('Workers', columns, rows), more];
}

function meter(share: number): HTMLElement {
  const bar = h('span', { class: 'bar' });
  bar.style.width = `${Math.min(100, share * 100)}%`;
  return h(
    'div',
    { class: 'meter' },
    h('span', { class: 'track', 'aria-hidden': 'true' }, bar),
    percent(Math.min(1, share)),
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The jobs that took longest. */
export function slowestTable({ slowest, workers, startedAt }: ReportData): HTMLElement {
  const isRetried = slowest.some(({ attempt }) => attempt > 1);
  const columns = [
    { title: 'Job' },
    { title: 'Took', numeric: true },
    { title: 'Began' },
    { title: 'Worker' },
    ...(isRetried ? [{ title: 'Attempt', numeric: true }] : []),
  ];
  const rows = slowest.map((job) => [
    [h('code', {}, jobName(job)), job.failed ? h('span', { class: 'badge failed' }, 'failed') : undefined],
    duration(job.duration),
    moment(startedAt + job.start),
    workers[job.lane]?.name ?? '',
    ...(isRetried ? [count(job.attempt)] : []),
  ]);
  return table('The slowest jobs', columns, rows);
}

/** Workers that ended without being asked to. */
export function crashesTable({ crashes, workers, startedAt, totals }: ReportData): Child {
  const columns = [
    { title: 'When' },
    { title: 'Worker' },
    { title: 'Ended by' },
    { title: 'Process' },
    { title: 'Jobs it held' },
  ];
  const rows = crashes.map((crash) => [
    moment(startedAt + crash.at),
    crash.lane === undefined ? '' : (workers[crash.lane]?.name ?? ''),
    crash.signal ?? `exit code ${crash.code ?? 'unknown'}`,
    crash.pid === undefined ? '' : String(crash.pid),
    held(crash),
  ]);
  const more = totals.crashes - crashes.length;
  return [
    table('Crashes', columns, rows),
    more === 0 ? undefined : h('p', { class: 'note' }, `And ${count(more)} more.`),
  ];
}

function held({ jobs, held: all }: Crash): string {
  if (all === 0) return 'none';
  const named = jobs.join(', ');
  return all > jobs.length ? `${named} and ${count(all - jobs.length)} more` : named;
}

/** Percentiles in a row. */
export function percentiles({ durations }: ReportData): HTMLElement {
  const { min, median, mean, p95, p99, max } = durations;
  const all = Object.entries({ Shortest: min, Median: median, Mean: mean, p95, p99, Longest: max });
  return h(
    'dl',
    { class: 'row' },
    all.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, duration(value)))),
  );
}
