// What threadfactory sets out to reach, each as a ratio within one run.

const speedup = (workload, base) => (findings) => findings.speedup(workload, 'threadfactory', base);
const timeOver = (workload, base) => (findings) => findings.timeRatio(workload, 'threadfactory', base);

/** Lead over the fastest peer, its name in `against`. */
const lead = (workload, kind) => (findings) => {
  const closest = findings.fastestPeer(workload, kind);
  return closest && { ...closest.lead, against: `${closest.peer.label} (${closest.peer.kind})` };
};

const slowdown = (workload) => (findings) => {
  const closest = findings.fastestPeer(workload);
  const ratio = closest && findings.timeRatio(workload, 'threadfactory', closest.peer.id);
  return ratio && { ...ratio, against: `${closest.peer.label} (${closest.peer.kind})` };
};

const skews = [
  ['skew-lognormal-shuffled', 'log-normal, shuffled'],
  ['skew-lognormal-ascending', 'log-normal, ascending'],
  ['skew-pareto-shuffled', 'Pareto, shuffled'],
  ['skew-pareto-ascending', 'Pareto, ascending'],
  ['skew-step-ascending', 'step, ascending'],
];

/** `least` or `most`: the bound; `aim`: further than what is asked. Ratios unless `unit` says otherwise. */
export const targets = [
  {
    what: 'no-op jobs from an array, times worker-farm',
    least: 13,
    value: speedup('noop-array', 'worker-farm'),
  },
  { what: 'no-op jobs from an array, times piscina', least: 40, value: speedup('noop-array', 'piscina') },
  {
    what: 'no-op jobs from an async generator, times worker-farm',
    least: 10,
    value: speedup('noop-stream', 'worker-farm'),
  },
  {
    what: 'no-op jobs from an array, times worker-farm',
    least: 20,
    aim: true,
    value: speedup('noop-array', 'worker-farm'),
  },
  {
    what: 'no-op jobs from an array, times piscina',
    least: 65,
    aim: true,
    value: speedup('noop-array', 'piscina'),
  },
  {
    what: 'no-op jobs from an array, times piscina chunked by hand',
    least: 1,
    aim: true,
    value: speedup('noop-array', 'piscina-chunked'),
  },
  {
    what: 'no-op numbers from an array, times piscina chunked by hand',
    least: 1,
    aim: true,
    value: speedup('noop-numbers', 'piscina-chunked'),
  },
  {
    what: 'no-op jobs recorded in a journal, times those that are not',
    least: 0.4,
    value: (findings) => findings.speedup('journal', 'threadfactory-journal', 'threadfactory'),
  },
  { what: '50 µs jobs, time over the ceiling', most: 1.12, value: timeOver('cpu-50us', 'ceiling') },
  {
    what: '50 µs jobs for two seconds, time over the ceiling',
    most: 1.12,
    aim: true,
    value: timeOver('cpu-50us-short', 'ceiling'),
  },
  { what: '50 µs jobs, times the fastest peer', least: 2, value: lead('cpu-50us') },
  { what: '1 ms jobs, time over the ceiling', most: 1.05, value: timeOver('cpu-1ms', 'ceiling') },
  { what: '1 ms jobs, times the fastest peer', least: 1, value: lead('cpu-1ms') },
  { what: '20 ms jobs, time over the fastest peer', most: 1.03, value: slowdown('cpu-20ms') },
  ...skews.flatMap(([id, name]) => [
    {
      what: `${name}, time over the bound`,
      most: 1.12,
      value: (findings) => findings.overBound(id, 'threadfactory'),
    },
    { what: `${name}, times the fastest peer`, least: 1, value: lead(id) },
  ]),
  { what: 'cold start, time over two bare forks', most: 1.1, value: timeOver('cold', 'ceiling') },
  { what: '1 KB Buffers, times the fastest process pool', least: 5, value: lead('payload-1kb', 'processes') },
  { what: '1 KB Buffers, times the fastest thread pool', least: 1.8, value: lead('payload-1kb', 'threads') },
  {
    what: '64 KB Buffers, times the fastest process pool',
    least: 1,
    value: lead('payload-64kb', 'processes'),
  },
  { what: '1 MB Buffers, times the fastest process pool', least: 1, value: lead('payload-1mb', 'processes') },
  {
    what: '64 KB Buffers, times the fastest thread pool',
    least: 1,
    aim: true,
    value: lead('payload-64kb', 'threads'),
  },
  {
    what: '1 MB Buffers, times the fastest thread pool',
    least: 1,
    aim: true,
    value: lead('payload-1mb', 'threads'),
  },
  {
    what: 'ten million lazy jobs, peak memory of the manager',
    most: 150,
    unit: 'MiB',
    value: (findings) => findings.figure('lazy', 'threadfactory', ({ peak }) => peak),
  },
  {
    what: 'ten million lazy jobs, memory over the last million against the first',
    most: 1.1,
    value: (findings) =>
      findings.figure('lazy', 'threadfactory', ({ rssFirst, rssLast }) => rssLast / rssFirst),
  },
];

/** Each target with what this run found: `{ what, wanted, aim, found, met }`; `found` is undefined if not measured. */
export function judge(findings) {
  return targets.map(({ what, least, most, unit, aim = false, value }) => {
    const found = value(findings);
    const met = found && (least === undefined ? found.median <= most : found.median >= least);
    const wanted = least === undefined ? `at most ${most}` : `at least ${least}`;
    return { what, wanted: unit ? `${wanted} ${unit}` : wanted, aim, found, met };
  });
}
