import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { iterate } from '../../src/iteration.js';

interface Item {
  readonly index: number;
}

/** An iteration whose run is the test. */
function iterating(ordered = false) {
  const said: string[] = [];
  let sink: (index: number, item?: Item) => void = () => {};
  let end: () => void = () => {};
  const items = iterate<Item>({
    ordered,
    run: (given) => {
      sink = given;
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    },
    hold: (on) => said.push(on ? 'hold' : 'go on'),
    stop: async () => {
      said.push('stop');
    },
  });
  return {
    items,
    said,
    settle: (index: number, failed = false) => sink(index, failed ? undefined : { index }),
    end: () => end(),
  };
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  // What a WeakRef was just asked for, or made of, lives until the end of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  runInNewContext('gc')();
}

describe('an iteration', () => {
  test('holds the hand-out for a slow consumer, and lets go of what it was given', async () => {
    const { items, said, settle, end } = iterating();
    const first = items.next();
    settle(0);
    const refs = [new WeakRef((await first).value as Item)];
    let settled = 1;
    // Always some hundreds behind: it never catches up.
    for (let taken = 1; taken < 5000; taken += 1) {
      while (settled < taken + 600) settle(settled++);
      const { value } = await items.next();
      expect((value as Item).index).toBe(taken);
      refs.push(new WeakRef(value as Item));
    }
    await collectGarbage();
    expect(refs.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(2000);
    expect(said).toEqual([]);
    for (let more = 0; more < 1000; more += 1) settle(settled++);
    expect(said).toEqual(['hold']);
    while (said.length < 2) await items.next();
    expect(said).toEqual(['hold', 'go on']);
    end();
  });

  test('in order waits for the earliest, and a failed job is a gap', async () => {
    const { items, settle, end } = iterating(true);
    const first = items.next();
    settle(2);
    settle(0);
    settle(1, true);
    expect((await first).value).toEqual({ index: 0 });
    expect((await items.next()).value).toEqual({ index: 2 });
    settle(4);
    end();
    // What an early end left out of order comes last.
    expect((await items.next()).value).toEqual({ index: 4 });
    expect((await items.next()).done).toBe(true);
  });

  test('that is left stops the run', async () => {
    const { items, said, settle } = iterating();
    const first = items.next();
    settle(0);
    await first;
    await items.return?.();
    expect(said).toEqual(['go on', 'stop']);
  });

  test('can be left while somebody waits for the next job, who is told at once', async () => {
    const { items, said, settle } = iterating();
    const waiting = [items.next(), items.next()];
    await items.return?.();
    expect(said).toEqual(['go on', 'stop']);
    const done = { done: true, value: undefined };
    expect(await Promise.all(waiting)).toEqual([done, done]);
    settle(0);
    expect(await items.next()).toEqual(done);
  });

  test('that is left before it began starts no run', async () => {
    const { items, said } = iterating();
    await items.return?.();
    expect(await items.next()).toEqual({ done: true, value: undefined });
    expect(said).toEqual([]);
  });

  test('gives each of several who wait a job of their own, and throws at its end what start() would, once', async () => {
    const items = iterate<Item>({
      ordered: false,
      run: async (sink) => {
        for (const index of [0, 1]) sink(index, { index });
        throw new Error('the run failed');
      },
      hold: () => {},
      stop: async () => {},
    });
    const had = await Promise.allSettled([items.next(), items.next(), items.next(), items.next()]);
    expect(had).toEqual([
      { status: 'fulfilled', value: { done: false, value: { index: 0 } } },
      { status: 'fulfilled', value: { done: false, value: { index: 1 } } },
      { status: 'rejected', reason: expect.objectContaining({ message: 'the run failed' }) as Error },
      { status: 'fulfilled', value: { done: true, value: undefined } },
    ]);
  });
});
