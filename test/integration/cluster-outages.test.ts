import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { writeEnvelope } from '../../src/engines/envelope.js';
import type { BullMqOptions, Work, WorkOptions } from '../../src/engines/index.js';
import { runOf } from '../../src/engines/names.js';
import { bullmq, VERSIONS, work } from '../helpers/cluster.js';
import { SPEC, ThreadFactory } from '../helpers/conformance.js';
import { Network } from '../helpers/network.js';
import { hasRedis, RedisServer, WITHOUT_REDIS } from '../helpers/redis.js';

/** A network that swallows or breaks what goes through it, and a server without room: nothing is lost, nothing hangs. */

const QUICK = { lockDuration: 1_000, stalledInterval: 300 };
/** Milliseconds in which a server has to answer. */
const connectTimeout = 300;
let names = 0;

describe.skipIf(!hasRedis)(`an outage (${WITHOUT_REDIS} else)`, () => {
  let server: RedisServer;
  let name = 'outages-0';
  const machines: Work[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await Promise.all(machines.splice(0).map((machine) => machine.stop()));
    name = `outages-${++names}`;
  });
  afterAll(() => server.stop());

  const start = async (options: Partial<WorkOptions> = {}): Promise<Work> => {
    const base = { name, connection: server.connection, workers: 1, output: 'ignore' as const, ...QUICK };
    const machine = await work(SPEC, { ...base, ...options });
    machines.push(machine);
    return machine;
  };
  const submit = (options: Partial<BullMqOptions> = {}, more: object = {}) => {
    const engine = bullmq({ name, connection: server.connection, pollInterval: 100, ...options });
    const factory = new ThreadFactory<unknown, unknown>(SPEC, { engine, ...more });
    const completed: unknown[] = [];
    factory.on('completed', ({ index }) => completed.push(index));
    const warnings: unknown[] = [];
    factory.on('warning', (warning) => warnings.push((warning as { code?: unknown }).code));
    /** Resolves with the next event of a kind, or warning of a code. */
    const hears = (event: 'completed' | 'progress' | `ERR_${string}`): Promise<void> =>
      new Promise((resolve) => {
        if (!event.startsWith('ERR_')) factory.once(event as 'completed', () => resolve());
        else
          factory.on('warning', (warning) => {
            if ((warning as { code?: unknown }).code === event) resolve();
          });
      });
    return { factory, completed, warnings, hears };
  };
  const network = async (): Promise<Network> => {
    const made = await Network.to(server.port);
    onTestFinished(() => made.stop());
    return made;
  };
  const waits = (count: number): unknown[] => Array.from({ length: count }, () => ({ do: 'wait', ms: 30 }));

  it.each(['stall', 'cut'] as const)('goes on where the manager’s network was %s', async (how) => {
    const net = await network();
    await start();
    const { factory, completed, hears } = submit({ connection: net.connection, connectTimeout });
    const first = hears('completed');
    const run = factory.start(waits(20));
    await first;
    const down = hears('ERR_ENGINE_DOWN');
    net[how]();
    await down;
    const back = hears('ERR_ENGINE_RECOVERED');
    net.heal();
    await back;
    expect(await run).toMatchObject({ completed: 20, failed: 0 });
    expect(completed).toHaveLength(20);
  });

  it('fails where the manager is cut off longer than it may be, though no connection was closed', async () => {
    const net = await network();
    await start({ grace: 100 });
    const options = { connection: net.connection, connectTimeout, downTimeout: 100 };
    const { factory, hears } = submit(options);
    const first = hears('completed');
    const run = factory.start([1, { do: 'wait', ms: 60_000 }]);
    run.catch(() => {});
    await first;
    net.stall();
    await expect(run).rejects.toMatchObject({ code: 'ERR_ENGINE_DOWN' });
  });

  it('runs elsewhere what a machine holds that is cut off, refuses its late results, and has it back', async () => {
    const net = await network();
    await start({ machine: 'far', connection: net.connection, connectTimeout });
    const { factory, completed, hears } = submit();
    const begun = hears('progress');
    const stalled = hears('ERR_ENGINE_STALLED');
    const run = factory.start([{ do: 'hold', ms: 1_500 }]);
    await begun;
    net.stall();
    const near = await start({ machine: 'near' });
    await stalled;
    expect((await run).results).toEqual(['near']);
    await near.stop();
    net.heal();
    const again = submit();
    expect((await again.factory.start([{ do: 'hold', ms: 1 }])).results).toEqual(['far']);
    expect([completed, again.completed]).toEqual([[0], [0]]);
  });

  it('leaves nothing in the queue of another manager that took the name while this one was cut off', async () => {
    const net = await network();
    const first = submit({ connection: net.connection, connectTimeout });
    const run = first.factory.start(waits(3));
    run.catch(() => {});
    const prefix = `tf:${name}-v1`;
    await server.answers(':3', 'LLEN', `${prefix}:wait`);
    const down = first.hears('ERR_ENGINE_DOWN');
    net.stall();
    await down;
    // As after ten seconds.
    expect(await server.ask('DEL', `${prefix}:tf-manager`)).toBe(':1\r\n');
    const second = submit();
    const other = second.factory.start(waits(2));
    await server.answers(':2', 'LLEN', `${prefix}:wait`);
    net.heal();
    await expect(run).rejects.toMatchObject({ code: 'ERR_ENGINE_IN_USE' });
    await server.answers(':2', 'LLEN', `${prefix}:wait`);
    await start();
    expect(await other).toMatchObject({ completed: 2, failed: 0 });
    expect(second.warnings).not.toContain('ERR_ENGINE_CANCELLED');
  });

  it('begins at once after an abort on the same journal, and nothing is dropped any more', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'threadfactory-outages-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const journal = join(folder, 'run.jsonl');
    await start();
    const controller = new AbortController();
    const list = [{ do: 'hold', ms: 2_200 }];
    const first = submit({}, { journal, signal: controller.signal });
    first.factory.once('progress', () => controller.abort(new Error('enough')));
    await expect(first.factory.start(list)).rejects.toThrow('enough');
    const second = submit({}, { journal });
    expect(await second.factory.start(list)).toMatchObject({ completed: 1, failed: 0 });
    expect(second.warnings).not.toContain('ERR_ENGINE_CANCELLED');
  });

  it('drops what it left for another version of the module, held by a machine that is dead or not', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'threadfactory-outages-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const journal = join(folder, 'run.jsonl');
    const run = runOf(journal);
    const queue = new VERSIONS[6].Queue(`${name}-v1`, { connection: server.connection, prefix: 'tf' });
    onTestFinished(() => queue.close());
    for (const chunk of [`${run}.s1-0`, `${run}.s1-1`]) {
      const head = { run, chunk, spec: 'older', timeout: undefined };
      const envelope = writeEnvelope(head, { first: Number(chunk.at(-1)), texts: ['7'] }, undefined);
      await queue.add('chunk', envelope, { jobId: chunk });
    }
    const dead = new VERSIONS[6].Worker(`${name}-v1`, null, { connection: server.connection, prefix: 'tf' });
    expect(await dead.getNextJob('token')).toMatchObject({ id: `${run}.s1-0` });
    await dead.close(true);
    const { factory, warnings } = submit({}, { journal });
    const summary = factory.start([7, 7]);
    await server.answers(':2', 'LLEN', `tf:${name}-v1:wait`);
    const machine = await start();
    expect((await summary).results).toEqual([14, 14]);
    expect(warnings).toEqual([]);
    await machine.stop();
    await expect(machine.stopped).resolves.toBeUndefined();
  });

  it('gets a list done on a server without room for it', async () => {
    const small = await RedisServer.start();
    onTestFinished(() => small.stop());
    const { connection } = small;
    await start({ connection });
    // What bullmq keeps for itself is there from now on.
    await submit({ connection }).factory.start([1]);
    const [, used] = /used_memory:(\d+)/.exec(await small.ask('INFO', 'memory')) ?? [];
    await small.ask('CONFIG', 'SET', 'maxmemory', `${Number(used) + 2_000_000}`);
    const { factory, completed, warnings } = submit({ connection });
    const pad = 'x'.repeat(200_000);
    const run = factory.start(Array.from({ length: 20 }, () => ({ do: 'nothing', pad })));
    expect(await run).toMatchObject({ completed: 20, failed: 0 });
    expect(completed).toHaveLength(20);
    expect(warnings).toContain('ERR_ENGINE_FULL');
  });

  it('says so where the server has no room to begin, where it may evict, and where the user may not', async () => {
    const small = await RedisServer.start();
    onTestFinished(() => small.stop());
    const { connection } = small;
    await small.ask('CONFIG', 'SET', 'maxmemory', '1');
    await expect(submit({ connection }).factory.start([1])).rejects.toMatchObject({
      code: 'ERR_ENGINE_FULL',
    });
    await small.ask('CONFIG', 'SET', 'maxmemory', '0');
    await small.ask('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const evicting = submit({ connection });
    expect(await evicting.factory.start([])).toMatchObject({ total: 0 });
    expect(evicting.warnings).toEqual(['ERR_ENGINE_EVICTION']);
    const rules = ['on', '>sesame', '~other:*', '&*', '+@all'];
    expect(await small.ask('ACL', 'SETUSER', 'stranger', ...rules)).toContain('OK');
    const stranger = { ...connection, username: 'stranger', password: 'sesame' };
    const refused = submit({ connection: stranger }).factory.start([1]);
    await expect(refused).rejects.toMatchObject({ code: 'ERR_ENGINE_REFUSED' });
  });
});
