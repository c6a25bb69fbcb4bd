import type { ReportData } from '../data.js';
import type { Child } from './dom.js';
import { h } from './dom.js';
import { durationChart } from './duration-chart.js';
import { errorList } from './errors.js';
import { count, counted, duration, moment } from './format.js';
import { gantt } from './gantt.js';
import { running, throughput } from './over-time.js';
import { crashesTable, percentiles, slowestTable, tiles, workersTable } from './tables.js';
import { TimeAxis } from './time-axis.js';
import { TimeView } from './time-view.js';

/** The page: what `report.ts` put into it, drawn. */
const data = JSON.parse(document.getElementById('data')?.textContent ?? '') as ReportData;
const main = document.getElementById('report') ?? document.body;
document.title = `${data.module} · report of ${data.journal}`;
main.replaceChildren(head(), ...(isEmpty() ? [nothing()] : [tiles(data)]));
if (!isEmpty()) {
  overTime();
  durationsSection();
  section('Workers', workersNote(), workersTable(data));
  failures();
  troubles();
}
main.append(foot());

function isEmpty(): boolean {
  return data.workers.length === 0 && data.totals.crashes === 0 && data.totals.failed === 0;
}

function nothing(): HTMLElement {
  return h('p', { class: 'card' }, 'No job is recorded in this journal yet.');
}

function head(): HTMLElement {
  const { stretches, startedAt, journal, module } = data;
  const last = stretches.at(-1)?.to ?? 0;
  const when = isEmpty()
    ? `begun ${moment(startedAt)}`
    : `${moment(startedAt)} to ${moment(startedAt + last)}`;
  return h('header', {}, h('h1', {}, module), h('p', {}, h('code', {}, journal), ` · ${when}`));
}

function foot(): HTMLElement {
  const made = `Made by threadfactory ${data.version} on ${moment(data.generatedAt)}. Times are those of this device's time zone.`;
  return h('footer', {}, h('p', {}, made));
}

/** A section with its heading. Put into the page at once: a chart is as wide as its place. */
function section(title: string, note: Child, ...children: readonly Child[]): void {
  main.append(
    h(
      'section',
      { class: 'card', 'aria-label': title },
      h('h2', {}, title),
      note === undefined ? undefined : h('p', { class: 'note' }, note),
      ...children,
    ),
  );
}

function overTime(): void {
  const axis = new TimeAxis(data.stretches, data.startedAt);
  const view = new TimeView(axis.length);
  const names = Math.max(...data.workers.map(({ name }) => Math.min(name.length, 16)), 0);
  const over = { data, axis, view, left: Math.max(66, 34 + names * 7) };
  const places = { throughput: h('div'), running: h('div'), gantt: h('div') };
  section(
    'Over time',
    undefined,
    h('div', { class: 'bar-above' }, h('p', { class: 'note' }, hint()), view.controls()),
    h('h3', {}, 'Throughput'),
    places.throughput,
    h('h3', {}, 'Jobs at once'),
    places.running,
    h('h3', {}, 'Workers'),
    legend(),
    places.gantt,
    shownNote(),
  );
  throughput(places.throughput, over);
  running(places.running, over);
  gantt(places.gantt, over);
}

function hint(): string {
  return matchMedia('(pointer: coarse)').matches
    ? 'Zoom with two fingers or the buttons; tap a bar to see its job.'
    : 'Drag to zoom, double-click to see all again, or Ctrl and the wheel. Point at a bar to see its job.';
}

function legend(): HTMLElement {
  const { totals, cells } = data;
  const entries: [string, string][] = [
    ['done', cells.at.length > 0 ? 'job; paler: several, the paler the less busy' : 'job'],
  ];
  if (totals.failed + totals.recovered > 0) entries.push(['failed', 'failed']);
  if (totals.retries > 0) entries.push(['retry', 'failed and run again']);
  if (totals.crashes > 0) entries.push(['crash', 'crash']);
  return h(
    'ul',
    { class: 'legend' },
    entries.map(([kind, text]) =>
      h('li', {}, h('span', { class: `key ${kind}`, 'aria-hidden': 'true' }), text),
    ),
  );
}

function shownNote(): Child {
  const { bars, totals, marks, durations } = data;
  const notes = [
    ...(bars.complete
      ? []
      : [
          `${count(bars.start.length)} of ${counted(durations.count, 'job')}, the longest and those that failed, are drawn ` +
            'one by one where there is room; the others as how busy their worker was.',
        ]),
    ...(marks.at.length < totals.retries && totals.retries > 0
      ? [`Of the retries the first ${count(marks.at.length)} are marked.`]
      : []),
  ];
  return notes.length === 0 ? undefined : h('p', { class: 'note' }, notes.join(' '));
}

function durationsSection(): void {
  if (data.durations.count === 0) return;
  const place = h('div');
  section(
    'Durations',
    'How long the last attempt of each job took.',
    percentiles(data),
    place,
    h('h3', {}, 'The slowest jobs'),
    slowestTable(data),
  );
  durationChart(place, data.durations);
}

function workersNote(): string {
  const { active } = data.totals;
  return `Busy: the share of the ${duration(active)} in which at least one job ran. Attempts that failed and were run again are not counted.`;
}

function failures(): void {
  const { totals, startedAt } = data;
  if (totals.failed === 0) {
    section('Failures', totals.recovered === 0 ? 'No job failed.' : recovered());
    return;
  }
  const note = `${counted(totals.failed, 'job')} failed for good, by class and message. ${recovered()}`;
  section('Failures', note, errorList(data.failures, startedAt, 'failed'));
}

function recovered(): string {
  const { recovered: jobs } = data.totals;
  if (jobs === 0) return '';
  return `${counted(jobs, 'job')} that had failed completed in a later run.`;
}

function troubles(): void {
  const { totals, retries, startedAt } = data;
  if (totals.retries === 0 && totals.crashes === 0) {
    section('Retries and crashes', 'No attempt was run again, and no worker crashed.');
    return;
  }
  section(
    'Retries and crashes',
    undefined,
    totals.retries === 0
      ? undefined
      : [
          h(
            'h3',
            {},
            `${counted(totals.retries, 'attempt')} failed and ${totals.retries === 1 ? 'was' : 'were'} run again`,
          ),
          errorList(retries, startedAt, 'retry'),
        ],
    totals.crashes === 0
      ? undefined
      : [h('h3', {}, `${counted(totals.crashes, 'worker')} crashed`), crashesTable(data)],
  );
}
