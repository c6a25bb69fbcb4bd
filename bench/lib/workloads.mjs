// What is measured. A count is how many jobs one measurement runs, sized for 0.3 to 1 s on two cores of 2020s' cloud
// machines (6 s for equal CPU jobs, whose targets are a few per cent); contenders that are slow at a workload run fewer
// jobs, and rates are compared.

const pools = [
  'threadfactory',
  'piscina',
  'tinypool-threads',
  'tinypool-processes',
  'workerpool-threads',
  'workerpool-processes',
  'poolifier-threads',
  'poolifier-cluster',
  'jest-worker-threads',
  'jest-worker-processes',
  'worker-farm',
];

const noopCounts = {
  threadfactory: 1_000_000,
  'piscina-chunked': 1_000_000,
  ceiling: 2_000_000,
  serial: 5_000_000,
  'worker-farm': 40_000,
  'poolifier-threads': 30_000,
  'poolifier-cluster': 30_000,
  'jest-worker-threads': 20_000,
  'jest-worker-processes': 10_000,
  others: 12_000,
};

const noop = { group: 'noop', work: 'echo', jobs: 'objects', counts: noopCounts };
const cpu = { group: 'cpu', work: 'cpu', jobs: 'equal', perWorkers: true };
const skew = {
  group: 'skew',
  work: 'cpu',
  jobs: 'skewed',
  perWorkers: true,
  counts: { others: 1000 },
  contenders: [...pools, 'serial', 'ceiling', 'dealt'],
};
const payload = { group: 'payload', work: 'echo', jobs: 'payload' };

/**
 * Every workload: `id` and `group` for --only, `contenders`, `counts` by contender; `perWorkers` counts are for two
 * workers and grow with their number; `inFlight` calls open at once; `rounds`, where it differs from the run's.
 */
export const workloads = [
  {
    ...noop,
    id: 'noop-array',
    title: 'No-op jobs from an array',
    contenders: [...pools, 'piscina-chunked', 'serial', 'ceiling'],
  },
  {
    ...noop,
    id: 'noop-stream',
    title: 'No-op jobs from an async generator',
    source: 'stream',
    contenders: [...pools, 'piscina-chunked'],
  },
  {
    ...noop,
    id: 'noop-numbers',
    title: 'No-op jobs that are plain numbers, from an array',
    jobs: 'numbers',
    contenders: ['threadfactory', 'piscina', 'worker-farm', 'piscina-chunked', 'ceiling'],
  },
  {
    ...noop,
    id: 'journal',
    group: 'journal',
    title: 'No-op jobs from an array, each recorded in a journal',
    counts: { others: 500_000 },
    contenders: ['threadfactory', 'threadfactory-journal', 'threadfactory-journal-key'],
  },
  {
    ...cpu,
    id: 'cpu-50us',
    title: 'Jobs of 50 µs of CPU',
    ms: 0.05,
    counts: {
      threadfactory: 240_000,
      'piscina-chunked': 240_000,
      ceiling: 240_000,
      serial: 80_000,
      'worker-farm': 120_000,
      'poolifier-threads': 120_000,
      'poolifier-cluster': 120_000,
      others: 30_000,
    },
    contenders: [...pools, 'piscina-chunked', 'serial', 'ceiling'],
  },
  {
    ...cpu,
    id: 'cpu-50us-short',
    title: 'Jobs of 50 µs of CPU, for two seconds',
    ms: 0.05,
    counts: { others: 80_000 },
    contenders: ['threadfactory', 'piscina-chunked', 'ceiling'],
  },
  {
    ...cpu,
    id: 'cpu-1ms',
    title: 'Jobs of 1 ms of CPU',
    ms: 1,
    counts: { others: 12_000 },
    contenders: [...pools, 'serial', 'ceiling', 'dealt'],
  },
  {
    ...cpu,
    id: 'cpu-20ms',
    title: 'Jobs of 20 ms of CPU',
    ms: 20,
    counts: { others: 600 },
    contenders: [...pools, 'serial', 'ceiling', 'dealt'],
  },
  ...[
    ['lognormal', 'shuffled', 'Log-normal (sigma 1.5), shuffled'],
    ['lognormal', 'ascending', 'Log-normal (sigma 1.5), ascending: the longest last'],
    ['pareto', 'shuffled', 'Pareto (alpha 1.3), shuffled'],
    ['pareto', 'ascending', 'Pareto (alpha 1.3), ascending: the longest last'],
    ['step', 'ascending', '95 % of 0.1 ms, then 5 % of 18.1 ms'],
  ].map(([distribution, order, title]) => ({
    ...skew,
    id: `skew-${distribution}-${order}`,
    title,
    distribution,
    order,
  })),
  {
    ...payload,
    id: 'payload-1kb',
    title: 'Buffers of 1 KB, echoed',
    bytes: 1024,
    counts: { threadfactory: 30_000, 'piscina-chunked': 30_000, processes: 6_000, threads: 10_000 },
    contenders: [...pools, 'piscina-chunked'],
  },
  {
    ...payload,
    id: 'payload-64kb',
    title: 'Buffers of 64 KB, echoed',
    bytes: 64 * 1024,
    counts: { others: 800 },
    contenders: pools,
  },
  {
    ...payload,
    id: 'payload-1mb',
    title: 'Buffers of 1 MB, echoed',
    bytes: 1024 * 1024,
    counts: { others: 64 },
    inFlight: 64,
    contenders: pools,
  },
  {
    id: 'cold',
    group: 'cold',
    title: 'Cold start: a whole program with two jobs',
    cold: true,
    repeats: 3,
    counts: { others: 2 },
    contenders: [...pools, 'serial', 'ceiling', 'loaded'],
  },
  {
    ...noop,
    id: 'memory',
    group: 'memory',
    title: 'Peak memory of a million no-op jobs, results kept',
    measures: 'memory',
    counts: { others: 1_000_000 },
    // A minute each for most: once is enough for a peak of memory, and one kind of each pool.
    rounds: 1,
    unbounded: ['piscina', 'poolifier-threads', 'jest-worker-processes'],
    contenders: [
      'threadfactory',
      'piscina',
      'tinypool-threads',
      'workerpool-threads',
      'poolifier-threads',
      'jest-worker-processes',
      'worker-farm',
      'piscina-chunked',
      'serial',
    ],
  },
  {
    ...noop,
    id: 'lazy',
    group: 'lazy',
    title: 'Ten million jobs from a generator, no results kept',
    source: 'lazy',
    keep: false,
    rounds: 2,
    counts: { others: 10_000_000 },
    contenders: ['threadfactory', 'piscina-chunked'],
  },
];

/** The workloads that `--only` names, by id or group; all of them without. */
export function chosenWorkloads(only) {
  if (!only) return workloads;
  const known = new Set(workloads.flatMap(({ id, group }) => [id, group]));
  const unknown = only.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new Error(`unknown workload ${unknown.join(', ')}; known: ${[...known].join(', ')}`);
  return workloads.filter(({ id, group }) => only.includes(id) || only.includes(group));
}

/** How many jobs `contender` ({ id, kind }) runs in one measurement of `workload`. */
export function countFor({ workload, contender, workers, quick }) {
  const base = workload.counts[contender.id] ?? workload.counts[contender.kind] ?? workload.counts.others;
  if (workload.cold) return base;
  const forWorkers = workload.perWorkers ? (base * workers) / 2 : base;
  // Skewed lists keep their length: their shape is the workload.
  const share = quick && workload.group !== 'skew' ? 0.25 : 1;
  return Math.max(workers, Math.round(forWorkers * share));
}
