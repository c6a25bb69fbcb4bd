import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import type { Picture } from '../../src/progress/frame.js';
import { drawFrame, MAX_WORKER_LINES, shorten } from '../../src/progress/frame.js';
import { jobText } from '../../src/progress/job-text.js';
import { Rate } from '../../src/progress/rate.js';
import { lastLine, speed, time } from '../../src/progress/words.js';
import type { Snapshot, WorkerSnapshot } from '../../src/snapshot.js';

const worker = (id: number, job: unknown, more: Partial<WorkerSnapshot> = {}): WorkerSnapshot => ({
  id,
  state: 'busy',
  jobs: [{ index: id, job, attempt: 1 }],
  ...more,
});

const snapshot = (more: Partial<Snapshot> = {}): Snapshot => ({
  phase: 'working',
  paused: false,
  completed: 4597,
  failed: 0,
  skipped: 0,
  total: 10_000,
  workers: [],
  ...more,
});

const picture = (of: Partial<Snapshot>, more: Partial<Picture> = {}): Picture => ({
  snapshot: snapshot(of),
  elapsedMs: 30_000,
  rate: 153.4,
  busyMs: () => 3_900,
  columns: 100,
  rows: 24,
  colors: false,
  ...more,
});

describe('a frame', () => {
  it('has a line a worker and one with bar, share, counts, rate, time and ETA', () => {
    const workers = [
      worker(1, 'images/0001.png'),
      worker(2, { id: 7, name: 'x' }),
      worker(3, 1, { state: 'starting', jobs: [] }),
    ];
    expect(drawFrame(picture({ workers, failed: 3, skipped: 12 }))).toEqual([
      '1     3s  images/0001.png',
      "2     3s  { id: 7, name: 'x' }",
      '3   starting',
      '█████████████░░░░░░░░░░░░░░░░░   46%  4,612/10,000  3 failed  12 skipped  153/s  30s  ETA 35s',
    ]);
  });

  it('has no share, no bar and no ETA while the list is open', () => {
    expect(drawFrame(picture({ total: undefined }))).toEqual(['4,597 done  153/s  list still open  30s']);
  });

  it('never says 100% before all jobs have settled', () => {
    const [line] = drawFrame(picture({ completed: 99_999, total: 100_000 }));
    expect(line).toContain(' 99%');
    expect(line).toContain('█████████████████████████████░');
  });

  it('says how many jobs a worker has at once, and which attempt it is', () => {
    const jobs = [
      { index: 1, job: 'a', attempt: 3 },
      { index: 2, job: 'b', attempt: 1 },
    ];
    expect(drawFrame(picture({ workers: [worker(1, '', { jobs })] }))[0]).toBe(
      '1     3s  a (attempt 3) and 1 more',
    );
  });

  it('shows the number of workers in place of a line each when they are many or the terminal is low', () => {
    const many = Array.from({ length: MAX_WORKER_LINES + 1 }, (_, id) => worker(id + 1, 'a'));
    const lines = drawFrame(picture({ workers: many }, { rows: 60 }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('17 workers');
    expect(drawFrame(picture({ workers: many.slice(0, 5) }, { rows: 7 }))).toHaveLength(1);
    expect(drawFrame(picture({ workers: many.slice(0, 5) }, { rows: 8 }))).toHaveLength(6);
  });

  it.each([1, 2, 5, 10, 20, 40, 60, 80, 200])('is never wider than a terminal of %i columns', (columns) => {
    const workers = [
      worker(1, `${'漢字'.repeat(50)}.png`, { jobs: [{ index: 1, job: '漢'.repeat(99), attempt: 2 }] }),
    ];
    const failing = { workers, failed: 300, skipped: 1200 };
    for (const line of drawFrame(picture(failing, { columns }))) {
      expect(stringWidth(line)).toBeLessThanOrEqual(Math.max(1, columns - 1));
    }
  });

  it('drops what matters least first where it is narrow: counts and failures stay', () => {
    const [line] = drawFrame(picture({ failed: 3 }, { columns: 30 }));
    expect(line).toContain('4,600/10,000');
    expect(line).toContain('3 failed');
    expect(line).not.toContain('/s');
  });

  it('says what goes on besides work', () => {
    expect(drawFrame(picture({ phase: 'listing', total: undefined }))).toEqual(['listing the jobs  30s']);
    expect(drawFrame(picture({ phase: 'stopping' }))[0]).toMatch(/stopping {3}45%/);
    expect(drawFrame(picture({ paused: true }))[0]).not.toContain('ETA');
  });

  it('is plain without colours and the same text with them', () => {
    const [plain] = drawFrame(picture({ failed: 3 }));
    const [colored] = drawFrame(picture({ failed: 3 }, { colors: true }));
    expect(plain).not.toContain('\u001b');
    expect(colored).toContain('\u001b[31m3 failed\u001b[39m');
    expect(stringWidth(colored ?? '')).toBe(stringWidth(plain ?? ''));
  });
});

describe('a text that is too long', () => {
  it('loses its middle, so that both ends of a path can be read', () => {
    expect(shorten('a/long/path/to/some/picture.png', 20)).toBe('a/long…e/picture.png');
    expect(shorten('short', 20)).toBe('short');
    expect(shorten('漢字漢字漢字', 5)).toBe('…字');
    // A red heart is two characters in a place of two.
    expect(shorten('\u2764\ufe0f'.repeat(6), 5)).toBe('…\u2764\ufe0f');
  });
});

describe('the text of a job', () => {
  it.each([
    ['images/1.png', 'images/1.png'],
    [17, '17'],
    [17n, '17n'],
    [null, 'null'],
    [
      { id: 1, name: 'a', tags: [1, 2], at: { b: 1 }, more: 1 },
      "{ id: 1, name: 'a', tags: [2], at: {…}, … }",
    ],
    [[1, 'b', {}, 4, 5], "[1, 'b', {…}, … 2 more]"],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Date(Number.NaN), 'Invalid Date'],
    [new Map([[1, 2]]), 'Map of 1'],
    [new Set([1]), 'Set of 1'],
    [new Uint8Array(3), 'Uint8Array of 3 bytes'],
    [new ArrayBuffer(3), '3 bytes'],
    [new TypeError('no'), 'no'],
    ['', 'job 5'],
    [{}, '{}'],
    [[], '[]'],
  ])('of %o is %s', (job, text) => {
    expect(jobText(job, 5)).toBe(text);
  });

  it('is one line without control characters or anything that turns the terminal over', () => {
    expect(jobText('a\u001b[2Jb\r\nc\u202ed\u0007', 0)).toBe('a [2Jb c d');
    expect(jobText({ 'k\u001b[1m': ['\u009b2J'] }, 0)).toBe('{ k [1m: [1] }');
    const bytes = Object.assign(new Uint8Array(3), { constructor: { name: '\u001b[2J' } });
    expect(jobText(bytes, 0)).toBe('[2J of 3 bytes');
  });

  it('keeps both ends of a text that is very long', () => {
    const text = jobText(`begin${'x'.repeat(1e6)}end`, 0);
    expect(text).toMatch(/^beginx+…x+end$/);
    expect(text.length).toBeLessThan(210);
  });

  it('calls none of the user’s code, and stands in for what can’t be read', () => {
    const called: string[] = [];
    const job = {
      get a() {
        called.push('get');
        return 1;
      },
      toString() {
        called.push('toString');
        return '';
      },
    };
    expect(jobText(job, 0)).toContain('{ a: …, toString: ');
    expect(called).toEqual([]);
    const refusing = new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('no');
        },
      },
    );
    expect(jobText(refusing, 17)).toBe('job 17');
  });
});

describe('the rate', () => {
  const observed = (samples: readonly (readonly [seconds: number, settled: number])[]): Rate => {
    const rate = new Rate();
    for (const [seconds, settled] of samples) rate.observe(seconds * 1000, settled);
    return rate;
  };

  it('is unknown until something has settled, and in the first second', () => {
    expect(
      observed([
        [0, 0],
        [60, 0],
      ]).perSecond,
    ).toBeUndefined();
    expect(
      observed([
        [0, 0],
        [0.5, 1000],
      ]).perSecond,
    ).toBeUndefined();
    expect(
      observed([
        [0, 0],
        [60, 0],
      ]).perSecond,
    ).toBeUndefined();
  });

  it('is what settled in the last half minute', () => {
    const rate = new Rate();
    for (let second = 0; second <= 100; second += 1) rate.observe(second * 1000, second * 1000);
    for (let second = 101; second <= 140; second += 1)
      rate.observe(second * 1000, 100_000 + (second - 100) * 10);
    expect(rate.perSecond).toBeCloseTo(10);
  });

  it('is known for a list of slow jobs too: the window grows', () => {
    const rate = new Rate();
    for (let second = 0; second <= 600; second += 1) rate.observe(second * 1000, Math.floor(second / 60));
    expect((rate.perSecond ?? 0) * 60).toBeCloseTo(1);
  });

  it('keeps few samples, however long a run with slow jobs takes', () => {
    const rate = new Rate();
    for (let second = 0; second <= 36_000; second += 1)
      rate.observe(second * 1000, Math.floor(second / 3600));
    expect((rate.perSecond ?? 0) * 3600).toBeCloseTo(1);
    expect((rate as unknown as { samples: unknown[] }).samples.length).toBeLessThan(600);
  });
});

describe('words', () => {
  it.each([
    [0, '0s'],
    [59_999, '59s'],
    [65_000, '1m 05s'],
    [3_725_000, '1h 02m'],
    [183_600_000, '2d 03h'],
  ])('say %i ms as %s', (ms, said) => {
    expect(time(ms)).toBe(said);
  });

  it.each([
    [1234.4, '1,234/s'],
    [1, '1.0/s'],
    [0.05, '3.0/min'],
    [0.001, '3.6/h'],
  ])('say %d jobs a second as %s', (rate, said) => {
    expect(speed(rate)).toBe(said);
  });

  it('say how a run ended', () => {
    const early = snapshot({ completed: 4, failed: 1, total: 10 });
    expect(lastLine(early, { how: 'interrupt' }, 12_000)).toBe(
      'interrupted after 12s: 4 completed, 1 failed, 5 not run',
    );
    expect(lastLine(snapshot({ completed: 10, skipped: 2, total: 12 }), { how: 'done' }, 65_000)).toBe(
      'finished in 1m 05s: 10 completed, 2 skipped',
    );
  });
});
