import { afterAll, describe, expect, it } from 'vitest';
import { survive } from '../helpers/fleet.js';
import { hasRedis, RedisServer, WITHOUT_REDIS } from '../helpers/redis.js';
import { removeProjects } from '../helpers/script.js';

const SEED = Number(process.env['SEED'] ?? 2_711);

describe.skipIf(!hasRedis)(`two machines (${WITHOUT_REDIS} else)`, () => {
  let server: RedisServer | undefined;
  afterAll(async () => {
    await server?.stop();
    await removeProjects();
  });

  it(`finish every job once though one is killed again and again, and the manager once (seed ${SEED})`, {
    timeout: 120_000,
  }, async () => {
    server = await RedisServer.start();
    const jobs = 2_400;
    const { summary, recorded, machineKills } = await survive(server, {
      jobs,
      workMs: 1,
      seed: SEED,
      everyJobs: 400,
      workers: 1,
    });
    expect(summary).toMatchObject({ failed: 0, total: jobs, wrong: -1 });
    expect((summary.completed ?? 0) + (summary.skipped ?? 0)).toBe(jobs);
    expect(summary.skipped).toBeGreaterThan(0);
    expect(recorded.size).toBe(jobs);
    expect([...recorded.values()].every((lines) => lines === 1)).toBe(true);
    expect(Math.min(...machineKills)).toBeGreaterThanOrEqual(1);
  });
});
