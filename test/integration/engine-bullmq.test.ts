import { describe } from 'vitest';
import type { Work } from '../../src/engines/index.js';
import { bullmq, VERSIONS, work } from '../helpers/cluster.js';
import { conformance, SPEC } from '../helpers/conformance.js';
import { hasRedis, RedisServer, WITHOUT_REDIS } from '../helpers/redis.js';

describe.skipIf(!hasRedis).each([5, 6] as const)(`with a server (${WITHOUT_REDIS} else)`, (version) => {
  let server: RedisServer;
  let machines: Work[] = [];
  const shared = { name: 'conformance', bullmq: VERSIONS[version], secret: 'shared' };

  conformance(`bullmq ${version}, with two machines,`, {
    async start() {
      server = await RedisServer.start();
      const options = {
        ...shared,
        connection: server.connection,
        workers: 1,
        grace: 100,
        output: 'ignore' as const,
      };
      machines = await Promise.all([1, 2].map((n) => work(SPEC, { ...options, machine: `m${n}` })));
    },
    async stop() {
      await Promise.all(machines.map((machine) => machine.stop()));
      await server.stop();
    },
    engine: () => bullmq({ ...shared, connection: server.connection, pollInterval: 200 }),
  });
});
