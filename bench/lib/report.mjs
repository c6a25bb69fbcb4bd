import contenders from '../contenders/index.cjs';
import jobs from '../work/jobs.cjs';
import { judge } from './targets.mjs';
import { workloads } from './workloads.mjs';

/** Three significant digits, thousands apart. */
export function number(value) {
  if (value === undefined) return '';
  const digits = Number.isInteger(value) ? 0 : value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  const rounded = value >= 1000 ? Math.round(Number(value.toPrecision(3))) : Number(value.toFixed(digits));
  return rounded >= 1000 ? String(rounded).replace(/\B(?=(\d{3})+$)/g, ' ') : rounded.toFixed(digits);
}

const ratio = (value) =>
  value === undefined ? '' : value >= 100 ? number(value) : value.toFixed(value >= 10 ? 1 : 2);

export const nameOf = (id) => {
  const { label, kind, peer } = contenders.byId.get(id);
  return peer ? `${label} (${kind})` : label;
};

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(head), `|${rule.join('|')}|`, ...rows.map(line)].join('\n');
}

/** Contenders of a workload that were measured, the fastest first. */
function ranked(findings, workload) {
  const time = (id) => findings.time(workload.id, id)?.median;
  return workload.contenders.filter((id) => time(id) !== undefined).sort((a, b) => time(a) - time(b));
}

const mark = (id, text) => (id === 'threadfactory' ? `**${text}**` : text);

function rates(findings, workload) {
  const rows = ranked(findings, workload).map((id) => {
    const { median } = findings.time(workload.id, id);
    return [
      mark(id, nameOf(id)),
      number(1000 / median),
      id === 'threadfactory' ? '' : ratio(findings.speedup(workload.id, 'threadfactory', id)?.median),
      number(findings.count(workload.id, id)),
    ];
  });
  return table(['', 'jobs/s', 'threadfactory is × as fast', 'jobs a measurement'], rows);
}

function cpu(findings, workload) {
  const rows = ranked(findings, workload).map((id) => [
    mark(id, nameOf(id)),
    number(findings.time(workload.id, id).median * 1000),
    ratio(findings.timeRatio(workload.id, id, 'ceiling')?.median),
    id === 'threadfactory' ? '' : ratio(findings.speedup(workload.id, 'threadfactory', id)?.median),
    number(findings.count(workload.id, id)),
  ]);
  return table(['', 'µs a job', 'time / ceiling', 'threadfactory is × as fast', 'jobs'], rows);
}

/** What perfect one-at-a-time hand-out without any cost reaches in the list's order: what the order alone allows. */
function greedyOverBound(workload, workers) {
  const count = Math.round((workload.counts.others * workers) / 2);
  const list = jobs.durations({ distribution: workload.distribution, order: workload.order, count });
  const free = new Array(workers).fill(0);
  for (const ms of list) {
    const next = free.indexOf(Math.min(...free));
    free[next] += ms;
  }
  const total = list.reduce((sum, ms) => sum + ms, 0);
  return Math.max(...free) / Math.max(total / workers, ...list);
}

function skew(findings, group) {
  const measured = group.filter(
    (workload) => findings.overBound(workload.id, 'threadfactory') || ranked(findings, workload).length,
  );
  const ids = [...new Set(measured.flatMap((workload) => workload.contenders))].filter(
    (id) => id !== 'serial',
  );
  const middle = (id) =>
    measured.reduce((sum, workload) => sum + (findings.overBound(workload.id, id)?.median ?? 0), 0);
  const rows = ids
    .filter((id) => middle(id) > 0)
    .sort((a, b) => middle(a) - middle(b))
    .map((id) => [
      mark(id, { ceiling: '*halves cut by who knows how long each job is, no pool*' }[id] ?? nameOf(id)),
      ...measured.map((workload) => ratio(findings.overBound(workload.id, id)?.median)),
    ]);
  const greedy = measured.map((workload) => ratio(greedyOverBound(workload, findings.run.workers)));
  rows.push(['*no cost at all, one at a time in this order (computed)*', ...greedy]);
  return table(['time / max(total / workers, longest)', ...measured.map(({ title }) => title)], rows);
}

function payload(findings, workload) {
  const rows = ranked(findings, workload).map((id) => {
    const rate = 1000 / findings.time(workload.id, id).median;
    return [
      mark(id, nameOf(id)),
      number(rate),
      number((rate * workload.bytes * 2) / 1e6),
      id === 'threadfactory' ? '' : ratio(findings.speedup(workload.id, 'threadfactory', id)?.median),
      number(findings.count(workload.id, id)),
    ];
  });
  return table(['', 'jobs/s', 'MB/s in + out', 'threadfactory is × as fast', 'jobs a measurement'], rows);
}

function cold(findings, workload) {
  const rows = ranked(findings, workload).map((id) => [
    mark(id, { serial: 'Node with no pool', ceiling: 'two bare forks' }[id] ?? nameOf(id)),
    number(findings.figure(workload.id, id, ({ ms }) => ms).median),
    ratio(findings.timeRatio(workload.id, id, 'ceiling')?.median),
  ]);
  return table(['', 'ms, spawn to exit', 'time / two bare forks'], rows);
}

function memory(findings, workload) {
  const peak = (id) => findings.figure(workload.id, id, (entry) => entry.peak)?.median;
  const rows = workload.contenders
    .filter((id) => peak(id) !== undefined)
    .sort((a, b) => peak(a) - peak(b))
    .map((id) => {
      const children = findings.figure(workload.id, id, (entry) => entry.peakWorkers)?.median;
      const bounded = !contenders.byId.get(id).peer ? '' : workload.unbounded.includes(id) ? 'all' : '1 000';
      const seconds = findings.figure(workload.id, id, ({ ms }) => ms / 1000)?.median;
      return [
        mark(id, nameOf(id)),
        number(peak(id)),
        children ? number(children) : '',
        bounded,
        number(seconds),
      ];
    });
  return table(['', 'peak MiB', 'and its child processes, MiB', 'calls in flight', 's'], rows);
}

function lazy(findings, workload) {
  const figure = (id, name) => number(findings.figure(workload.id, id, (entry) => entry[name])?.median);
  const rows = ranked(findings, workload).map((id) => [
    mark(id, nameOf(id)),
    number(1000 / findings.time(workload.id, id).median),
    figure(id, 'rssFirst'),
    figure(id, 'rssLast'),
    figure(id, 'peak'),
  ]);
  return table(
    ['', 'jobs/s', 'MiB over the first million, its second half', 'over the last million', 'peak'],
    rows,
  );
}

const sections = { noop: rates, journal: rates, cpu, payload, cold, memory, lazy };

function body(findings) {
  const parts = [];
  for (const workload of workloads) {
    if (workload.group === 'skew' || ranked(findings, workload).length === 0) continue;
    parts.push(`## ${workload.title}\n\n${sections[workload.group](findings, workload)}`);
  }
  const skews = workloads.filter(({ id, group }) => group === 'skew' && findings.time(id, 'serial'));
  if (skews.length > 0) {
    const after = parts.findIndex((part) => part.startsWith('## Buffers'));
    const place = after < 0 ? parts.length : after;
    parts.splice(place, 0, `## Jobs of very different length (mean 1 ms)\n\n${skew(findings, skews)}`);
  }
  return parts;
}

function targetList(findings) {
  const lines = judge(findings).map(({ what, wanted, aim, found, met }) => {
    const sign = found === undefined ? 'not measured' : met ? 'pass' : 'miss';
    const range = found && `${ratio(found.median)} (${ratio(found.low)}–${ratio(found.high)})`;
    const against = found?.against ? `, against ${found.against}` : '';
    return [`${aim ? 'aim: ' : ''}${what}`, wanted, found ? `${range}${against}` : '', sign];
  });
  return table(['target', 'wanted', 'found: median (lowest–highest round)', ''], lines);
}

/** What each figure is the median of. */
export function ofRounds({ rounds }) {
  return rounds === 1 ? 'one round' : `medians of ${rounds} interleaved rounds`;
}

/** What has to be known of the figures: how busy the machine was, and what was measured later than the rest. */
function notesOn({ notes, again = [] }) {
  const later = again.map(({ workloads, rounds, load, notes: more }) =>
    [
      `Measured again later, ${ofRounds({ rounds })}, load average ${load.toFixed(2)}: ${workloads.join(', ')}.`,
      ...more,
    ].join(' '),
  );
  const all = [...notes, ...later].map((note) => `**${note}**`);
  return all.length > 0 ? all.join('\n\n') : undefined;
}

/** The whole page of a run, in Markdown. */
export function markdown(findings) {
  const { run } = findings;
  const { cores, node, platform, load } = run.machine;
  const failures = findings
    .failures()
    .map(
      ({ workload, contender, round, error }) =>
        `- ${workload}, ${nameOf(contender)}, round ${round}: ${error.split('\n')[0]}`,
    );
  const versions = Object.entries(run.versions).map(([name, version]) => `${name} ${version}`);
  return [
    '# Results',
    'Written by `npm run bench`; how it measures is in [README.md](README.md).',
    `${cores} cores, ${run.workers} workers, Node ${node}, ${platform}; ${ofRounds(run)}; ` +
      `load average ${load.before.toFixed(2)} before, ${load.after.toFixed(2)} after (workers of the run included). ` +
      `${versions.join(', ')}.`,
    notesOn(run),
    '![threadfactory beside other pools](results.svg)',
    `## Targets\n\n${targetList(findings)}`,
    ...body(findings),
    failures.length > 0 ? `## Measurements that failed\n\n${failures.join('\n')}` : undefined,
  ]
    .filter((part) => part !== undefined)
    .join('\n\n')
    .concat('\n');
}
