// Measures threadfactory beside other pools and writes a table and a plot. See README.md; flags: --help.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { iterationsPerMs } from './lib/calibrate.mjs';
import { killRunning, measureOnce } from './lib/execute.mjs';
import { parseFlags, usage } from './lib/flags.mjs';
import { plot } from './lib/plot.mjs';
import { markdown, nameOf, number } from './lib/report.mjs';
import { specFor } from './lib/spec.mjs';
import { Findings } from './lib/stats.mjs';
import { chosenWorkloads } from './lib/workloads.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

function versions() {
  const names = ['piscina', 'tinypool', 'workerpool', 'poolifier', 'jest-worker', 'worker-farm'];
  return Object.fromEntries(
    names.map((name) => {
      const file = path.join(here, 'node_modules', name, 'package.json');
      return [name, JSON.parse(readFileSync(file, 'utf8')).version];
    }),
  );
}

/** Who takes part in a workload: those asked for, and the yardstick without which its ratios have no base. */
function participants(workload, chosen) {
  if (!chosen) return workload.contenders;
  const yardsticks = { skew: ['serial'], cpu: ['ceiling'], cold: ['ceiling'] }[workload.group] ?? [];
  return workload.contenders.filter((id) => chosen.includes(id) || yardsticks.includes(id));
}

/** One round of a workload: every contender once (or `repeats` times), beginning with another one each round. */
async function measureRound({ workload, ids, round, settings, perMs, threadfactory }) {
  const first = (round - 1) % ids.length;
  const order = [...ids.slice(first), ...ids.slice(0, first)];
  const entries = [];
  for (let repeat = 0; repeat < (workload.repeats ?? 1); repeat++) {
    for (const contender of order) {
      const spec = specFor({ workload, contender, settings, perMs });
      const entry = { workload: workload.id, contender, round, count: spec.count };
      try {
        Object.assign(entry, await measureOnce({ spec, threadfactory }));
      } catch (error) {
        entry.error = error.message;
      }
      entries.push(entry);
      const rate = workload.cold
        ? `${number(entry.ms)} ms`
        : `${number((entry.count / entry.ms) * 1000)} jobs/s`;
      const figure = entry.error ? `failed: ${entry.error.split('\n')[0]}` : rate;
      process.stderr.write(`  ${round}  ${nameOf(contender).padEnd(30)} ${figure}\n`);
    }
  }
  if (workload.group === 'skew') compareChecksums(entries);
  return entries;
}

/** The serial loop's checksum is what every pool must have computed. */
function compareChecksums(entries) {
  const expected = entries.find(({ contender }) => contender === 'serial')?.checksum;
  for (const entry of entries) {
    if (!entry.error && entry.checksum !== expected)
      entry.error = 'results differ from those of the serial loop';
  }
}

async function measureAll(settings) {
  const threadfactory = path.resolve(settings.threadfactory ?? path.join(here, '..', 'dist', 'index.cjs'));
  if (!existsSync(threadfactory))
    throw new Error(`no ${threadfactory}: build the library first (npm run build)`);
  const load = { before: os.loadavg()[0] };
  const notes = [];
  if (load.before > 0.5) {
    notes.push('The machine was busy when the run began: these figures are provisional.');
    process.stderr.write(`load average ${load.before.toFixed(2)}: figures will be provisional\n`);
  }
  if (settings.quick) notes.push('A quick look: one short round.');
  const perMs = iterationsPerMs();
  const measurements = [];
  for (const workload of chosenWorkloads(settings.only)) {
    process.stderr.write(`${workload.title}\n`);
    const ids = participants(workload, settings.contenders);
    const rounds = Math.min(settings.rounds, workload.rounds ?? Number.POSITIVE_INFINITY);
    for (let round = 1; round <= rounds; round++) {
      measurements.push(...(await measureRound({ workload, ids, round, settings, perMs, threadfactory })));
    }
  }
  load.after = os.loadavg()[0];
  const machine = {
    cores: os.availableParallelism(),
    node: process.versions.node,
    platform: process.platform,
    load,
  };
  const { workers, rounds } = settings;
  return { machine, workers, rounds, iterationsPerMs: perMs, versions: versions(), notes, measurements };
}

/** A full run in which some workloads were measured again, whole, by the same pools on the same kind of machine. */
function merged(whole, again) {
  const isSame = (key) => JSON.stringify(whole[key]) === JSON.stringify(again[key]);
  const { cores, node } = again.machine;
  if (
    !isSame('versions') ||
    !isSame('workers') ||
    whole.machine.cores !== cores ||
    whole.machine.node !== node
  )
    throw new Error('the results to be completed are of other versions, another Node or another machine');
  const replaced = new Set(again.measurements.map(({ workload }) => workload));
  const earlier = (whole.again ?? []).map(({ workloads, ...about }) => ({
    workloads: workloads.filter((id) => !replaced.has(id)),
    ...about,
  }));
  const { notes, machine, rounds } = again;
  return {
    ...whole,
    again: [
      ...earlier.filter(({ workloads }) => workloads.length > 0),
      { workloads: [...replaced], rounds, load: machine.load.before, notes },
    ],
    measurements: [
      ...whole.measurements.filter(({ workload }) => !replaced.has(workload)),
      ...again.measurements,
    ],
  };
}

function write(run, out) {
  mkdirSync(out, { recursive: true });
  const findings = new Findings(run);
  writeFileSync(path.join(out, 'results.json'), `${JSON.stringify(run, undefined, 1)}\n`);
  writeFileSync(path.join(out, 'results.md'), markdown(findings));
  writeFileSync(path.join(out, 'results.svg'), plot(findings));
  process.stderr.write(
    `written: results.md, results.svg, results.json in ${path.relative(process.cwd(), out) || '.'}\n`,
  );
}

async function main() {
  const settings = parseFlags(process.argv.slice(2));
  if (settings.help) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  if (settings.render) {
    write(JSON.parse(readFileSync(settings.render, 'utf8')), settings.out ?? path.dirname(settings.render));
    return;
  }
  const interrupt = (code) => () => {
    killRunning();
    process.exit(code);
  };
  process.once('SIGINT', interrupt(130));
  process.once('SIGTERM', interrupt(143));
  const run = await measureAll(settings);
  if (settings.into) {
    write(merged(JSON.parse(readFileSync(settings.into, 'utf8')), run), path.dirname(settings.into));
    return;
  }
  write(run, path.resolve(settings.out ?? path.join(here, settings.full ? '.' : 'partial')));
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
});
