import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock.js';
import type { EngineEvents } from '../../src/engine.js';
import { Dispatcher } from '../../src/engines/dispatcher.js';
import { readEnvelope } from '../../src/engines/envelope.js';
import { createSource } from '../../src/manager/source.js';
import type { Settlement } from '../../src/manager/tally.js';
import { isFailed } from '../../src/manager/tally.js';
import { resolveOptions } from '../../src/options.js';
import { FakeClock } from '../helpers/fake-clock.js';
import type { MemoryWorker } from '../helpers/memory-backend.js';
import { MemoryBackend } from '../helpers/memory-backend.js';

/** The submitting side on a queue in memory, where everything that can go wrong with one can be made to. */

interface Told {
  readonly settled: Settlement[];
  readonly warnings: string[];
  readonly failures: string[];
  readonly retries: unknown[];
  readonly progress: unknown[];
  /** Of the workers that told of progress. */
  readonly ids: number[];
}

const backends: MemoryBackend[] = [];
afterEach(() => {
  for (const backend of backends.splice(0)) backend.closed = true;
});

/** Doubles numbers, as a machine would report it. */
function doubling(seen: (index: number, id: string) => void = () => {}): MemoryWorker {
  return {
    async run(id, data) {
      const { jobs } = readEnvelope(data, id, undefined);
      const indices = jobs.jobs.map((_, at) => jobs.indices?.[at] ?? jobs.first + at);
      for (const index of indices) seen(index, id);
      return report(jobs.jobs.map((job) => (job as number) * 2));
    },
  };
}

/** An outcome with these results. */
function report(values: readonly unknown[], more: object = {}): { body: string } {
  const zeros = values.map(() => 0);
  const ids = values.map(() => 1);
  return {
    body: JSON.stringify({
      machine: 'm',
      values,
      ids,
      startedAt: 1,
      starts: zeros,
      durations: zeros,
      ...more,
    }),
  };
}

function begin(
  backend: MemoryBackend,
  list: readonly unknown[],
  options: object = {},
  {
    settled = () => true,
    noWorkersTimeout,
    clock = systemClock,
  }: {
    settled?: (settlements: readonly Settlement[]) => boolean;
    noWorkersTimeout?: number;
    clock?: Clock;
  } = {},
): { told: Told; over: Promise<void>; run: Dispatcher } {
  backends.push(backend);
  const told: Told = { settled: [], warnings: [], failures: [], retries: [], progress: [], ids: [] };
  let end = (): void => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  const code = (error: unknown): string => String((error as { code?: unknown }).code);
  const events: EngineEvents = {
    wants: () => true,
    settled: (settlements) => {
      told.settled.push(...settlements);
      return settled(settlements);
    },
    retry: (error, { index, attempt }) => told.retries.push([(error as Error).message, index, attempt]),
    progress: ({ index, id, data }) => {
      told.progress.push([index, data]);
      told.ids.push(id);
    },
    crashed: () => {},
    ready: () => {},
    exit: () => {},
    warning: (error) => told.warnings.push(code(error)),
    failed: (error) => {
      told.failures.push(code(error));
      run.halt('stopped');
    },
    over: () => end(),
  };
  const source = createSource([...list], { available: () => run.pace.poke(), failed: () => {} }, 1);
  const run: Dispatcher = new Dispatcher(
    {
      backend,
      clock,
      options: resolveOptions(options),
      head: { run: 'r1', spec: 'hash', timeout: undefined },
      prefix: `r1.s${backends.length}`,
      secret: undefined,
      leftovers: backend.leftovers,
      times: { poll: 20, noWorkersTimeout },
    },
    { source, admit: undefined },
    events,
  );
  void backend.open({
    finished: (id, finished) => run.finished(id, finished),
    progress: (id, data) => run.progress(id, data),
    down: () => {},
    up: () => {},
    warning: () => {},
    dispossessed: () => {},
  });
  run.begin();
  return { told, over, run };
}

/** What the next manager finds of a queue whose manager has died. */
function heirOf(first: MemoryBackend): MemoryBackend {
  const heir = new MemoryBackend();
  for (const entry of first.entries.values()) {
    heir.entries.set(entry.id, { ...entry });
    heir.leftovers.push({ id: entry.id, data: entry.data });
  }
  return heir;
}

const ids = (told: Told): number[] => told.settled.map(({ index }) => index).sort((a, b) => a - b);
const row = (length: number): number[] => Array.from({ length }, (_, n) => n);

describe('the submitting side', () => {
  it('settles every job once and leaves nothing in the queue', async () => {
    const backend = new MemoryBackend();
    backend.connect(doubling(), 3);
    const { told, over } = begin(backend, row(500));
    await over;
    expect(ids(told)).toEqual(row(500));
    expect(backend.entries.size).toBe(0);
    expect(backend.closed).toBe(true);
  });

  it('finds what has finished where no event tells of it', async () => {
    const backend = new MemoryBackend();
    backend.hinting = false;
    backend.connect(doubling(), 3);
    const { told, over } = begin(backend, row(60));
    await over;
    expect(ids(told)).toEqual(row(60));
  });

  it('settles once what is told twice', async () => {
    const backend = new MemoryBackend();
    backend.connect(doubling(), 2);
    const finish = backend.finish.bind(backend);
    backend.finish = (id, finished) => {
      finish(id, finished);
      finish(id, finished);
    };
    const { told, over } = begin(backend, row(40));
    await over;
    expect(ids(told)).toEqual(row(40));
  });

  it('submits again what the server has lost, and says so', async () => {
    const backend = new MemoryBackend();
    const { told, over } = begin(backend, row(10));
    await backend.holds(10);
    backend.entries.clear();
    backend.connect(doubling(), 2);
    await over;
    expect(ids(told)).toEqual(row(10));
    expect(told.warnings).toContain('ERR_ENGINE_DATA_LOST');
  });

  it('takes back what waits in a server that is full, so that it can be worked there', async () => {
    const backend = new MemoryBackend();
    const submit = backend.submit.bind(backend);
    let isFull = true;
    // The first of those that are sent together get in.
    backend.submit = async (chunks) => {
      await submit(isFull ? chunks.slice(0, 5) : chunks);
      if (isFull && backend.entries.size > 2) throw new Error('OOM command not allowed');
    };
    const { told, over } = begin(backend, row(12));
    await backend.holds(5);
    while (backend.entries.size > 2) await new Promise((resolve) => setImmediate(resolve));
    isFull = false;
    backend.connect(doubling(), 1);
    await over;
    expect(ids(told)).toEqual(row(12));
    expect([told.warnings, backend.entries.size]).toEqual([['ERR_ENGINE_FULL'], 0]);
  });

  it('keeps the results of what ends just as the run is stopped', async () => {
    const backend = new MemoryBackend();
    backend.hinting = false;
    const survey = backend.survey.bind(backend);
    // Each chunk ends after a look at the queue, and before what is found there is acted on.
    backend.survey = async () => {
      const seen = await survey();
      for (const { id, data, state } of backend.entries.values()) {
        if (state !== 'active') continue;
        backend.finish(id, { state: 'completed', outcome: await doubling().run(id, data, () => {}) });
      }
      return seen;
    };
    backend.connect({ run: () => new Promise(() => {}) }, 3);
    const { told, over, run } = begin(backend, row(10));
    await backend.holds(10);
    run.halt('stopped');
    await over;
    expect([ids(told), backend.entries.size]).toEqual([row(3), 0]);
  });

  it.each(['came', 'was lost'])(
    'leaves nothing in the queue of what was on its way there when the run was stopped, whose answer %s',
    async (answer) => {
      const backend = new MemoryBackend();
      let looked = (): void => {};
      const hasLooked = new Promise<void>((resolve) => {
        looked = resolve;
      });
      const survey = backend.survey.bind(backend);
      backend.survey = async () => {
        setImmediate(looked);
        return await survey();
      };
      const submit = backend.submit.bind(backend);
      backend.submit = async (chunks) => {
        await hasLooked;
        await submit(chunks);
        if (answer === 'was lost') throw new Error('Connection is closed.');
      };
      const { told, over, run } = begin(backend, row(10));
      await new Promise((resolve) => setImmediate(resolve));
      run.halt('stopped');
      await over;
      expect([told.settled, backend.calls.includes('submit 10'), backend.entries.size]).toEqual([
        [],
        true,
        0,
      ]);
    },
  );

  it('runs no job twice where the answer to a submission is lost', async () => {
    const backend = new MemoryBackend();
    const ran: number[] = [];
    const worker = doubling((index) => ran.push(index));
    let sentAgain = (): void => {};
    const isSentAgain = new Promise<void>((resolve) => {
      sentAgain = resolve;
    });
    const submit = backend.submit.bind(backend);
    let calls = 0;
    backend.submit = async (chunks) => {
      calls += 1;
      await submit(chunks);
      if (calls > 1) return sentAgain();
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('Connection is closed.');
    };
    // The last one runs until then, and the run with it.
    const run: MemoryWorker['run'] = async (id, data, tell) => {
      if (readEnvelope(data, id, undefined).jobs.first === 9) await isSentAgain;
      return await worker.run(id, data, tell);
    };
    backend.connect({ run }, 2);
    const { told, over } = begin(backend, row(10));
    await over;
    expect([ids(told), ran.sort((a, b) => a - b), backend.entries.size]).toEqual([row(10), row(10), 0]);
  });

  it('takes back what waits in a server that has become full, and says no word of lost data', async () => {
    const backend = new MemoryBackend();
    const { told, over } = begin(backend, row(40));
    await backend.holds(16);
    backend.refusal = new Error("OOM command not allowed when used memory > 'maxmemory'.");
    while (backend.entries.size > 1) await new Promise((resolve) => setImmediate(resolve));
    backend.refusal = undefined;
    backend.connect(doubling(), 2);
    await over;
    expect(ids(told)).toEqual(row(40));
    expect([told.warnings, backend.entries.size]).toEqual([['ERR_ENGINE_FULL'], 0]);
  });

  it('ends a stop within seconds, though the server refuses all that it is asked', async () => {
    const clock = new FakeClock();
    const backend = new MemoryBackend();
    const { told, over, run } = begin(backend, row(3), {}, { clock });
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    clock.flush();
    await turn();
    backend.survey = async () => {
      throw Object.assign(new Error('ERR something is wrong'), { name: 'ReplyError' });
    };
    run.halt('stopped');
    let isOver = false;
    void over.then(() => {
      isOver = true;
    });
    for (let count = 0; !isOver && count < 200; count += 1) {
      clock.advance(100);
      await turn();
    }
    expect([isOver, told.settled, told.warnings, clock.pending]).toEqual([
      true,
      [],
      ['ERR_ENGINE_REFUSED'],
      0,
    ]);
  });

  it.each(['stopped', 'aborted'] as const)(
    'leaves nothing for machines to begin where a run is %s that has not come to all of an earlier one',
    async (reason) => {
      const first = new MemoryBackend();
      const early = begin(first, row(6), { batchSize: 3 });
      await first.holds(2);
      const second = heirOf(first);
      const { over, run } = begin(second, []);
      run.halt(reason);
      await over;
      expect(second.entries.size).toBe(0);
      early.run.halt('aborted');
    },
  );

  it('bounds how many chunks are on their way, though each job fills one', async () => {
    const backend = new MemoryBackend();
    const { over, run } = begin(
      backend,
      Array.from({ length: 40 }, () => 'x'.repeat(200_000)),
      { batchSize: 40 },
    );
    await backend.holds(16);
    expect(backend.entries.size).toBe(16);
    run.halt('aborted');
    await over;
  });

  it('waits and goes on where the server is full', async () => {
    const backend = new MemoryBackend();
    backend.refusals.push(new Error("OOM command not allowed when used memory > 'maxmemory'."));
    backend.connect(doubling(), 2);
    const { told, over } = begin(backend, row(10));
    await over;
    expect(ids(told)).toEqual(row(10));
    expect(told.warnings).toEqual(['ERR_ENGINE_FULL']);
  });

  it('ends where the server refuses the user a command', async () => {
    const backend = new MemoryBackend();
    backend.refusals.push(new Error('NOPERM this user has no permissions'));
    const { told, over } = begin(backend, row(3));
    await over;
    expect(told.failures).toEqual(['ERR_ENGINE_REFUSED']);
    expect(told.settled).toEqual([]);
  });

  it('removes a chunk only after its jobs were recorded, and keeps it where they could not be', async () => {
    const backend = new MemoryBackend();
    backend.connect(doubling(), 1);
    let present: boolean | undefined;
    const settled = (): boolean => {
      present = [...backend.entries.values()].some(({ state }) => state === 'finished');
      run.halt('stopped');
      return false;
    };
    const { over, run } = begin(backend, [1], {}, { settled });
    await over;
    expect(present).toBe(true);
    expect([...backend.entries.values()].map(({ state }) => state)).toEqual(['finished']);
  });

  it('splits a chunk that took its machines along, so that only the culprit fails', async () => {
    const backend = new MemoryBackend();
    const poison = 7;
    const worker = doubling();
    backend.connect(
      {
        run: async (id, data, tell) => {
          const { jobs } = readEnvelope(data, id, undefined);
          if (!jobs.jobs.includes(poison)) return await worker.run(id, data, tell);
          backend.finish(id, {
            state: 'failed',
            reason: 'job stalled more than allowable limit',
            stalled: true,
          });
          return await new Promise(() => {});
        },
      },
      50,
    );
    const { told, over } = begin(backend, row(20), { batchSize: 10 });
    await over;
    expect(ids(told)).toEqual(row(20));
    const failed = told.settled.filter(isFailed);
    expect(failed.map(({ index }) => index)).toEqual([poison]);
    expect(failed[0]?.error).toMatchObject({ code: 'ERR_ENGINE_WORKER_LOST' });
  });

  it('runs elsewhere what one machine refuses, and says so', async () => {
    const backend = new MemoryBackend();
    let refusals = 0;
    const good = doubling();
    backend.connect(
      {
        run: async (id, data, tell) => {
          refusals += 1;
          if (refusals === 1) throw new Error('ERR_ENGINE_SPEC_MISMATCH m1 another version');
          return await good.run(id, data, tell);
        },
      },
      1,
    );
    const { told, over } = begin(backend, row(5));
    await over;
    expect(ids(told)).toEqual(row(5));
    expect(told.warnings).toEqual(['ERR_ENGINE_SPEC_MISMATCH']);
  });

  it('fails where all machines that are there refuse', async () => {
    const backend = new MemoryBackend();
    for (const name of ['m1', 'm2']) {
      const refuse = async (): Promise<never> => {
        throw new Error(`ERR_WORKER_START ${name} no worker could start`);
      };
      backend.connect({ run: refuse }, 1, name);
    }
    const { told, over } = begin(backend, row(5));
    await over;
    expect(told.failures[0]).toBe('ERR_WORKER_START');
    expect(told.settled).toEqual([]);
  });

  it('goes on where a bad machine comes back again and again under other names, and another one works', async () => {
    const backend = new MemoryBackend();
    const good = doubling();
    let release = (): void => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow: MemoryWorker['run'] = async (...args) => {
      await released;
      return await good.run(...args);
    };
    backend.connect({ run: slow }, 1, 'good');
    let restarts = 0;
    const restart = (): void => {
      restarts += 1;
      const name = `bad-${restarts}`;
      const leave = backend.connect(
        {
          run: async () => {
            await undefined;
            leave();
            if (restarts < 5) restart();
            else release();
            throw new Error(`ERR_WORKER_START ${name} no worker could start`);
          },
        },
        1,
        name,
      );
    };
    const { told, over } = begin(backend, row(5));
    await backend.holds(1);
    restart();
    await over;
    expect([ids(told), told.failures, restarts]).toEqual([row(5), [], 5]);
  });

  it('settles nothing by a report that can not be one, and fails where nobody else is there', async () => {
    const backend = new MemoryBackend();
    backend.connect({ run: async () => report([1, 2, 3], { again: [0, 0] }) }, 1);
    const { told, over } = begin(backend, [1]);
    await over;
    expect(told.settled).toEqual([]);
    expect(new Set(told.warnings)).toEqual(new Set(['ERR_ENGINE_ENVELOPE']));
    expect(told.failures[0]).toBe('ERR_ENGINE_ENVELOPE');
  });

  it('fails without any machine where a limit says so', async () => {
    const { told, over } = begin(new MemoryBackend(), [1], {}, { noWorkersTimeout: 40 });
    await over;
    expect(told.failures[0]).toBe('ERR_ENGINE_NO_WORKERS');
  });

  it('takes back on a stop what no machine has begun', async () => {
    const backend = new MemoryBackend();
    const { told, over, run } = begin(backend, row(30));
    run.halt('stopped');
    await over;
    expect(told.settled).toEqual([]);
    expect(backend.entries.size).toBe(0);
  });

  it('waits on a stop for a server that is away, but not for long', async () => {
    const clock = new FakeClock();
    const backend = new MemoryBackend();
    const never = (): Promise<never> => new Promise(() => {});
    Object.assign(backend, { submit: never, survey: never });
    const { told, over, run } = begin(backend, [1], {}, { clock });
    let isOver = false;
    over.then(() => {
      isOver = true;
    });
    clock.flush();
    run.reachable(false);
    run.halt('stopped');
    for (let turn = 0; !isOver && turn < 100; turn += 1) {
      clock.advance(100);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(isOver).toBe(true);
    expect(clock.now()).toBeGreaterThan(5_000);
    expect([told.settled, backend.closed, clock.pending]).toEqual([[], true, 0]);
  });

  it('tells progress once, whether it came by event or with the outcome', async () => {
    const backend = new MemoryBackend();
    backend.connect(
      {
        run: async (_, __, tell) => {
          tell([[0, 0, 'early', 1]]);
          return report([2], {
            progress: [
              [0, 0, 'early', 1],
              [1, 0, 'late', 1],
            ],
          });
        },
      },
      1,
    );
    const { told, over } = begin(backend, [1]);
    await over;
    expect(told.progress).toEqual([
      [0, 'early'],
      [0, 'late'],
    ]);
  });

  it('says which worker told of progress', async () => {
    const backend = new MemoryBackend();
    const progress = [
      [0, 1, 'second', 6],
      [1, 0, 'first', 5],
    ];
    backend.connect({ run: async () => report([2, 4], { ids: [5, 6], progress }) }, 1);
    const { told, over } = begin(backend, [1, 2], { batchSize: 2 });
    await over;
    expect([told.progress, told.ids]).toEqual([
      [
        [1, 'second'],
        [0, 'first'],
      ],
      [6, 5],
    ]);
  });

  it('runs again, uncharged, what a machine gave back', async () => {
    const backend = new MemoryBackend();
    const good = doubling();
    let calls = 0;
    backend.connect(
      {
        run: async (id, data, tell) => {
          calls += 1;
          return calls === 1 ? report([null], { again: [0] }) : await good.run(id, data, tell);
        },
      },
      1,
    );
    const { told, over } = begin(backend, [21]);
    await over;
    expect(told.settled).toMatchObject([{ index: 0, result: 42, attempt: 1 }]);
    expect(told.retries).toEqual([]);
  });

  it('takes over what an earlier manager left, and runs what is not in it', async () => {
    const first = new MemoryBackend();
    const early = begin(first, row(6), { batchSize: 3 });
    await first.holds(2);
    const left = [...first.entries.values()];
    expect(left).toHaveLength(2);
    const second = heirOf(first);
    const ran: string[] = [];
    const { told, over } = begin(second, row(8), { batchSize: 3 });
    second.connect(
      doubling((index, id) => ran.push(`${index} ${id}`)),
      2,
    );
    await over;
    early.run.halt('aborted');
    expect(ids(told)).toEqual(row(8));
    expect(ran).toHaveLength(8);
    expect(ran.filter((text) => left.some(({ id }) => text.endsWith(id)))).toHaveLength(6);
    expect(second.entries.size).toBe(0);
  });

  it('runs what is left of a list that has become shorter, where nothing else is on its way', async () => {
    const first = new MemoryBackend();
    const early = begin(first, [10, 20], { batchSize: 2 });
    await first.holds(1);
    const second = heirOf(first);
    second.connect(doubling(), 1);
    const { told, over } = begin(second, [10], { batchSize: 2 });
    await over;
    early.run.halt('aborted');
    expect(told.settled).toMatchObject([{ index: 0, result: 20 }]);
    expect(second.entries.size).toBe(0);
  });

  it('leaves nothing of an aborted run, what a machine runs included', async () => {
    const backend = new MemoryBackend();
    let begun = (): void => {};
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    backend.connect({ run: () => new Promise(() => begun()) }, 1);
    const { over, run } = begin(backend, row(3), { batchSize: 1 });
    await running;
    run.halt('aborted');
    await over;
    expect([backend.cancelled, backend.entries.size]).toEqual([true, 0]);
  });

  it.each([
    ['kept', 3],
    ['dropped', 1],
  ] as const)('stops no machine where it has lost its name or the server: %s', async (chunks, left) => {
    const backend = new MemoryBackend();
    const { over, run } = begin(backend, row(3), { batchSize: 1 });
    await backend.holds(3);
    // A machine runs one of them.
    for (const entry of [...backend.entries.values()].slice(0, 1)) entry.state = 'active';
    run.abandon(chunks);
    await over;
    expect([backend.cancelled, backend.entries.size, backend.closed]).toEqual([false, left, true]);
  });

  it('drops what an earlier manager left of another list', async () => {
    const first = new MemoryBackend();
    const early = begin(first, [100, 200], { batchSize: 2 });
    await first.holds(1);
    const second = heirOf(first);
    // A machine runs it.
    for (const entry of second.entries.values()) entry.state = 'active';
    second.connect(doubling(), 1);
    const { told, over } = begin(second, [100, 300], { batchSize: 2 });
    await over;
    early.run.halt('aborted');
    const results = told.settled.map(({ index, ...more }) => [index, (more as { result?: unknown }).result]);
    expect(results.sort()).toEqual([
      [0, 200],
      [1, 600],
    ]);
    expect(second.entries.size).toBe(0);
  });
});
