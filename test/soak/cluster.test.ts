import { afterAll, describe, expect, it } from 'vitest';
import { survive } from '../helpers/fleet.js';
import { hasRedis, RedisServer, WITHOUT_REDIS } from '../helpers/redis.js';
import { removeProjects } from '../helpers/script.js';

const SEED = Number(process.env['SEED'] ?? 20_261_124);
const JOBS = 100_000;

describe.skipIf(!hasRedis)(`two machines (${WITHOUT_REDIS} else)`, () => {
  let server: RedisServer | undefined;
  afterAll(async () => {
    await server?.stop();
    await removeProjects();
  });

  it(`finish 100 000 jobs once each through random kills of one of them and of the manager (seed ${SEED})`, async () => {
    server = await RedisServer.start();
    const { summary, recorded, machineKills } = await survive(server, {
      jobs: JOBS,
      workMs: 1,
      seed: SEED,
      everyJobs: 2_500,
      workers: 2,
    });
    expect(summary).toMatchObject({ failed: 0, total: JOBS, wrong: -1 });
    expect((summary.completed ?? 0) + (summary.skipped ?? 0)).toBe(JOBS);
    expect(summary.skipped).toBeGreaterThan(0);
    expect(recorded.size).toBe(JOBS);
    expect([...recorded.values()].every((lines) => lines === 1)).toBe(true);
    expect(Math.min(...machineKills)).toBeGreaterThanOrEqual(1);
    expect(machineKills[0] + machineKills[1]).toBeGreaterThanOrEqual(3);
  });
});
