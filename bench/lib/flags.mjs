import os from 'node:os';
import { parseArgs } from 'node:util';
import contenders from '../contenders/index.cjs';

const usage = `node bench/run.mjs [flags]
  --only a,b         workloads or groups: noop, journal, cpu, skew, payload, cold, memory, lazy (default: all)
  --contenders x,y   who takes part (default: all); yardsticks that ratios need are added
  --rounds N         rounds of each workload (default 5)
  --workers N        workers of every pool (default: one per core)
  --quick            one round, a quarter of the jobs
  --threadfactory F  the built entry to measure (default: dist/index.cjs)
  --out DIR          where results go (default: bench/ for a full run, bench/partial/ for any other)
  --into FILE        replace these workloads in a full run's results.json, and draw it again beside it
  --render FILE      measure nothing: draw table and plot again from a run's results.json`;

const list = (text) => text?.split(',').map((name) => name.trim());

function positive(name, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`expected --${name} to be a positive whole number`);
  return value;
}

/** Command line -> settings of a run. Throws with the usage where a flag is wrong. */
export function parseFlags(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      only: { type: 'string' },
      contenders: { type: 'string' },
      rounds: { type: 'string' },
      workers: { type: 'string' },
      quick: { type: 'boolean', default: false },
      threadfactory: { type: 'string' },
      out: { type: 'string' },
      into: { type: 'string' },
      render: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const chosen = list(values.contenders);
  const unknown = chosen?.filter((id) => !contenders.byId.has(id)) ?? [];
  if (unknown.length > 0) {
    throw new Error(
      `unknown contender ${unknown.join(', ')}; known: ${[...contenders.byId.keys()].join(', ')}`,
    );
  }
  const rounds = values.rounds ? positive('rounds', values.rounds) : values.quick ? 1 : 5;
  return {
    only: list(values.only),
    contenders: chosen,
    rounds,
    workers: values.workers ? positive('workers', values.workers) : os.availableParallelism(),
    quick: values.quick,
    threadfactory: values.threadfactory,
    out: values.out,
    into: values.into,
    render: values.render,
    help: values.help,
    full: !values.only && !chosen && !values.quick && rounds >= 5,
  };
}

export { usage };
