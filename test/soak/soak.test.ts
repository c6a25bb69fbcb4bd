import { afterAll, expect, it } from 'vitest';
import { removeProjects } from '../helpers/script.js';
import { soak } from '../helpers/soak.js';

/**
 * `npm run soak`: the long one. Parameters, as environment variables:
 * - SOAK_JOBS: how many jobs, 100 000 unless told.
 * - SOAK_SEED: a whole number that makes the same jobs, options and outside kills again; a new one unless told.
 */
const JOBS = Number(process.env['SOAK_JOBS'] ?? 100_000);
const SEED = Number(process.env['SOAK_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
/** Milliseconds an attempt may take: far more than any innocent job needs on a busy machine. */
const TIMEOUT = 2000;
const MEGABYTE = 2 ** 20;

afterAll(removeProjects);

it(`${JOBS} jobs that throw, hang, crash and are killed end once each and as they should (SOAK_SEED=${SEED})`, async () => {
  console.log(`SOAK_SEED=${SEED} SOAK_JOBS=${JOBS}`);
  const { memory, ...soaked } = await soak(SEED, JOBS, TIMEOUT);
  const most = Math.max(...memory) / MEGABYTE;
  console.log(JSON.stringify({ ...soaked, mostMegabytes: Math.round(most) }));
  expect(soaked.wrong).toEqual([]);
  expect(soaked.left).toEqual([]);
  expect(soaked.stderr).toBe('');
  expect(soaked.code).toBe(0);
  // A huge result is up to 2 MB and a few are on their way at once; nothing is kept.
  expect(most).toBeLessThan(300);
  // What leaks grows with the jobs: the second half needs no more than the first.
  const half = Math.floor(memory.length / 2);
  const [first, second] = [memory.slice(0, half), memory.slice(half)].map(median);
  expect((second ?? 0) / MEGABYTE).toBeLessThan((first ?? 0) / MEGABYTE + 50);
});

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
