// Where the time of one workload goes: runs it once with --cpu-prof in the manager and its workers, and prints the
// functions with the most self time. node bench/profile.mjs noop-array [--count N] [--top N] [--contender ID] …
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { iterationsPerMs } from './lib/calibrate.mjs';
import { measureOnce } from './lib/execute.mjs';
import { specFor } from './lib/spec.mjs';
import { chosenWorkloads } from './lib/workloads.mjs';

const usage = `node bench/profile.mjs WORKLOAD [flags]
  --count N          jobs (default: the workload's)
  --top N            functions to print (default 25)
  --contender ID     whom to profile (default threadfactory)
  --workers N        workers (default: one per core)
  --threadfactory F  the built entry (default: dist/index.cjs)
  --keep DIR         keep the .cpuprofile files there, for a browser's developer tools`;

/** Self time in ms by function and place, from the samples of a .cpuprofile. */
function selfTimes({ nodes, samples, timeDeltas }) {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url ? ` ${path.basename(url)}:${lineNumber + 1}` : '';
      return [id, `${functionName || '(anonymous)'}${place}`];
    }),
  );
  const times = new Map();
  samples.forEach((id, index) => {
    const name = names.get(id);
    times.set(name, (times.get(name) ?? 0) + timeDeltas[index] / 1000);
  });
  return times;
}

function sumOf(profiles) {
  const total = new Map();
  for (const times of profiles) {
    for (const [name, ms] of times) total.set(name, (total.get(name) ?? 0) + ms);
  }
  return total;
}

function print(title, times, top) {
  times.delete('(idle)');
  const all = [...times.values()].reduce((sum, ms) => sum + ms, 0);
  const lines = [...times].sort(([, a], [, b]) => b - a).slice(0, top);
  process.stdout.write(`\n${title}: ${all.toFixed(0)} ms not idle\n`);
  for (const [name, ms] of lines) {
    process.stdout.write(
      `${ms.toFixed(1).padStart(9)} ms ${((ms / all) * 100).toFixed(1).padStart(5)} %  ${name}\n`,
    );
  }
}

/** The manager is the process (and thread 0 of it) whose profile began first: pids only grow too seldom to wrap. */
function split(folder) {
  const profiles = readdirSync(folder)
    .filter((file) => file.endsWith('.cpuprofile'))
    .map((file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8')))
    .sort((a, b) => a.startTime - b.startTime);
  return { manager: profiles[0], children: profiles.slice(1) };
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      count: { type: 'string' },
      top: { type: 'string', default: '25' },
      contender: { type: 'string', default: 'threadfactory' },
      workers: { type: 'string' },
      threadfactory: { type: 'string' },
      keep: { type: 'string' },
    },
  });
  if (positionals.length !== 1) throw new Error(usage);
  const [workload] = chosenWorkloads(positionals);
  const workers = values.workers ? Number(values.workers) : os.availableParallelism();
  const spec = specFor({
    workload,
    contender: values.contender,
    settings: { workers },
    perMs: iterationsPerMs(),
  });
  if (values.count) spec.count = Number(values.count);
  const here = path.dirname(fileURLToPath(import.meta.url));
  const threadfactory = path.resolve(values.threadfactory ?? path.join(here, '..', 'dist', 'index.cjs'));
  const folder = values.keep
    ? path.resolve(values.keep)
    : mkdtempSync(path.join(os.tmpdir(), 'bench-profile-'));
  try {
    const execArgv = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
    const { ms } = await measureOnce({ spec, threadfactory, execArgv });
    process.stdout.write(`${workload.title}: ${spec.count} jobs in ${ms.toFixed(0)} ms, profiled\n`);
    const { manager, children } = split(folder);
    print('manager', selfTimes(manager), Number(values.top));
    if (children.length > 0)
      print(`${children.length} workers together`, sumOf(children.map(selfTimes)), Number(values.top));
    else process.stdout.write('\nno profile of a worker: they were killed, or inherit no execArgv\n');
  } finally {
    if (!values.keep) rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
});
