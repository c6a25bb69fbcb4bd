import { describe, expect, test } from 'vitest';
import { errorToWire } from '../../src/error-wire.js';
import { Batch } from '../../src/manager/batch.js';
import type { Blame, DeadWorker } from '../../src/manager/crash.js';
import { blame, crashError, finishFailure } from '../../src/manager/crash.js';

/** A worker that died after some jobs. */
function dead(about: Partial<DeadWorker> = {}): DeadWorker {
  return {
    batches: [],
    fault: 'crashed',
    alone: false,
    overdue: [],
    given: 10,
    uncaught: undefined,
    pid: 4711,
    exit: { code: null, signal: 'SIGSEGV' },
    killedFor: undefined,
    stderr: () => '',
    ...about,
  };
}

/** A batch of so many jobs, some of which were reported. */
function batchOf(first: number, count: number, ...reported: number[]): Batch {
  const batch = new Batch(first, {
    first,
    jobs: Array.from({ length: count }, (_, i) => `job ${first + i}`),
  });
  for (const position of reported) batch.report(position);
  return batch;
}

function indices({ culprits, suspects, innocent }: Blame) {
  const of = (held: Blame['culprits']) => held.map(({ batch, position }) => batch.indexAt(position));
  return { culprits: of(culprits), suspects: of(suspects), innocent: of(innocent) };
}

/** An error that nobody caught, while jobs with these indices ran. */
const uncaughtBeside = (...running: number[]) => ({ error: errorToWire(new Error('late')), running });

describe('a worker that crashed', () => {
  test('is the fault of its only unreported job', () => {
    const worker = dead({ batches: [batchOf(0, 3, 0, 1)] });
    expect(indices(blame(worker, 1))).toEqual({ culprits: [2], suspects: [], innocent: [] });
  });

  test('makes every unreported job of the running batch a suspect where there are several', () => {
    const worker = dead({ batches: [batchOf(0, 4, 0)] });
    expect(indices(blame(worker, 1))).toEqual({ culprits: [], suspects: [1, 2, 3], innocent: [] });
  });

  test('leaves the batch that waits behind the running one innocent', () => {
    const worker = dead({ batches: [batchOf(0, 3, 0, 1), batchOf(3, 2)] });
    expect(indices(blame(worker, 1))).toEqual({ culprits: [], suspects: [2], innocent: [3, 4] });
  });

  test('makes all suspects where jobs of both batches may have run at once', () => {
    const worker = dead({ batches: [batchOf(0, 3, 0, 1), batchOf(3, 2)] });
    expect(indices(blame(worker, 4))).toEqual({ culprits: [], suspects: [2, 3, 4], innocent: [] });
  });

  test('without jobs is nobody of theirs', () => {
    expect(indices(blame(dead(), 1))).toEqual({ culprits: [], suspects: [], innocent: [] });
  });
});

describe('an uncaught error', () => {
  test('charges the only job its worker ever had', () => {
    const worker = dead({ batches: [batchOf(7, 1)], uncaught: uncaughtBeside(7), given: 1 });
    expect(indices(blame(worker, 1))).toEqual({ culprits: [7], suspects: [], innocent: [] });
  });

  test('may have been thrown late by a job that had ended: then what ran is only suspected', () => {
    const worker = dead({ batches: [batchOf(7, 1)], uncaught: uncaughtBeside(7), given: 2 });
    expect(indices(blame(worker, 1))).toEqual({ culprits: [], suspects: [7], innocent: [] });
  });

  test('leaves those innocent that did not run', () => {
    const batches = [batchOf(0, 4, 0), batchOf(4, 2)];
    const worker = dead({ batches, uncaught: uncaughtBeside(2, 4) });
    expect(indices(blame(worker, 3))).toEqual({ culprits: [], suspects: [2, 4], innocent: [1, 3, 5] });
  });

  test('while nothing ran suspects the first, so that no process is forked for ever', () => {
    const worker = dead({ batches: [batchOf(0, 3)], uncaught: uncaughtBeside() });
    expect(indices(blame(worker, 1))).toEqual({ culprits: [], suspects: [0], innocent: [1, 2] });
  });
});

describe('a worker that was told to go', () => {
  test('blames nobody where it was killed for no fault of its jobs', () => {
    const worker = dead({ fault: undefined, batches: [batchOf(0, 2), batchOf(2, 1)] });
    expect(indices(blame(worker, 1))).toEqual({ culprits: [], suspects: [], innocent: [0, 1, 2] });
  });
});

describe('a worker that was killed for a timeout', () => {
  const killed = (batches: Batch[], ...late: [batch: number, position: number][]) =>
    dead({
      fault: 'timeout',
      batches,
      overdue: late.flatMap(([at, position]) => {
        const batch = batches[at];
        return batch === undefined ? [] : [{ batch, position }];
      }),
    });

  test('charges the only job it was running, and not the batch that waited', () => {
    const worker = killed([batchOf(0, 2, 0), batchOf(2, 2)], [0, 1]);
    expect(indices(blame(worker, 1))).toEqual({ culprits: [1], suspects: [], innocent: [2, 3] });
  });

  test('with one job at a time suspects all of the batch: which one it was at is not known for certain', () => {
    const worker = killed([batchOf(0, 3), batchOf(3, 1)], [0, 0]);
    expect(indices(blame(worker, 1))).toEqual({ culprits: [], suspects: [0, 1, 2], innocent: [3] });
  });

  test('with several at once charges the only one that had begun', () => {
    const batches = [batchOf(0, 3), batchOf(3, 2)];
    batches[1]?.running.set(0, 1000);
    expect(indices(blame(killed(batches, [1, 0]), 3))).toEqual({
      culprits: [3],
      suspects: [],
      innocent: [0, 1, 2, 4],
    });
  });

  test('with several at once suspects all that had begun: one in a synchronous loop makes all of them late', () => {
    const batches = [batchOf(0, 3), batchOf(3, 2)];
    batches[0]?.running.set(1, 1000);
    batches[1]?.running.set(0, 2000);
    expect(indices(blame(killed(batches, [0, 1]), 3))).toEqual({
      culprits: [],
      suspects: [1, 3],
      innocent: [0, 2, 4],
    });
  });

  test('that was late though its only job was not is nobody of its jobs', () => {
    const batches = [batchOf(0, 1)];
    const worker = { ...killed(batches), overdue: [{ batch: batchOf(9, 1), position: 0 }] };
    expect(indices(blame(worker, 1))).toEqual({ culprits: [], suspects: [], innocent: [0] });
  });

  test('suspects the job whose turn it was where none was ever begun', () => {
    const worker = killed([batchOf(0, 2), batchOf(2, 1)]);
    expect(indices(blame(worker, 1))).toEqual({ culprits: [], suspects: [0], innocent: [1, 2] });
  });

  test('charges the job whose turn it was where it had the worker to itself', () => {
    const worker = { ...killed([batchOf(0, 1)]), alone: true };
    expect(indices(blame(worker, 1))).toEqual({ culprits: [0], suspects: [], innocent: [] });
  });
});

describe('the error of a crash', () => {
  const text = (about: Partial<DeadWorker>) => crashError(dead(about), 'job 7, attempt 1').message;

  test('has the facts as fields', () => {
    expect(crashError(dead({ stderr: () => 'oh no' }), 'job 7')).toMatchObject({
      code: 'ERR_WORKER_CRASH',
      pid: 4711,
      exitCode: null,
      signal: 'SIGSEGV',
      stderr: 'oh no',
    });
    const nothing = crashError(dead({ pid: undefined, exit: undefined }), 'job 7');
    expect(nothing).toMatchObject({ pid: undefined, exitCode: null, signal: null });
    expect(nothing.message).toBe('Worker process undefined exited with code ? during job 7');
    expect('cause' in nothing).toBe(false);
  });

  test('says how it ended, what was running, and its last words', () => {
    expect(text({})).toBe('Worker process 4711 was killed by SIGSEGV during job 7, attempt 1');
    expect(text({ exit: { code: 3, signal: null }, stderr: () => 'line 1\nline 2' })).toBe(
      'Worker process 4711 exited with code 3 during job 7, attempt 1\nIts last words on stderr:\nline 1\nline 2',
    );
  });

  test('has an uncaught error as its cause', () => {
    const error = crashError(dead({ uncaught: uncaughtBeside(), exit: { code: 1, signal: null } }), 'job 7');
    expect(error.message).toBe('Worker process 4711 exited with code 1 during job 7: late');
    expect(error.cause).toMatchObject({ message: 'late' });
  });

  test.each([
    [
      { exit: { code: null, signal: 'SIGABRT' }, stderr: () => 'JavaScript heap out of memory' },
      /\(out of memory: raise /,
    ],
    [{ exit: { code: null, signal: 'SIGABRT' } }, /\(an abort: most often out of memory; see its stderr\)/],
    [{ exit: { code: 134, signal: null } }, /\(an abort: most often out of memory; see its stderr\)/],
    [
      { exit: { code: null, signal: 'SIGKILL' }, killedFor: 'shutdownTimeout' },
      /^Worker process 4711 was killed by SIGKILL during job 7, attempt 1 \(it took longer than `shutdownTimeout`\)$/,
    ],
    [
      { exit: { code: null, signal: 'SIGKILL' }, killedFor: 'disconnect' },
      /\(it had closed its channel: a job or a module it loaded called process\.disconnect\)/,
    ],
    [{ exit: { code: null, signal: 'SIGKILL' } }, /\(by somebody, or by the system because memory ran out\)/],
    [
      { exit: { code: 0, signal: null } },
      /\(a job or a module it loaded called process\.exit or closed the channel\)/,
    ],
  ] as const)('names the likely reason: %j', (about, reason) => {
    expect(text(about)).toMatch(reason);
  });
});

describe('what went wrong in workerFinish', () => {
  const stray = { error: errorToWire(new Error('stray')), running: [], finishing: false };
  const left = { wasReady: true, finishes: true, reason: 'finished' as const, fatal: undefined, held: 0 };
  const failure = (about: object) =>
    finishFailure({ ...dead(), ...left, exit: { code: 1, signal: null }, ...about })?.message;
  const KILLED = { exit: { code: null, signal: 'SIGKILL' as const } };

  test.each([
    ['an exit of its own', {}, true],
    ['an exit where there is no such function', { finishes: false }, false],
    ['an end in good order', { exit: { code: 0, signal: null } }, false],
    ['an error that a job left behind, before or after it', { uncaught: stray }, false],
    ['an error while it ran', { uncaught: { ...stray, finishing: true } }, true],
    [
      'a kill, though a job had left an error behind that somebody handled',
      { uncaught: stray, ...KILLED },
      true,
    ],
    ['an end with jobs', { held: 1 }, false],
    ['a crash', { reason: 'crashed' }, false],
  ])('is told by the end of its worker: %s', (_, about, isIts) => {
    expect(failure(about) !== undefined).toBe(isIts);
  });

  test('is what it threw', () => {
    const fatal = { phase: 'finish' as const, error: errorToWire(new TypeError('flush')) };
    expect(failure({ fatal, exit: { code: 0, signal: null } })).toBe('flush');
  });
});
