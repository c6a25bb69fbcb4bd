import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inspect } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { BullMqOptions, Work, WorkOptions } from '../../src/engines/index.js';
import { bullmq, VERSIONS, work } from '../helpers/cluster.js';
import { SPEC, ThreadFactory } from '../helpers/conformance.js';
import { Fleet } from '../helpers/fleet.js';
import { hasRedis, RedisServer, WITHOUT_REDIS } from '../helpers/redis.js';
import { project, removeProjects, runIn } from '../helpers/script.js';

/** What goes wrong between machines, on a real server: each has its code, and nothing is lost or hangs. */

const QUICK = { lockDuration: 1_000, stalledInterval: 300 };
let names = 0;

describe.skipIf(!hasRedis)(`more than one machine (${WITHOUT_REDIS} else)`, () => {
  let server: RedisServer;
  let name = 'faults-0';
  const machines: Work[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterEach(async () => {
    await Promise.all(machines.splice(0).map((machine) => machine.stop().catch(() => {})));
    name = `faults-${++names}`;
  });
  afterAll(async () => {
    await server.stop();
    await removeProjects();
  });

  const start = async (options: Partial<WorkOptions> = {}, spec = SPEC): Promise<Work> => {
    const base = { name, connection: server.connection, workers: 1, output: 'ignore' as const, ...QUICK };
    const machine = await work(spec, { ...base, ...options });
    machines.push(machine);
    return machine;
  };
  const submit = (options: Partial<BullMqOptions> = {}, more: object = {}) => {
    const engine = bullmq({ name, connection: server.connection, pollInterval: 100, ...options });
    const factory = new ThreadFactory<unknown, unknown>(SPEC, { engine, ...more });
    const warnings: string[] = [];
    factory.on('warning', (warning) => warnings.push(String((warning as { code?: unknown }).code)));
    onTestFinished(() => factory.stop());
    return { factory, warnings };
  };

  it('says that the server is not there', async () => {
    const connection = { host: '127.0.0.1', port: 1 };
    const away = { code: 'ERR_ENGINE_UNREACHABLE' };
    await expect(submit({ connection, connectTimeout: 200 }).factory.start([1])).rejects.toMatchObject(away);
    await expect(start({ connection, connectTimeout: 200 })).rejects.toMatchObject(away);
  });

  it('waits at the start for a server that is busy for a while', async () => {
    const busy = await RedisServer.start('--busy-reply-threshold', '100');
    onTestFinished(() => busy.stop());
    const client = new Redis(busy.url);
    onTestFinished(() => client.disconnect());
    const script = `local from = redis.call('time')
      repeat local now = redis.call('time') until (now[1] - from[1]) * 1e6 + now[2] - from[2] > 1.5e6`;
    const probe = new Redis(busy.url);
    onTestFinished(() => probe.disconnect());
    await probe.ping();
    const done = client.eval(script, 0);
    const isBusy = (): Promise<boolean> =>
      probe.ping().then(
        () => false,
        () => true,
      );
    while (!(await isBusy()));
    const machine = await start({ connection: busy.connection });
    await done;
    await machine.stop();
  });

  it('takes a module by its relative path from a script that is no file', async () => {
    const folder = await project({
      'spec.cjs': 'exports.manager = () => []; exports.workerProcess = () => 1;',
    });
    const text = `require('threadfactory/bullmq').work('./spec.cjs', { name: 'n', connection: { host: '127.0.0.1', port: 1 }, connectTimeout: 50 })
      .catch(({ code }) => console.log(code));`;
    expect((await runIn(folder, '-e', { args: [text] })).stdout).toBe('ERR_ENGINE_UNREACHABLE\n');
  });

  it('goes to no other database than the one that was asked for, which is not there', async () => {
    const connection = { ...server.connection, db: 99 };
    const refused = {
      code: 'ERR_ENGINE_REFUSED',
      message: expect.stringContaining('DB index is out of range'),
    };
    await expect(submit({ connection }).factory.start([1])).rejects.toMatchObject(refused);
    await expect(start({ connection })).rejects.toMatchObject(refused);
  });

  it('says that a key prefix and a folder as the module are no use', async () => {
    const connection = { ...server.connection, keyPrefix: 'mine:' };
    const prefixed = { code: 'ERR_OPTION', message: expect.stringContaining('the option `prefix`') };
    await expect(submit({ connection }).factory.start([1])).rejects.toMatchObject(prefixed);
    await expect(start({ connection })).rejects.toMatchObject(prefixed);
    const folder = work(dirname(SPEC), { name, connection: server.connection });
    await expect(folder).rejects.toMatchObject({
      code: 'ERR_SPEC',
      message: expect.stringContaining('is a folder'),
    });
  });

  it('has workers in another folder load what it loaded itself by a relative path', async () => {
    const main = `const { work } = require('threadfactory/bullmq');
      work('./spec.cjs', { name: '${name}', connection: { url: process.env.REDIS_URL }, workers: 1, cwd: 'sub' });`;
    const folder = await project({
      'main.cjs': main,
      'hook.cjs': "globalThis.hooked = 'yes';",
      'spec.cjs': 'exports.manager = () => [1]; exports.workerProcess = () => globalThis.hooked;',
      'sub/x': '',
    });
    const fleet = Fleet.of(folder, server);
    onTestFinished(() => fleet.end());
    fleet.script('-r', './hook.cjs', 'main.cjs');
    const engine = bullmq({ name, connection: server.connection });
    const factory = new ThreadFactory(join(folder, 'spec.cjs'), { engine });
    expect((await factory.start()).results).toEqual(['yes']);
  });

  it('finds the module beside an ES module, in a folder of any name', async () => {
    const main = `import { work } from 'threadfactory/bullmq';
      work('./spec.cjs', { name: 'n', connection: { host: '127.0.0.1', port: 1 }, connectTimeout: 50 })
        .catch(({ code }) => console.log(code));`;
    const spec = 'exports.manager = () => []; exports.workerProcess = () => 1;';
    const folder = await project({ 'main.mjs': main, 'spec.cjs': spec }, 'a folder #1 %41');
    expect((await runIn(folder, 'main.mjs')).stdout).toBe('ERR_ENGINE_UNREACHABLE\n');
  });

  it('says that the password is wrong, and never says it', async () => {
    const locked = await RedisServer.start('--requirepass', 'sesame');
    onTestFinished(() => locked.stop());
    const wrong = { ...locked.connection, password: 'hunter2' };
    const refused = await submit({ connection: wrong })
      .factory.start([1])
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'ERR_ENGINE_AUTH' });
    expect(inspect(refused, { depth: 9, showHidden: true })).not.toContain('hunter2');
    await expect(start({ connection: locked.connection })).rejects.toMatchObject({ code: 'ERR_ENGINE_AUTH' });
    const right = { url: `redis://:sesame@127.0.0.1:${locked.port}` };
    await start({ connection: right });
    expect((await submit({ connection: right }).factory.start([4])).results).toEqual([8]);
  });

  it('works for a user who may do little and see no other keys', async () => {
    const rules = ['on', '>sesame', '~tf:*', '&*', '+@all', '-@dangerous', '+info'];
    expect(await server.ask('ACL', 'SETUSER', 'worker', ...rules)).toContain('OK');
    const connection = { ...server.connection, username: 'worker', password: 'sesame' };
    await start({ connection });
    expect((await submit({ connection }).factory.start([1, 2])).results).toEqual([2, 4]);
  });

  it('goes on when the server is back, though it has lost everything', async () => {
    const mortal = await RedisServer.start();
    onTestFinished(() => mortal.stop());
    const { connection } = mortal;
    await start({ connection });
    const { factory, warnings } = submit({ connection });
    let completed = 0;
    const some = new Promise<void>((resolve) => {
      factory.on('completed', () => {
        completed += 1;
        if (completed === 5) resolve();
      });
    });
    const list = Array.from({ length: 30 }, () => ({ do: 'wait', ms: 30 }));
    const run = factory.start(list);
    await some;
    await mortal.kill();
    await mortal.up();
    expect(await run).toMatchObject({ completed: 30, failed: 0 });
    expect(completed).toBe(30);
    expect(warnings).toEqual(expect.arrayContaining(['ERR_ENGINE_DOWN', 'ERR_ENGINE_RECOVERED']));
  });

  it('loses nothing when the server comes back with what it had', async () => {
    const durable = await RedisServer.start('--appendonly', 'yes', '--appendfsync', 'always');
    onTestFinished(() => durable.stop());
    const { connection } = durable;
    await start({ connection });
    const { factory, warnings } = submit({ connection });
    const first = new Promise<void>((resolve) => {
      factory.once('completed', () => resolve());
    });
    const run = factory.start(Array.from({ length: 20 }, () => ({ do: 'wait', ms: 30 })));
    await first;
    await durable.kill();
    await durable.up();
    expect(await run).toMatchObject({ completed: 20, failed: 0 });
    expect(warnings).not.toContain('ERR_ENGINE_DATA_LOST');
  });

  it('fails when the server stays away longer than it may, and ends', async () => {
    const mortal = await RedisServer.start();
    onTestFinished(() => mortal.stop());
    const { factory } = submit({ connection: mortal.connection, downTimeout: 200 });
    const run = factory.start([1]);
    run.catch(() => {});
    const down = new Promise<void>((resolve) => {
      factory.once('warning', () => resolve());
    });
    // Nobody works for it: so it is waiting when the server goes.
    await mortal.answers(':1', 'EXISTS', `tf:${name}-v1:wait`);
    await mortal.kill();
    await down;
    await expect(run).rejects.toMatchObject({ code: 'ERR_ENGINE_DOWN' });
  });

  it('fails without any machine where it is told how long to wait', async () => {
    const { factory } = submit({ noWorkersTimeout: 300 });
    await expect(factory.start([1])).rejects.toMatchObject({ code: 'ERR_ENGINE_NO_WORKERS' });
  });

  it('lets one manager at a time use a name', async () => {
    await start();
    const first = submit();
    const begun = new Promise<void>((resolve) => {
      first.factory.once('completed', () => resolve());
    });
    const run = first.factory.start([1, { do: 'wait', ms: 2_600 }]);
    await begun;
    await expect(submit().factory.start([1])).rejects.toMatchObject({ code: 'ERR_ENGINE_IN_USE' });
    expect(await run).toMatchObject({ completed: 2 });
  });

  it('runs nothing on a machine with another version of the module, which leaves', async () => {
    const folder = await project({
      'spec.cjs': 'exports.workerProcess = () => "stale"; exports.manager = (l) => l;',
    });
    const stale = await start({ machine: 'stale' }, join(folder, 'spec.cjs'));
    // There before the other leaves: a run whose machines have all left it fails.
    await start({ machine: 'fresh' });
    const { factory, warnings } = submit({}, { batchSize: 1 });
    const list = Array.from({ length: 20 }, () => ({ do: 'wait', ms: 30 }));
    const [{ completed, results }] = await Promise.all([
      factory.start(list),
      expect(stale.stopped).rejects.toMatchObject({ code: 'ERR_ENGINE_SPEC_MISMATCH' }),
    ]);
    expect(completed).toBe(20);
    expect(results).not.toContain('stale');
    expect(warnings).toContain('ERR_ENGINE_SPEC_MISMATCH');
  });

  it('fails with the error of a machine whose workers do not start, where nobody else is there', async () => {
    const broken =
      'exports.manager = (l) => l; exports.workerProcess = () => 1; exports.workerStartup = () => { throw new Error("no licence"); };';
    const folder = await project({ 'spec.cjs': broken });
    const path = join(folder, 'spec.cjs');
    const machine = await start({}, path);
    const engine = bullmq({ name, connection: server.connection, pollInterval: 100 });
    const factory = new ThreadFactory(path, { engine });
    await expect(factory.start([1])).rejects.toThrow(/no licence/);
    await expect(machine.stopped).rejects.toThrow('no licence');
  });

  it('kills what it runs of a run that was aborted', async () => {
    const lines: string[] = [];
    let gone = (): void => {};
    const aborted = new Promise<void>((resolve) => {
      gone = resolve;
    });
    const log = (line: string): void => {
      lines.push(line);
      if (/has gone .*aborted/.test(line)) gone();
    };
    await start({ log });
    const controller = new AbortController();
    const { factory } = submit({}, { signal: controller.signal, batchSize: 1 });
    factory.once('progress', () => controller.abort(new Error('enough')));
    const list = [{ do: 'progress', times: 1, ms: 60_000 }];
    await expect(factory.start(list)).rejects.toThrow('enough');
    await aborted;
    expect(lines.some((line) => line.includes('is ready'))).toBe(true);
  });

  it('gives back what it has not begun when it is told to stop', async () => {
    const first = await start({ machine: 'first' });
    const { factory, warnings } = submit({}, { batchSize: 20 });
    const retries: unknown[] = [];
    factory.on('retry', (error) => retries.push(error));
    const told = new Promise<void>((resolve) => {
      factory.once('progress', () => resolve());
    });
    const list = [
      { do: 'progress', times: 1 },
      ...Array.from({ length: 19 }, () => ({ do: 'wait', ms: 40 })),
    ];
    const run = factory.start(list);
    await told;
    await first.stop();
    await start({ machine: 'second' });
    expect(await run).toMatchObject({ completed: 20, failed: 0 });
    expect(retries).toEqual([]);
    expect(warnings).not.toContain('ERR_ENGINE_STALLED');
  });

  it('kills what does not end within its grace, and lets others run it', async () => {
    const first = await start({ machine: 'first', grace: 100 });
    const { factory, warnings } = submit();
    const told = new Promise<void>((resolve) => {
      factory.once('progress', () => resolve());
    });
    const run = factory.start([{ do: 'hold', ms: 60_000, on: 'first' }]);
    await told;
    await first.stop();
    await start({ machine: 'second' });
    expect((await run).results).toEqual(['second']);
    expect(warnings).not.toContain('ERR_ENGINE_STALLED');
  });

  it('refuses what somebody else puts into the queue, and works on', async () => {
    await start({ secret: 'ours' });
    const forged = new VERSIONS[6].Queue(`${name}-v1`, { connection: server.connection, prefix: 'tf' });
    onTestFinished(() => forged.close());
    const events = new VERSIONS[6].QueueEvents(`${name}-v1`, { connection: server.connection, prefix: 'tf' });
    onTestFinished(() => events.close());
    await events.waitUntilReady();
    const job = await forged.add('chunk', { module: '/bin/sh' }, { jobId: 'evil-1' });
    await expect(job.waitUntilFinished(events)).rejects.toThrow('ERR_ENGINE_ENVELOPE');
    expect((await submit({ secret: 'ours' }).factory.start([5])).results).toEqual([10]);
  });

  it('keeps the secrets of the server from the workers', async () => {
    process.env.REDIS_URL = server.url;
    process.env.OF_THE_JOB = 'stays';
    onTestFinished(() => {
      delete process.env.REDIS_URL;
      delete process.env.OF_THE_JOB;
    });
    await start({ connection: undefined, machine: 'm1' });
    const asked = { do: 'env', names: ['REDIS_URL', 'OF_THE_JOB'] };
    const { results } = await submit().factory.start([asked, { do: 'where' }]);
    expect(results).toEqual([['OF_THE_JOB'], 'm1']);
  });

  it('works by the command line until it is told to stop', async () => {
    const fleet = await Fleet.in(server);
    onTestFinished(() => fleet.end());
    const machine = fleet.command(
      SPEC,
      '--name',
      name,
      '--workers',
      '1',
      '--machine',
      'cli',
      '--grace',
      '5s',
    );
    await machine.says('works for');
    expect((await submit().factory.start([4, { do: 'where' }])).results).toEqual([8, 'cli']);
    machine.child.kill('SIGTERM');
    await machine.ended();
    expect(machine.child.exitCode).toBe(0);
  });

  it('fails only the job that takes machines along', async () => {
    const fleet = await Fleet.in(server);
    onTestFinished(() => fleet.end());
    const script = `const { work } = require('threadfactory/bullmq');
      work(${JSON.stringify(SPEC)}, { name: ${JSON.stringify(name)}, workers: 1, maxStalledCount: 0, lockDuration: 1000, stalledInterval: 300 })
        .then((m) => { console.log('works'); return m.stopped; });`;
    await writeFile(join(fleet.folder, 'poisoned.cjs'), script);
    const { factory, warnings } = submit({}, { batchSize: 4 });
    factory.on('error', () => {});
    const run = factory.start([1, 2, { do: 'kill-machine' }, 4]);
    let isOver = false;
    run.finally(() => {
      isOver = true;
    });
    let lives = 0;
    while (!isOver && lives < 6) {
      const machine = fleet.script('poisoned.cjs');
      await machine.says('works');
      lives += 1;
      await Promise.race([machine.ended(), run]);
    }
    const { results, failures } = await run;
    expect(results).toEqual([2, 4, undefined, 8]);
    expect(failures).toMatchObject([{ index: 2, error: { code: 'ERR_ENGINE_WORKER_LOST' } }]);
    expect(lives).toBeLessThanOrEqual(4);
    expect(warnings).not.toContain('ERR_ENGINE_DATA_LOST');
  });
});
