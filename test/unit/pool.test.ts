import { describe, expect, it } from 'vitest';
import { errorToWire } from '../../src/error-wire.js';
import { SpecError } from '../../src/errors.js';
import { Pool } from '../../src/manager/pool.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { FakeChild } from '../helpers/fake-worker.js';

const LIMITS = { startupTimeout: 30_000, shutdownTimeout: 5000, timeout: undefined, concurrency: 1 };

/** A pool that wants all its workers all the time. */
function open(size: number, module = '/jobs.cjs') {
  const clock = new FakeClock();
  const children: FakeChild[] = [];
  const heard: string[] = [];
  const errors: Error[] = [];
  const options = { forkError: undefined as Error | undefined };
  const pool: Pool = new Pool(
    {
      size,
      module,
      limits: LIMITS,
      clock,
      spawn: (events) => {
        const { forkError } = options;
        const child = new FakeChild(events, forkError === undefined ? 1000 + children.length : undefined);
        children.push(child);
        if (forkError !== undefined) clock.soon(() => child.exit({ error: forkError }));
        return child;
      },
    },
    {
      ready: ({ id }) => heard.push(`ready ${id}`),
      results: () => {},
      progress: () => {},
      gone: () => pool.ensure(size),
      exited: ({ id }, reason) => heard.push(`${reason} ${id}`),
      failed: (error) => {
        errors.push(error);
        pool.close('stopped');
      },
      mayFork: () => pool.ensure(size),
    },
  );
  pool.ensure(size);
  const child = (number: number): FakeChild => {
    const found = children[number];
    if (found === undefined) throw new Error(`There is no child ${number}`);
    return found;
  };
  const workers = () => [...pool.workers];
  return { pool, clock, children, child, workers, heard, errors, options };
}

describe('numbers', () => {
  it('are 1…N, the lowest first', () => {
    const { children, pool } = open(3);
    expect(children.map(({ name }) => name)).toEqual([1, 2, 3]);
    pool.ensure(10);
    expect(children).toHaveLength(3);
  });

  it("are no two living workers' at once: a replacement loads at once, but waits for the number", () => {
    const { pool, child, children, workers } = open(1);
    child(0).getReady();
    workers()[0]?.finish('recycled');
    pool.ensure(1);
    expect(children).toHaveLength(2);
    child(1).say({ type: 'loaded', took: 0 });
    expect([child(1).name, child(1).told]).toEqual([undefined, []]);
    child(0).exit();
    expect([child(1).name, child(1).told]).toEqual([1, ['begin']]);
  });

  it('go to whoever waits longest, and not to one that was told to go', () => {
    const { pool, child, workers } = open(2);
    for (const worker of workers()) {
      child(worker.id === 1 ? 0 : 1).getReady();
      worker.finish('recycled');
    }
    pool.ensure(2);
    const [, , third] = workers();
    third?.kill('aborted');
    pool.ensure(2);
    child(1).exit();
    expect([child(2).name, child(3).name, child(4).name]).toEqual([undefined, 2, undefined]);
    child(0).exit();
    expect(child(4).name).toBe(1);
  });
});

describe('the grace of a worker that was killed for its time', () => {
  it('ends when its replacement has loaded and waits for the number', () => {
    const { pool, child, workers } = open(1);
    child(0).getReady();
    workers()[0]?.kill('timeout');
    pool.ensure(1);
    expect([child(0).signals, child(1).told]).toEqual([['SIGTERM'], []]);
    child(1).say({ type: 'loaded', took: 0 });
    expect([child(0).signals, child(1).told]).toEqual([['SIGTERM', 'SIGKILL'], []]);
    child(0).exit({ signal: 'SIGKILL' });
    expect(child(1).told).toEqual(['begin']);
  });

  it('is left to one that was told to go for another reason', () => {
    const { pool, child, workers } = open(1);
    child(0).getReady();
    workers()[0]?.finish('recycled');
    pool.ensure(1);
    child(1).say({ type: 'loaded', took: 0 });
    expect(child(0).signals).toEqual([]);
  });
});

describe('a worker that is gone', () => {
  it('is told of with its number and its reason, and replaced', () => {
    const { child, children, heard } = open(1);
    child(0).getReady().exit({ signal: 'SIGKILL' });
    expect(heard).toEqual(['ready 1', 'crashed 1']);
    expect(children).toHaveLength(2);
  });

  it('is not told of when it never was a process', () => {
    const { options, pool, child, clock, heard } = open(1);
    options.forkError = new Error('EAGAIN');
    child(0).exit({ code: 1 });
    clock.flush();
    expect([heard, pool.workers.size]).toEqual([['startup 1'], 0]);
  });
});

describe('the breaker', () => {
  it('forks no more after three failed starts in a row, and says why the first one failed', () => {
    const { child, children, errors } = open(1);
    child(0).exit({ code: 3 });
    child(1).exit({ code: 4 });
    expect(errors).toEqual([]);
    child(2).exit({ code: 5 });
    expect(children).toHaveLength(3);
    expect(errors).toMatchObject([
      {
        code: 'ERR_WORKER_START',
        message:
          'No worker could start: process 1000, which loads /jobs.cjs, exited with code 3 before it was ready',
      },
    ]);
  });

  it('lets those that live go on, and gives up when the last of them has gone and none can start', () => {
    const { child, children, errors, clock } = open(2);
    child(0).getReady();
    for (const number of [1, 2, 3]) child(number).exit({ code: 1 });
    clock.advance(60_000);
    expect([children.length, errors]).toEqual([4, []]);
    child(0).exit({ signal: 'SIGKILL' });
    // One that was ready has gone: its place is worth another try.
    child(4).exit({ code: 1 });
    expect([children.length, errors]).toEqual([6, []]);
    child(5).exit({ code: 1 });
    expect([children.length, errors.length]).toEqual([6, 1]);
  });

  it('begins to count anew when a worker gets ready, and forgets what was wrong before', () => {
    const { child, children, errors } = open(1);
    child(0).exit({ code: 1 });
    child(1).exit({ code: 1 });
    child(2).getReady().exit({ code: 1 });
    for (const number of [3, 4]) child(number).exit({ code: 9 });
    expect([children.length, errors]).toEqual([6, []]);
    child(5).exit({ code: 9 });
    expect(errors).toMatchObject([{ message: expect.stringContaining('exited with code 9') as string }]);
  });

  it('waits longer and longer where the system is short of processes', () => {
    const { child, children, clock, errors, options } = open(1);
    const error = Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' });
    options.forkError = error;
    child(0).exit({ error });
    for (const [wait, forked] of [
      [250, 1],
      [500, 2],
    ] as const) {
      clock.advance(wait - 1);
      expect(children).toHaveLength(forked);
      clock.advance(1);
      expect(children).toHaveLength(forked + 1);
    }
    expect([errors.length, clock.pending]).toEqual([1, 0]);
  });

  it('goes on where forking works again', () => {
    const { options, child, children, clock, pool } = open(2);
    child(0).getReady();
    options.forkError = Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' });
    child(1).exit({ code: 1 });
    clock.flush();
    options.forkError = undefined;
    pool.ensure(2);
    expect(children).toHaveLength(3);
    clock.advance(1000);
    expect(children).toHaveLength(4);
    child(3).getReady();
    expect(pool.living).toBe(2);
  });

  it('does not wait where the program can not be forked at all', () => {
    const { child, children, clock, errors, options } = open(1);
    options.forkError = Object.assign(new Error('spawn ENOENT'), { code: 'ENOENT' });
    child(0).exit({ code: 1 });
    clock.flush();
    expect([children.length, errors.length, clock.pending]).toEqual([3, 1, 0]);
  });

  it('does not wait where another try would not help: the spec is not in the module', () => {
    const { child, children, errors } = open(2);
    const error = errorToWire(new SpecError('move it to the top'));
    child(0).say({ type: 'fatal', phase: 'spec', error });
    child(0).exit({ code: 1 });
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_SPEC', message: 'move it to the top' })]);
    child(1).exit({ code: 1 });
    expect([children.length, errors.length]).toEqual([2, 1]);
  });

  it('forks nothing once the pool is closed, whatever it was waiting for', () => {
    const { child, children, clock, pool, options } = open(1);
    options.forkError = Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' });
    child(0).exit({ code: 1 });
    clock.flush();
    pool.close('finished');
    clock.advance(60_000);
    expect([children.length, clock.pending]).toEqual([2, 0]);
  });
});

describe('why no worker could start', () => {
  const reasonOf = (fail: (child: FakeChild, clock: FakeClock) => void, module?: string): Error => {
    const { children, clock, errors } = open(1, module);
    for (let at = 0; errors.length === 0 && at < children.length; at += 1) {
      const child = children[at];
      if (child !== undefined) fail(child, clock);
    }
    const [error] = errors;
    if (error === undefined) throw new Error('The breaker was never tripped');
    return error;
  };

  it.each([
    ['startup', 'No worker could start: workerStartup of /jobs.cjs failed: no db'],
    ['load', 'No worker could start: /jobs.cjs could not be loaded: no db'],
  ] as const)('is told with the error of the user and where it was thrown: %s', (phase, message) => {
    const cause = new TypeError('no db');
    const error = reasonOf((child) => {
      child.say({ type: 'fatal', phase, error: errorToWire(cause) });
      child.exit({ code: 1 });
    });
    expect(error).toMatchObject({ code: 'ERR_WORKER_START', message, cause: { name: 'TypeError' } });
    expect(error.stack).toContain('pool.test');
  });

  const unknown = Object.assign(new TypeError('Unknown'), { code: 'ERR_UNKNOWN_FILE_EXTENSION' });
  it.each([
    ['file:///jobs.mts', unknown, true],
    ['/jobs.cts', new SyntaxError('Unexpected token'), true],
    ['/jobs.ts', new TypeError('no db'), false],
    ['/jobs.cjs', new SyntaxError('Unexpected token'), false],
    ['/jobs.ts', new SyntaxError('JSON'), false, 'startup'],
  ] as const)('may be that a worker has no loader for TypeScript: %s, %s: %s', (...given) => {
    const [module, cause, isHinted, phase = 'load'] = given;
    const { message } = reasonOf((child) => {
      child.say({ type: 'fatal', phase, error: errorToWire(cause) });
      child.exit({ code: 1 });
    }, module);
    expect(message).toContain(`: ${cause.message}`);
    expect(message.includes("`execArgv: ['--import', 'tsx']`")).toBe(isHinted);
  });

  it('is that it was too slow, with what it said', () => {
    const error = reasonOf((child, clock) => {
      child.lastWords = 'loading a lot';
      clock.advance(30_000);
      child.exit({ signal: 'SIGTERM' });
    });
    expect(error.message).toContain('ready within startupTimeout (30000 ms): loading /jobs.cjs');
    expect(error.message).toMatch(/[^.]\nIts last words on stderr:\nloading a lot$/);
  });

  it('is a signal that somebody sent it', () => {
    expect(reasonOf((child) => child.exit({ signal: 'SIGKILL' })).message).toContain('was killed by SIGKILL');
  });

  it('is most likely a call of process.exit where nothing was wrong', () => {
    const { message } = reasonOf((child) => child.exit({ code: 0 }));
    expect(message).toMatch(
      /exited with code 0 before it was ready \(the module, .* called process\.exit: guard /,
    );
  });

  it('is an error that nobody caught', () => {
    const error = reasonOf((child) => {
      child.say({ type: 'uncaught', error: errorToWire(new Error('out of nowhere')), running: [] });
      child.exit({ code: 1 });
    });
    expect(error).toMatchObject({ cause: { message: 'out of nowhere' } });
    expect(error.message).toContain('exited with code 1 before it was ready: out of nowhere');
  });

  it('is what forking said', () => {
    const failed = Object.assign(new Error('spawn /no/node ENOENT'), { code: 'ENOENT' });
    const error = reasonOf((child, clock) => {
      child.exit({ error: failed });
      clock.advance(1000);
    });
    expect(error).toMatchObject({
      cause: failed,
      message:
        'No worker could start: forking failed: spawn /no/node ENOENT (no such program: see the option `execPath`)',
    });
  });
});
