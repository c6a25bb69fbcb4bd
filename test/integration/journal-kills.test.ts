import { afterAll, describe, expect, it } from 'vitest';
import { KINDS, liveThroughKills } from '../helpers/killing.js';
import { removeProjects } from '../helpers/script.js';

afterAll(removeProjects);

/** Of each kind; `npm run soak` has a hundred. */
const KILLS = 8;
const SEED = Number(process.env['SEED'] ?? 20_171_124);

describe.concurrent.each(KINDS)('a run over $list, $identity', (kind) => {
  it(`whose manager is killed at ${KILLS} random instants (seed ${SEED}) comes to its end with nothing missing`, {
    timeout: 120_000,
  }, async () => {
    const toll = await liveThroughKills({ ...kind, kills: KILLS, seed: SEED, jobs: 60 });
    expect(toll.lives).toBeGreaterThan(KILLS);
  });
});
