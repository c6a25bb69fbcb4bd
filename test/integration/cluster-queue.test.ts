import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { BullMqBackend } from '../../src/engines/bullmq-backend.js';
import { writeEnvelope } from '../../src/engines/envelope.js';
import { namesOf } from '../../src/engines/names.js';
import { VERSIONS } from '../helpers/cluster.js';
import { hasRedis, RedisServer, WITHOUT_REDIS } from '../helpers/redis.js';

// The submitting side's calls, on a server, with machines that are BullMQ's own workers.
describe.skipIf(!hasRedis).each([5, 6] as const)(
  `the queue of bullmq %i (${WITHOUT_REDIS} else)`,
  (version) => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await RedisServer.start();
    });
    afterAll(() => server.stop());

    const head = { run: 'r1', spec: 'hash', timeout: undefined };
    const bullmq = VERSIONS[version];

    /** A queue with these chunks, and what a machine uses of it. */
    const open = async (name: string, chunks: readonly string[]) => {
      const names = namesOf('tf', name);
      const backend = new BullMqBackend({
        connection: server.connection,
        names,
        head,
        resumes: false,
        connectTimeout: 10_000,
        clock: systemClock,
        bullmq,
      });
      const ignore = (): void => {};
      await backend.open({
        finished: ignore,
        progress: ignore,
        down: ignore,
        up: ignore,
        warning: ignore,
        dispossessed: ignore,
      });
      const submit = (): Promise<void> =>
        backend.submit(
          chunks.map((chunk) => writeEnvelope({ ...head, chunk }, { first: 0, texts: ['1'] }, undefined)),
        );
      await submit();
      const shared = { connection: server.connection, prefix: 'tf', skipVersionCheck: true };
      const machine = new bullmq.Worker(names.queue, null, { ...shared, autorun: false });
      const queue = new bullmq.Queue(names.queue, shared);
      const client = new Redis(server.url);
      onTestFinished(async () => {
        await Promise.all([backend.close(), machine.close(), queue.close()]);
        client.disconnect();
      });
      return { backend, machine, queue, client, submit };
    };

    it('gives back what no machine holds, and nothing that has ended', async () => {
      const { backend, machine, queue, client } = await open('back', [
        'ended',
        'failing',
        'held',
        'orphan',
        'idle',
      ]);
      const next = async (id: string) => {
        const job = await machine.getNextJob(`token of ${id}`);
        expect(job?.id).toBe(id);
        return job;
      };
      await (await next('ended'))?.moveToCompleted('result', 'token of ended', false);
      await (await next('failing'))?.moveToFailed(new Error('no'), 'token of failing', false);
      await next('held');
      await next('orphan');
      await client.del(queue.toKey('orphan:lock'));
      const all = ['ended', 'failing', 'held', 'orphan', 'idle', 'never there'];
      expect(await backend.takeBack(all)).toEqual(['orphan', 'idle', 'never there']);
      const { active, waiting, finished } = await backend.survey();
      expect([...active, '|', ...waiting, '|', ...finished]).toEqual(['held', '|', '|', 'ended', 'failing']);
      expect(await client.exists(queue.toKey('orphan'), queue.toKey('idle'))).toBe(0);
      expect((await backend.collect(['ended']))[0]?.[1]).toEqual({ state: 'completed', outcome: 'result' });
    });

    it.each([
      ['full', 'maxmemory', 'OOM'],
      ['not to be written to', 'min-replicas-to-write', 'NOREPLICAS'],
    ])('can be looked at where the server is %s, which it says', async (_, setting, said) => {
      const { backend, client } = await open(setting, ['one', 'two']);
      expect((await backend.survey()).refusal).toBeUndefined();
      await client.config('SET', setting, '1');
      try {
        const { waiting, refusal } = await backend.survey();
        expect([waiting.size, refusal?.message]).toEqual([2, expect.stringContaining(said)]);
        if (said === 'OOM') expect(await backend.takeBack(['one'])).toEqual(['one']);
      } finally {
        await client.config('SET', setting, '0');
      }
    });

    it('keeps few events also on a server that has lost its data', async () => {
      const { backend, queue, submit, client } = await open('events', ['one']);
      await client.flushall();
      await submit();
      await backend.survey();
      expect(await client.hget(queue.toKey('meta'), 'opts.maxLenEvents')).toBe('500');
    });
  },
);
