import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { SpecError } from '../../src/errors.js';
import type { Source } from '../../src/manager/source.js';
import { createSource } from '../../src/manager/source.js';

/** Runs what waits for nothing but a turn. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A source, and what it told its owner. */
function listen(list: unknown, peek = 2) {
  const heard = { available: 0, failures: [] as unknown[] };
  const source = createSource(
    list,
    {
      available: () => {
        heard.available += 1;
      },
      failed: (error) => heard.failures.push(error),
    },
    peek,
  );
  return { source, heard };
}

/** Takes all that is there now, `count` at a time. */
function drain(source: Source, count: number): unknown[] {
  const jobs: unknown[] = [];
  for (let chunk = source.take(count); chunk !== undefined; chunk = source.take(count)) {
    expect(chunk.first).toBe(jobs.length);
    expect(chunk.jobs.length).toBeLessThanOrEqual(count);
    jobs.push(...chunk.jobs);
  }
  return jobs;
}

function* count(to: number, seen: { pulled?: number; returned?: boolean } = {}) {
  try {
    for (let i = 0; i < to; i += 1) {
      seen.pulled = i + 1;
      yield i;
    }
  } finally {
    seen.returned = true;
  }
}

async function* countAsync(to: number, seen: { pulled?: number; returned?: boolean } = {}) {
  yield* count(to, seen);
}

describe('a list of any form', () => {
  test.each([
    ['an array', [0, 1, 2, 3, 4]],
    ['a Set', new Set([0, 1, 2, 3, 4])],
    ['a generator', count(5)],
    ['a typed array', Uint8Array.of(0, 1, 2, 3, 4)],
    ['arguments', { [Symbol.iterator]: () => [0, 1, 2, 3, 4].values() }],
  ])('%s is taken in order, and exhausted with its last job', (_, list) => {
    const { source, heard } = listen(list);
    expect(drain(source, 2)).toEqual([0, 1, 2, 3, 4]);
    expect(source).toMatchObject({ exhausted: true, total: 5, taken: 5, known: 0 });
    expect(heard.failures).toEqual([]);
  });

  test('the entries of a Map are its jobs', () => {
    expect(drain(listen(new Map([['a', 1]])).source, 5)).toEqual([['a', 1]]);
  });

  test.each([
    ['an async generator', () => countAsync(5)],
    ['a Readable in object mode', () => Readable.from([0, 1, 2, 3, 4])],
  ])('%s is taken in order as it comes', async (_, list) => {
    const { source, heard } = listen(list(), 10);
    while (!source.exhausted && source.known < 5) await turn();
    expect(drain(source, 2)).toEqual([0, 1, 2, 3, 4]);
    while (!source.exhausted) await turn();
    expect(source.total).toBe(5);
    expect(heard.failures).toEqual([]);
  });

  test.each([
    ['an array', []],
    ['a Set', new Set()],
    ['a generator', count(0)],
  ])('%s without jobs is exhausted from the start', (_, list) => {
    expect(listen(list).source).toMatchObject({ exhausted: true, total: 0, known: 0 });
  });

  test('an async list without jobs tells that it has ended', async () => {
    const { source, heard } = listen(countAsync(0));
    while (heard.available === 0) await turn();
    expect(source).toMatchObject({ exhausted: true, total: 0 });
  });

  test.each([
    ['undefined', undefined, '`undefined`'],
    ['null', null, '`null`'],
    ['a string', 'a.txt', "`'a.txt'` (string)"],
    ['a number', 5, '`5` (number)'],
    ['a function', count, 'a function'],
    ['a plain object', { length: 3 }, 'an object'],
    ['an object without a prototype', Object.create(null), 'an object'],
    ['a Date', new Date(), 'an instance of Date'],
  ])('%s is no list, and the error says what came and what to return', (_, list, got) => {
    const failure = `Expected manager() to return a list of jobs (an array, an iterable or an async iterable), got ${got}. `;
    expect(() => listen(list)).toThrow(
      new SpecError(
        `${failure}${'Return an array, a Set, a generator, an async generator or a Readable in object mode.'}`,
      ),
    );
  });
});

test.each([
  ['a number', 5, '`5` (number)'],
  ['nothing', undefined, '`undefined`'],
  ['null', null, '`null`'],
])('a list whose next() gives %s ends, and the error says what came', async (_, next, got) => {
  const forms = [
    { [Symbol.iterator]: () => ({ next: () => next }) },
    { [Symbol.asyncIterator]: () => ({ next: async () => next }) },
  ];
  const message = `Expected next() of the list's iterator to return an object with \`done\` and \`value\`, got ${got}`;
  for (const list of forms) {
    const { source, heard } = listen(list);
    await turn();
    expect(heard.failures).toEqual([new SpecError(message)]);
    expect(source).toMatchObject({ exhausted: true, taken: 0 });
  }
});

describe('an array', () => {
  test('is known in full from the start', () => {
    const { source } = listen([7, 8, 9]);
    expect(source).toMatchObject({ total: 3, known: 3, taken: 0, exhausted: false });
    expect(source.take(2)).toEqual({ first: 0, jobs: [7, 8] });
    expect(source).toMatchObject({ known: 1, taken: 2 });
  });

  test('that was closed gives nothing more', () => {
    const { source } = listen([7, 8, 9]);
    source.take(1);
    source.readAhead(10);
    source.close();
    expect(source.take(1)).toBeUndefined();
    expect(source).toMatchObject({ exhausted: true, known: 0, taken: 1 });
  });

  test('has a job for each of its holes', () => {
    const list = [1];
    list[2] = 3;
    const jobs = listen(list).source.take(3)?.jobs ?? [];
    expect(jobs.map((job) => job)).toEqual([1, undefined, 3]);
    expect(Object.keys(jobs)).toHaveLength(3);
  });

  test('that gets shorter meanwhile ends where it ends, and one that gets longer where it ended', () => {
    const list = [1, 2, 3, 4];
    const { source } = listen(list);
    list.push(5);
    expect(source.take(2)?.jobs).toEqual([1, 2]);
    list.length = 3;
    expect(source.total).toBe(3);
    expect(source.take(2)).toEqual({ first: 2, jobs: [3] });
    expect(source).toMatchObject({ exhausted: true, total: 3, taken: 3 });
    list.length = 1;
    expect(source).toMatchObject({ exhausted: true, known: 0, total: 3 });
  });

  test('whose getter throws fails as an iterator does', () => {
    const list = [1, 2, 3];
    const error = new Error('getter');
    Object.defineProperty(list, 1, {
      get() {
        throw error;
      },
    });
    const { source, heard } = listen(list);
    expect(source.take(3)).toBeUndefined();
    expect(heard.failures).toEqual([error]);
    expect(source).toMatchObject({ exhausted: true, known: 0, total: 0 });
  });
});

describe('a synchronous iterable', () => {
  test('is looked at only as far as there are workers, and pulled when there is room', () => {
    const seen = { pulled: 0 };
    const { source } = listen(count(100, seen), 3);
    source.readAhead(50);
    expect(seen.pulled).toBe(3);
    expect(source.known).toBe(3);
    source.take(5);
    // One more than was wanted: so the end is known as soon as the last job is taken.
    expect(seen.pulled).toBe(6);
  });

  test('has no total while it is open, unless it is a Set or a Map', () => {
    expect(listen(count(100)).source.total).toBeUndefined();
    expect(listen(new Set([1, 2, 3, 4])).source.total).toBe(4);
    expect(
      listen(
        new Map([
          [1, 2],
          [3, 4],
          [5, 6],
        ]),
      ).source.total,
    ).toBe(3);
    class Filtered extends Set {
      override *[Symbol.iterator](): SetIterator<number> {
        yield* [1, 2];
      }
    }
    expect(listen(new Filtered()).source.total).toBeUndefined();
    class Odd extends Set {
      override get size(): number {
        return Number.NaN;
      }
    }
    expect(listen(new Odd([1, 2, 3])).source.total).toBe(3);
    const named = Object.assign(count(100), { size: 7 });
    expect(listen(named).source.total).toBeUndefined();
  });

  test('that throws midway gives what came before, and its error once', () => {
    const broken = new Error('broken');
    const { source, heard } = listen(
      (function* () {
        yield 1;
        yield 2;
        throw broken;
      })(),
      1,
    );
    expect(heard.failures).toEqual([]);
    expect(source.take(5)).toEqual({ first: 0, jobs: [1, 2] });
    expect(heard.failures).toEqual([broken]);
    expect(source).toMatchObject({ exhausted: true, total: 2 });
    expect(source.take(5)).toBeUndefined();
    expect(heard.failures).toEqual([broken]);
  });

  test('that is closed early is returned once, and what was read ahead counts as taken', () => {
    const seen: { pulled?: number; returned?: boolean } = {};
    const { source } = listen(count(100, seen), 3);
    source.close();
    expect(seen).toEqual({ pulled: 3, returned: true });
    expect(source).toMatchObject({ exhausted: true, known: 0, taken: 3, total: 3 });
    let returns = 0;
    const iterator = {
      next: () => ({ done: false, value: 1 }),
      return: () => {
        returns += 1;
        return { done: true, value: undefined };
      },
      [Symbol.iterator]: () => iterator,
    };
    const counted = listen(iterator).source;
    counted.close();
    counted.close();
    expect(returns).toBe(1);
  });

  test('that has ended is not returned, only dropped', () => {
    const { source } = listen(new Set([1, 2]), 5);
    expect(source.known).toBe(2);
    source.close();
    expect(source).toMatchObject({ exhausted: true, known: 0 });
  });

  test('whose return() throws tells it', () => {
    const stubborn = new Error('stubborn');
    const cleanUp = (): never => {
      throw stubborn;
    };
    const { source, heard } = listen(
      (function* () {
        try {
          yield 1;
          yield 2;
        } finally {
          cleanUp();
        }
      })(),
      1,
    );
    source.close();
    expect(heard.failures).toEqual([stubborn]);
  });

  test('without return() is just left', () => {
    const iterator = { next: () => ({ done: false, value: 1 }) };
    const { source, heard } = listen({ [Symbol.iterator]: () => iterator });
    source.close();
    expect(source.exhausted).toBe(true);
    expect(heard.failures).toEqual([]);
  });

  test('that closes itself while it is pulled (a generator that stops its run) is returned when it has yielded', () => {
    const seen: { source?: Source; returned?: boolean } = {};
    const { source, heard } = listen(
      (function* () {
        try {
          yield 1;
          seen.source?.close();
          yield 2;
          yield 3;
        } finally {
          seen.returned = true;
        }
      })(),
      1,
    );
    seen.source = source;
    expect(source.take(1)).toBeUndefined();
    expect(seen.returned).toBe(true);
    expect(heard.failures).toEqual([]);
    expect(source).toMatchObject({ exhausted: true, taken: 1 });
  });
});

describe('an asynchronous iterable', () => {
  test('is read ahead up to its high-water mark, and on as jobs are taken', async () => {
    const seen = { pulled: 0 };
    const { source } = listen(countAsync(100, seen), 2);
    await turn();
    expect(seen.pulled).toBe(2);
    expect(source.known).toBe(2);
    source.readAhead(5);
    await turn();
    expect(seen.pulled).toBe(5);
    source.readAhead(3);
    await turn();
    expect(seen.pulled).toBe(5);
    expect(source.take(3)).toEqual({ first: 0, jobs: [0, 1, 2] });
    await turn();
    expect(seen.pulled).toBe(6);
    expect(source.take(1)).toEqual({ first: 3, jobs: [3] });
    expect(source.total).toBeUndefined();
  });

  test('keeps its order over many jobs, some of which are left when others are taken', async () => {
    const { source } = listen(countAsync(20_000), 6_000);
    const jobs: unknown[] = [];
    while (!source.exhausted) {
      const chunk = source.take(5_000);
      if (chunk === undefined) await turn();
      else jobs.push(...chunk.jobs);
    }
    expect(jobs).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
    expect(source.total).toBe(20_000);
  });

  test('that is a stream is destroyed when it is closed, though it waits for data', async () => {
    const stream = new Readable({ objectMode: true, read() {} });
    const { source, heard } = listen(stream);
    stream.push(1);
    await turn();
    const closed = new Promise((resolve) => stream.once('close', resolve));
    source.close();
    await closed;
    await turn();
    expect(stream.destroyed).toBe(true);
    expect(heard.failures).toEqual([]);
  });

  test('gives nothing while nothing has come, and tells when it has', async () => {
    let arrive: ((value: number) => void) | undefined;
    const first = new Promise<number>((resolve) => {
      arrive = resolve;
    });
    const { source, heard } = listen(
      (async function* () {
        yield await first;
      })(),
    );
    expect(source.take(1)).toBeUndefined();
    expect(source.exhausted).toBe(false);
    await turn();
    expect(heard.available).toBe(0);
    arrive?.(7);
    while (heard.available < 2) await turn();
    expect(source.take(2)).toEqual({ first: 0, jobs: [7] });
    expect(source).toMatchObject({ exhausted: true, total: 1 });
  });

  test('that throws midway gives what came before, and its error', async () => {
    const broken = new Error('broken');
    const { source, heard } = listen(
      (async function* () {
        yield 1;
        throw broken;
      })(),
    );
    while (heard.failures.length === 0) await turn();
    expect(heard.failures).toEqual([broken]);
    expect(source.take(5)).toEqual({ first: 0, jobs: [1] });
    expect(source.exhausted).toBe(true);
  });

  test('that is closed early is returned, though it waits for room', async () => {
    const seen: { pulled?: number; returned?: boolean } = {};
    const { source, heard } = listen(countAsync(100, seen));
    await turn();
    source.take(1);
    source.close();
    source.close();
    await turn();
    expect(seen).toEqual({ pulled: 2, returned: true });
    expect(source).toMatchObject({ exhausted: true, known: 0, taken: 2 });
    expect(heard.failures).toEqual([]);
  });

  test('that is closed while a job is on its way drops the job, and an error that comes instead', async () => {
    for (const late of [() => 1, () => Promise.reject(new Error('too late'))]) {
      let go: (() => void) | undefined;
      const gate = new Promise<void>((resolve) => {
        go = resolve;
      });
      const { source, heard } = listen(
        (async function* () {
          await gate;
          yield await late();
        })(),
      );
      source.close();
      go?.();
      await turn();
      expect(source).toMatchObject({ exhausted: true, known: 0, taken: 0 });
      expect(heard).toEqual({ available: 0, failures: [] });
    }
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('stubborn'))],
    [
      'throws',
      () => {
        throw new Error('stubborn');
      },
    ],
  ])('whose return() %s tells it', async (_, close) => {
    const iterator = { next: () => new Promise<never>(() => {}), return: close };
    const { source, heard } = listen({ [Symbol.asyncIterator]: () => iterator });
    source.close();
    await turn();
    expect(heard.failures).toEqual([new Error('stubborn')]);
  });

  test.each([
    ['without return()', {}],
    ['whose return() gives no promise', { return: () => ({ done: true, value: undefined }) }],
  ])('%s can be closed', async (_, close) => {
    const iterator = { next: () => new Promise<never>(() => {}), ...close };
    const { source, heard } = listen({ [Symbol.asyncIterator]: () => iterator });
    source.close();
    await turn();
    expect(source.exhausted).toBe(true);
    expect(heard.failures).toEqual([]);
  });
});
