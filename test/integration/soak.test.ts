import { afterAll, expect, it } from 'vitest';
import { removeProjects } from '../helpers/script.js';
import { soak } from '../helpers/soak.js';

afterAll(removeProjects);

/** Each run tries another mix; a failure names the seed that brings it back: `SOAK_SEED=… npm run soak`. */
const SEED = Math.floor(Math.random() * 2 ** 32);

it(`a short soak: jobs of every kind, good and bad, end once each and as they should (seed ${SEED})`, async () => {
  const { wrong, left, code, stderr, completed, failed, outside } = await soak(SEED, 200, 300);
  expect({ wrong, left, code, stderr }).toEqual({ wrong: [], left: [], code: 0, stderr: '' });
  expect(completed + failed).toBe(200);
  expect(outside).toBeGreaterThan(0);
});
