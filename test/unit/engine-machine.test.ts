import { describe, expect, it } from 'vitest';
import { writeEnvelope } from '../../src/engines/envelope.js';
import { Machine } from '../../src/engines/machine.js';
import { readOutcome } from '../../src/engines/outcome.js';
import { errorToWire } from '../../src/error-wire.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { encode, FakeChild } from '../helpers/fake-worker.js';

/** A machine whose workers do what the test wants. */
function made(workers: number) {
  const clock = new FakeClock();
  const children: FakeChild[] = [];
  const broken: string[] = [];
  const machine = new Machine(
    {
      name: 'm1',
      clock,
      module: 'spec.js',
      spec: 'hash',
      secret: undefined,
      workers,
      concurrency: 1,
      startupTimeout: 1_000,
      shutdownTimeout: 1_000,
      maxJobsPerWorker: undefined,
      spawner: () => (events) => {
        const child = new FakeChild(events, 100 + children.length);
        children.push(child);
        return child;
      },
    },
    { broken: ({ message }) => broken.push(message), ready: () => {}, exit: () => {} },
  );
  const run = (id: string, jobs: readonly unknown[], tell = (_: unknown): void => {}) => {
    const head = { run: id.slice(0, 2), chunk: id, spec: 'hash', timeout: undefined };
    const texts = jobs.map((job) => JSON.stringify(job));
    return machine.run(id, writeEnvelope(head, { first: 0, texts }, undefined), tell);
  };
  const soon = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.flush();
    }
  };
  /** A worker has started. */
  const up = async (number: number, finishes = false): Promise<void> => {
    await soon();
    children[number]?.getReady(finishes);
    await soon();
  };
  return { clock, children, broken, machine, run, soon, up };
}

describe('a machine', () => {
  it('gives no number to a second worker before the first one with it has gone', async () => {
    const { children, machine, run, soon, up } = made(1);
    const dropped = run('r1.c1', [1]);
    const isRefused = expect(dropped).rejects.toThrow('ERR_ENGINE_CANCELLED m1 the run was aborted');
    await up(0);
    machine.cancel('r1');
    await isRefused;
    const next = run('r2.c1', [2]);
    await soon();
    expect(children.map(({ name, gone }) => [name, gone])).toEqual([[1, false]]);
    children[0]?.exit();
    await up(1);
    children[1]?.complete();
    expect(readOutcome(await next, { chunk: 'r2.c1', count: 1, secret: undefined }).values).toEqual([2]);
    expect(children.map(({ name, gone }) => [name, gone])).toEqual([
      [1, true],
      [1, false],
    ]);
    const stopped = machine.stop(0);
    await soon();
    children[1]?.exit();
    await stopped;
  });

  it('has not stopped while a worker of a dropped run lives', async () => {
    const { children, machine, run, soon, up } = made(1);
    const dropped = run('r1.c1', [1]);
    const isRefused = expect(dropped).rejects.toThrow('ERR_ENGINE_CANCELLED');
    await up(0);
    machine.cancel('r1');
    await isRefused;
    let hasStopped = false;
    const stopped = machine.stop(0).then(() => {
      hasStopped = true;
    });
    await soon();
    expect(hasStopped).toBe(false);
    children[0]?.exit();
    await stopped;
  });

  it.each([
    ['throws', { type: 'fatal' as const, phase: 'finish' as const }],
    ['leaves something that throws', { type: 'uncaught' as const, running: [], finishing: true }],
    ['is killed over', undefined],
  ])('has to say what workerFinish %s', async (_, said) => {
    const { children, broken, machine, run, soon, up } = made(1);
    const done = run('r1.c1', [1]);
    await up(0, true);
    children[0]?.complete();
    await done;
    const stopped = machine.stop(1_000);
    await soon();
    if (said === undefined) children[0]?.exit({ signal: 'SIGKILL' });
    else {
      children[0]?.say({ ...said, error: errorToWire(new Error('flush failed')) });
      children[0]?.exit({ code: said.type === 'fatal' ? 0 : 1 });
    }
    await stopped;
    expect(broken).toEqual([expect.stringContaining(said === undefined ? 'SIGKILL' : 'flush failed')]);
  });

  it('tells of progress who it came from', async () => {
    const { clock, children, machine, run, soon, up } = made(1);
    const told: unknown[] = [];
    const done = run('r1.c1', ['a'], (progress) => told.push(progress));
    await up(0);
    children[0]?.say({ type: 'progress', index: 0, data: encode(['half']) });
    clock.advance(200);
    expect(told).toEqual([[[0, 0, 'half', 1]]]);
    children[0]?.complete();
    await done;
    const stopped = machine.stop(0);
    await soon();
    children[0]?.exit();
    await stopped;
  });
});
