import { afterEach, describe, expect, it, vi } from 'vitest';
import { ChunkSizer } from '../../src/engines/chunk-sizer.js';
import type { Envelope } from '../../src/engines/envelope.js';
import { MAX_JOBS, MAX_OUTCOME } from '../../src/engines/limits.js';
import { OpenChunk } from '../../src/engines/open-chunk.js';
import { readOutcome } from '../../src/engines/outcome.js';
import { Pulse } from '../../src/engines/pulse.js';
import { Traffic } from '../../src/engines/traffic.js';
import { Trouble } from '../../src/engines/trouble.js';
import { Watch } from '../../src/engines/watch.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { MemoryBackend } from '../helpers/memory-backend.js';

/** The parts of the engine, each with a clock that stands still. */

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

describe('a chunk that a machine runs', () => {
  const chunk = (count: number): OpenChunk =>
    new OpenChunk('c', 'r1', { first: 0, jobs: Array.from({ length: count }, (_, n) => n) });
  const failing = (index: number, error: Error) => ({
    ...{ index, job: index, id: 1, attempts: 1, startedAt: 1, duration: 1 },
    error,
  });
  const read = (open: OpenChunk, count: number) => {
    const sealed = open.close('m', undefined);
    expect(sealed.body.length).toBeLessThan(MAX_OUTCOME);
    return readOutcome(sealed, { chunk: 'c', count, secret: undefined });
  };

  it('reports as many failures as a report can hold; the others run again', () => {
    const open = chunk(1_000);
    for (let at = 0; at < 1_000; at += 1) {
      const error = Object.assign(new Error('no'), { stack: 's'.repeat(16_000) });
      open.settle(at, failing(at, error), () => true);
    }
    const { failed = [], again = [] } = read(open, 1_000);
    expect(failed.length).toBeGreaterThan(200);
    expect(failed.length + again.length).toBe(1_000);
  });

  it('bounds one error, whatever hangs on it', () => {
    const open = chunk(1);
    const inner = (): Error[] =>
      Array.from({ length: 32 }, () => Object.assign(new Error('i'), { stack: 's'.repeat(16_000) }));
    const outer = new AggregateError(
      inner().map(() => new AggregateError(inner(), 'middle')),
      'outer',
    );
    open.settle(0, failing(0, Object.assign(outer, { code: 'E_MANY' })), () => true);
    const { failed = [] } = read(open, 1);
    expect(failed).toMatchObject([
      [0, 'threw', { message: 'outer', fields: [['code', { value: 'E_MANY' }]] }],
    ]);
  });

  it('fails a job whose progress is too large, as one whose result is', () => {
    const open = chunk(2);
    expect(open.note(0, 'x'.repeat(2_000_000), 1)).toBe(false);
    const completed = { job: 0, id: 1, attempt: 1, startedAt: 1, duration: 1, done: 0, total: undefined };
    open.settle(0, { ...completed, index: 0, result: 'r' }, () => false);
    open.settle(1, { ...completed, index: 1, result: 'x'.repeat(2_000_000) }, () => false);
    const codes = (read(open, 2).failed ?? []).map(([at, kind, error]) => [
      at,
      kind,
      (error as { fields: [string, { value: unknown }][] }).fields.find(([key]) => key === 'code')?.[1].value,
    ]);
    expect(codes).toEqual([
      [0, 'refused', 'ERR_ENGINE_PAYLOAD_TOO_LARGE'],
      [1, 'refused', 'ERR_ENGINE_PAYLOAD_TOO_LARGE'],
    ]);
  });

  it('keeps the latest progress, within limits', () => {
    const open = chunk(1);
    for (let n = 0; n < 3_000; n += 1) open.note(0, n, 1);
    expect(open.progressFrom(0)).toHaveLength(1_000);
    expect(open.progressFrom(2_998)).toEqual([
      [2_998, 0, 2_998, 1],
      [2_999, 0, 2_999, 1],
    ]);
    for (let n = 0; n < 20; n += 1) open.note(0, 'x'.repeat(500_000), 1);
    expect(read(open, 1).progress).toHaveLength(2);
  });
});

describe('traffic', () => {
  it('ends, and leaves no timer, though the server never takes what is to be removed', async () => {
    const clock = new FakeClock();
    const backend = new MemoryBackend();
    backend.remove = async () => {
      throw new Error('Connection is closed.');
    };
    const traffic = new Traffic(backend, clock, { wants: () => true, taken() {}, refused() {} });
    traffic.remove('c1');
    const closed = traffic.close(1_000);
    await settled();
    clock.advance(1_000);
    await closed;
    expect(clock.pending).toBe(0);
  });

  it('sends what is large in several calls', async () => {
    const backend = new MemoryBackend();
    const sent: number[] = [];
    backend.submit = async (chunks) => {
      sent.push(chunks.length);
    };
    const clock = new FakeClock();
    const traffic = new Traffic(backend, clock, { wants: () => true, taken() {}, refused() {} });
    for (const size of [700_000, 300_000, 2_000_000, 1, 1]) {
      traffic.submit({ chunk: 'c', body: 'x'.repeat(size) } as Envelope);
    }
    clock.flush();
    for (let turn = 0; turn < 3; turn += 1) await settled();
    expect(sent).toEqual([2, 1, 2]);
  });

  it('sends nothing again that was refused, once the run has ended early', async () => {
    const clock = new FakeClock();
    const backend = new MemoryBackend();
    backend.refusals.push(new Error('OOM command not allowed'));
    const traffic = new Traffic(backend, clock, { wants: () => true, taken() {}, refused() {} });
    traffic.submit({ chunk: 'c1', body: '' } as Envelope);
    clock.flush();
    traffic.leave();
    for (let turn = 0; turn < 50; turn += 1) {
      await settled();
      clock.advance(100);
    }
    expect([backend.calls, backend.entries.size]).toEqual([['submit 1'], 0]);
  });
});

describe('the size of a chunk', () => {
  it('is never more than a machine takes, also where it is fixed', () => {
    expect([new ChunkSizer(20_000).size(50_000), new ChunkSizer(7).size(50_000)]).toEqual([MAX_JOBS, 7]);
  });

  it('is at most what has fitted into a report, also where it is fixed, and grows again with care', () => {
    for (const sizer of [new ChunkSizer(1_000), new ChunkSizer('auto')]) {
      sizer.observe(1_000, 1, 0);
      expect(sizer.size(1e9)).toBeGreaterThanOrEqual(1_000);
      sizer.observe(40, 1, 960);
      expect(sizer.size(1e9)).toBe(40);
      sizer.observe(40, 1, 0);
      expect(sizer.size(1e9)).toBe(42);
      sizer.observe(5, 1, 0);
      expect(sizer.size(1e9)).toBe(42);
      for (let turn = 0; turn < 200; turn += 1) sizer.observe(sizer.size(1e9), 1, 0);
      expect(sizer.size(1e9)).toBeGreaterThanOrEqual(1_000);
    }
  });
});

describe('trouble', () => {
  const made = () => {
    const told: unknown[] = [];
    const code = (error: unknown): unknown => (error as { code?: unknown }).code;
    const trouble = new Trouble(
      { warning: (e) => told.push(code(e)), failed: (e) => told.push(['failed', code(e)]) },
      () => 0,
    );
    return { told, trouble };
  };
  const reply = (message: string): Error => Object.assign(new Error(message), { name: 'ReplyError' });

  it('fails a run once', () => {
    const { told, trouble } = made();
    for (let turn = 0; turn < 3; turn += 1) trouble.refused(reply('NOPERM no'));
    expect(told).toEqual([['failed', 'ERR_ENGINE_REFUSED']]);
  });

  it('says what the server refuses for a reason that may pass, once in a while, and not with what was sent', () => {
    const { told, trouble } = made();
    const error = Object.assign(reply('BUSY Redis is busy'), { command: { args: ['a job'] } });
    expect([trouble.refused(error), trouble.refused(error)]).toEqual([false, false]);
    expect(trouble.refused(reply('OOM command not allowed'))).toBe(true);
    expect(trouble.refused(new Error('Connection is closed.'))).toBe(false);
    expect(told).toEqual(['ERR_ENGINE_REFUSED', 'ERR_ENGINE_FULL']);
  });

  it('fails a run whose every machine refuses its chunks, and none that another one works for', () => {
    const refuse = (trouble: Trouble): void =>
      trouble.met(trouble.errorOf('ERR_ENGINE_ENVELOPE a it was not signed'));
    const alone = made();
    alone.trouble.fleet({ machines: new Set('a'), slots: 1 });
    for (let turn = 0; turn < 3; turn += 1) refuse(alone.trouble);
    expect(alone.told).toEqual(['ERR_ENGINE_ENVELOPE', ['failed', 'ERR_ENGINE_ENVELOPE']]);
    const one = made();
    one.trouble.fleet({ machines: new Set('ab'), slots: 2 });
    for (let turn = 0; turn < 100; turn += 1) refuse(one.trouble);
    // Once in a while.
    expect(one.told).toEqual(['ERR_ENGINE_ENVELOPE']);
  });

  it('takes reports that name nobody for those of one machine', () => {
    const nobody = (): Error => Object.assign(new Error('no report'), { code: 'ERR_ENGINE_ENVELOPE' });
    const alone = made();
    alone.trouble.fleet({ machines: new Set('a'), slots: 1 });
    const two = made();
    two.trouble.fleet({ machines: new Set('ab'), slots: 2 });
    for (let turn = 0; turn < 3; turn += 1) for (const { trouble } of [alone, two]) trouble.met(nobody());
    expect([alone.told.at(-1), two.told]).toEqual([
      ['failed', 'ERR_ENGINE_ENVELOPE'],
      ['ERR_ENGINE_ENVELOPE'],
    ]);
  });

  it('does not count machines that leave as bad ones', () => {
    const { told, trouble } = made();
    for (const machine of ['a', 'b', 'c', 'd'])
      trouble.met(trouble.errorOf(`ERR_ENGINE_CANCELLED ${machine} this machine is stopping`));
    expect(told).toEqual(['ERR_ENGINE_CANCELLED']);
  });
});

describe('the watch', () => {
  afterEach(() => vi.restoreAllMocks());

  it('says after five seconds that no machine is there, once, and fails after the time that was set', async () => {
    const clock = new FakeClock();
    const told: unknown[] = [];
    const chunk = { id: 'c1', parcel: { first: 0, jobs: [1] }, takenAt: undefined, told: 0 };
    const watch = new Watch(
      new MemoryBackend(),
      clock,
      { poll: 500, noWorkersTimeout: 8_000 },
      {
        outstanding: () => [chunk],
        finished() {},
        lost() {},
        fleet() {},
        noWorkers: (error, isFatal) => told.push([(error as { code?: unknown }).code, isFatal, clock.now()]),
        mayLeave: () => [],
        left() {},
        refused() {},
        answered() {},
      },
    );
    while (!told.some((entry) => (entry as unknown[])[1] === true)) {
      clock.advance(500);
      await settled();
    }
    watch.close();
    expect(told).toEqual([
      ['ERR_ENGINE_NO_WORKERS', false, 5_500],
      ['ERR_ENGINE_NO_WORKERS', true, 8_500],
    ]);
  });
});

describe('a pulse', () => {
  const made = (answers: boolean) => {
    const clock = new FakeClock();
    const told: string[] = [];
    const ask = (): Promise<unknown> => {
      told.push('asked');
      return answers ? Promise.resolve() : new Promise(() => {});
    };
    return { clock, told, pulse: new Pulse(clock, 1_000, ask, () => told.push('silent')) };
  };

  it('asks again and again while there are answers', async () => {
    const { clock, told, pulse } = made(true);
    pulse.heard();
    for (let turn = 0; turn < 3; turn += 1) {
      clock.advance(500);
      await settled();
    }
    pulse.stop();
    clock.advance(5_000);
    expect(told).toEqual(['asked', 'asked', 'asked']);
    expect(clock.pending).toBe(0);
  });

  it('finds out that there is no answer, and after a connection no word', async () => {
    const { clock, told, pulse } = made(false);
    pulse.heard();
    clock.advance(1_499);
    expect(told).toEqual(['asked']);
    clock.advance(1);
    expect(told).toEqual(['asked', 'silent']);
    pulse.due();
    clock.advance(1_000);
    expect(told).toEqual(['asked', 'silent', 'silent']);
  });
});
