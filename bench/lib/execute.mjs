import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const bench = fileURLToPath(new URL('..', import.meta.url));
const running = new Set();

/** What measured programs get of this environment: all but a machine's extra certificates, which each Node would parse at its start. */
const { NODE_EXTRA_CA_CERTS: _, ...surroundings } = process.env;

/** Kills what is being measured, its process group with it. Used when the run is interrupted. */
export function killRunning() {
  for (const child of running) killGroup(child.pid);
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/**
 * Runs one Node program in a process group of its own and waits for its end. Resolves to its output and the
 * milliseconds from spawn to exit; rejects where it fails or takes longer than `limitMs`.
 */
export function runNode({ args, env, limitMs, execArgv = [] }) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(process.execPath, [...execArgv, ...args], {
      cwd: bench,
      env: { ...surroundings, ...env },
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let ms;
    let late = false;
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8').on('data', (text) => {
        output[name] = (output[name] + text).slice(-20_000);
      });
    }
    const timer = setTimeout(() => {
      late = true;
      killGroup(child.pid);
    }, limitMs);
    child.once('error', reject);
    child.once('exit', () => {
      ms = performance.now() - start;
      // Whatever a pool left behind would disturb the next measurement, and hold the pipes.
      killGroup(child.pid);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      if (late) reject(new Error(`did not finish in ${Math.round(limitMs / 1000)} s`));
      else if (code !== 0)
        reject(new Error(`exit ${code ?? signal}: ${output.stderr.trim() || 'no message'}`));
      else resolve({ ...output, ms });
    });
  });
}

/** One measurement in a fresh process: the figures that measure.cjs prints, or the time of a cold start. */
export async function measureOnce({ spec, threadfactory, limitMs = 300_000, execArgv }) {
  const env = { BENCH_THREADFACTORY: threadfactory, BENCH_WORK: spec.work ?? 'echo' };
  if (!spec.cold) {
    return measurement({ env: { ...env, BENCH_SPEC: JSON.stringify(spec) }, limitMs, execArgv });
  }
  const own = ['threadfactory', 'serial', 'ceiling', 'loaded'].includes(spec.contender);
  const script = path.join(bench, 'cold', own ? `${spec.contender}.cjs` : 'peer.cjs');
  const { stdout, ms } = await runNode({
    args: [script, spec.contender, String(spec.workers)],
    env,
    limitMs,
    execArgv,
  });
  if (!/^sum 3$/m.test(stdout)) throw new Error(`wrong output: ${stdout}`);
  return { ms };
}

async function measurement({ env, limitMs, execArgv }) {
  // Where threadfactory's workers wait for each other before the clock starts; see contenders/threadfactory.cjs.
  const barrier = mkdtempSync(path.join(os.tmpdir(), 'bench-'));
  try {
    const args = [path.join(bench, 'measure.cjs')];
    const { stdout } = await runNode({ args, env: { ...env, BENCH_BARRIER: barrier }, limitMs, execArgv });
    const line = /^BENCH (.*)$/m.exec(stdout);
    if (!line) throw new Error(`no figures in: ${stdout.slice(-500)}`);
    return JSON.parse(line[1]);
  } finally {
    rmSync(barrier, { recursive: true, force: true });
  }
}
