import { afterAll, describe, expect, it } from 'vitest';
import { KINDS, liveThroughKills } from '../helpers/killing.js';
import { removeProjects } from '../helpers/script.js';

afterAll(removeProjects);

/** Of each kind; `npm run soak` has a hundred. */
const KILLS = 3;
const SEED = Number(process.env['SEED'] ?? 20_171_124);

/** A seed of its own for each kind: few kills of one seed would all be alike. */
const SEEDED = KINDS.map((kind, i) => ({ ...kind, seed: SEED + i }));

describe.concurrent.each(SEEDED)('a run over $list, $identity', ({ seed, ...kind }) => {
  it(`whose manager is killed at ${KILLS} random instants (seed ${seed}) comes to its end with nothing missing`, {
    timeout: 120_000,
  }, async () => {
    const toll = await liveThroughKills({ ...kind, kills: KILLS, seed, jobs: 60 });
    expect(toll.lives).toBeGreaterThan(KILLS);
  });
});
