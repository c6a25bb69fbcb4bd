import contenders from '../contenders/index.cjs';

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** `{ median, low, high }` of some values; undefined of none. */
export function summarise(values) {
  if (values.length === 0) return undefined;
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/**
 * The questions that table, targets and plot ask of a run's measurements. Every ratio is taken within a round and the
 * median over the rounds is given, so that a machine that was slower for a minute does not spoil it.
 */
export class Findings {
  #run;
  #rounds = new Map();

  constructor(run) {
    this.#run = run;
    for (const entry of run.measurements) {
      if (entry.error) continue;
      const key = `${entry.workload}/${entry.contender}`;
      if (!this.#rounds.has(key)) this.#rounds.set(key, new Map());
      const rounds = this.#rounds.get(key);
      if (!rounds.has(entry.round)) rounds.set(entry.round, []);
      rounds.get(entry.round).push(entry);
    }
  }

  get run() {
    return this.#run;
  }

  /** The measurements of one contender in one workload, by round. */
  #of(workload, contender) {
    return this.#rounds.get(`${workload}/${contender}`) ?? new Map();
  }

  /** Any figure of the measurements, one value a round. */
  figure(workload, contender, pick) {
    const values = [...this.#of(workload, contender).values()].map((entries) => median(entries.map(pick)));
    return summarise(values.filter((value) => value !== undefined && !Number.isNaN(value)));
  }

  /** Milliseconds a job. */
  time(workload, contender) {
    return this.figure(workload, contender, ({ ms, count }) => ms / count);
  }

  count(workload, contender) {
    return [...this.#of(workload, contender).values()][0]?.[0].count;
  }

  /** Time a job of `contender` over that of `base`. */
  timeRatio(workload, contender, base) {
    const bases = this.#of(workload, base);
    const perJob = (entries) => median(entries.map(({ ms, count }) => ms / count));
    const ratios = [];
    for (const [round, entries] of this.#of(workload, contender)) {
      if (bases.has(round)) ratios.push(perJob(entries) / perJob(bases.get(round)));
    }
    return summarise(ratios);
  }

  /** How many times the rate of `base` `contender` reaches. */
  speedup(workload, contender, base) {
    return this.timeRatio(workload, base, contender);
  }

  /** Makespan over the least possible: max(total / workers, longest) of the serial loop in the same round. */
  overBound(workload, contender) {
    const loops = this.#of(workload, 'serial');
    const ratios = [];
    for (const [round, entries] of this.#of(workload, contender)) {
      const loop = loops.get(round)?.[0];
      if (loop) ratios.push(entries[0].ms / Math.max(loop.ms / this.#run.workers, loop.longestMs));
    }
    return summarise(ratios);
  }

  /** The peer (of a kind, where one is given) that threadfactory leads by least, and by how much. */
  fastestPeer(workload, kind) {
    let closest;
    for (const peer of contenders.all) {
      if (!peer.peer || (kind && peer.kind !== kind)) continue;
      const lead = this.speedup(workload, 'threadfactory', peer.id);
      if (lead && (!closest || lead.median < closest.lead.median)) closest = { peer, lead };
    }
    return closest;
  }

  /** What went wrong, one line each. */
  failures() {
    return this.#run.measurements
      .filter(({ error }) => error)
      .map(({ workload, contender, round, error }) => ({ workload, contender, round, error }));
  }
}
