import { afterAll, describe, expect, it } from 'vitest';
import { KINDS, liveThroughKills } from '../helpers/killing.js';
import { removeProjects } from '../helpers/script.js';

afterAll(removeProjects);

const SEED = Number(process.env['SEED'] ?? 20_171_124);

describe.each(KINDS)('a run over $list, $identity', (kind) => {
  it(`whose manager is killed at 100 random instants (seed ${SEED}) comes to its end with nothing missing`, async () => {
    const { instants, torn, again } = await liveThroughKills({ ...kind, kills: 100, seed: SEED, jobs: 300 });
    // The kills fell all over, and had something to spoil.
    expect(Math.min(instants.midway, instants.complete, torn, again)).toBeGreaterThan(0);
  });
});
