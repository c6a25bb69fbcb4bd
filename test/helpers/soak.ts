import { readFile } from 'node:fs/promises';
import { allGone, project, runIn } from './script.js';

/** What a soak came to. */
interface Soaked extends Omit<Report, 'alive'> {
  /** What kept the process alive after the run, apart from its own output. */
  readonly left: readonly string[];
  /** How the process ended, and what it said that it should not have. */
  readonly code: number | null;
  readonly stderr: string;
}

interface Report {
  readonly completed: number;
  readonly failed: number;
  /** Milliseconds. */
  readonly duration: number;
  readonly options: Record<string, unknown>;
  /** Exits of workers, by reason. */
  readonly reasons: Record<string, number>;
  readonly forks: number;
  /** Workers killed from outside. */
  readonly outside: number;
  /** Bytes of RSS of the manager, about 200 samples. */
  readonly memory: readonly number[];
  /** A line for each thing that was not as it should be. */
  readonly wrong: readonly string[];
  /** Workers and their subprocesses that were not gone at the end. */
  readonly alive: readonly number[];
}

/** Resources of Node that are there from the start: the pipes of its own output. */
const OWN = new Set(['PipeWrap', 'TTYWrap']);

/**
 * Runs test/soak/soak.cjs to its end.
 * @param seed a whole number; the same one makes the same jobs in the same order
 * @param jobs how many
 * @param timeout milliseconds an attempt may take
 */
export async function soak(seed: number, jobs: number, timeout: number): Promise<Soaked> {
  const text = await readFile(new URL('../soak/soak.cjs', import.meta.url), 'utf8');
  const ran = await runIn(await project({ 'soak.cjs': text }), 'soak.cjs', {
    env: { SOAK_SEED: String(seed), SOAK_JOBS: String(jobs), SOAK_TIMEOUT: String(timeout) },
  });
  const [report, end] = ran.said as [Report, { left: string[] }];
  const { code, stderr } = ran;
  // Those that were killed at the very end may still be on their way out.
  await allGone(report?.alive ?? []);
  if (end === undefined) throw new Error(`The soak ended with ${code} and said: ${ran.stdout}\n${stderr}`);
  return { ...report, left: end.left.filter((resource) => !OWN.has(resource)), code, stderr };
}
