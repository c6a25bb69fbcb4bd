import { describe, expect, it } from 'vitest';
import { LiveDisplay } from '../../src/progress/live.js';
import { PlainLines } from '../../src/progress/plain.js';
import type { TerminalStream } from '../../src/progress/terminal.js';
import { isDrawable } from '../../src/progress/terminal.js';
import type { Snapshot } from '../../src/snapshot.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { Screen } from '../helpers/screen.js';

const START: Snapshot = {
  phase: 'working',
  paused: false,
  completed: 0,
  failed: 0,
  skipped: 0,
  total: 10,
  workers: [{ id: 1, state: 'busy', jobs: [{ index: 0, job: 'one.png', attempt: 1 }] }],
};

/** A display on a terminal, with hands on everything it depends on. */
function display(screen = new Screen()) {
  const clock = new FakeClock();
  const exits = new Set<() => void>();
  let now = START;
  const live = new LiveDisplay({
    stream: screen as unknown as TerminalStream,
    shared: [screen as unknown as TerminalStream],
    clock,
    snapshot: () => now,
    onExit: (callback) => {
      exits.add(callback);
      return () => exits.delete(callback);
    },
  });
  return { screen, clock, exits, live, be: (more: Partial<Snapshot>) => (now = { ...now, ...more }) };
}

describe('a live display', () => {
  it('draws over itself as the run goes on', async () => {
    const { screen, clock, be } = display();
    expect(await screen.lines()).toEqual([
      '1     0s  one.png',
      expect.stringMatching(/^░{30} {4}0% {2}0\/10 {2}0s$/),
    ]);
    be({
      completed: 5,
      workers: [{ id: 1, state: 'busy', jobs: [{ index: 5, job: 'six.png', attempt: 1 }] }],
    });
    clock.advance(3000);
    expect(await screen.lines()).toEqual([
      '1     2s  six.png',
      expect.stringMatching(/^█{15}░{15} {3}50% {2}5\/10 {2}1\.7\/s {2}3s {2}ETA 3s$/),
    ]);
  });

  it('still hears that its last line could not be written', () => {
    const { screen, clock, live } = display();
    live.end({ how: 'done' });
    // A stream tells of that later than in the call.
    expect(screen.listening).toBe(1);
    clock.flush();
    expect(screen.listening).toBe(0);
  });

  it('writes nothing where nothing has changed', () => {
    const { screen, clock, be } = display();
    be({ workers: [], phase: 'listing' });
    clock.advance(1100);
    const before = screen.written.length;
    clock.advance(800);
    expect(screen.written.length).toBe(before);
  });

  it('has what others write printed above it, by whole lines', async () => {
    const { screen, clock } = display();
    screen.write('from a ');
    screen.write(Buffer.from('worker\nhalf'));
    clock.flush();
    expect(await screen.lines()).toEqual([
      'from a worker',
      '1     0s  one.png',
      expect.stringContaining('0/10'),
    ]);
    screen.write(' a line\n');
    clock.advance(100);
    expect((await screen.lines()).slice(0, 2)).toEqual(['from a worker', 'half a line']);
    expect(await screen.lines()).toHaveLength(4);
  });

  it('breaks no line in two because much is written at once', async () => {
    const { screen, clock } = display();
    screen.write(`${'many\n'.repeat(20_000)}in two `);
    screen.write('halves\n');
    clock.flush();
    expect(await screen.lines()).toContain('in two halves');
  });

  it('keeps all of what others write when it scrolls', async () => {
    const { screen, clock } = display(new Screen(80, 8));
    for (let line = 0; line < 50; line += 1) {
      screen.write(`line ${line}\n`);
      if (line % 7 === 0) clock.flush();
    }
    clock.flush();
    const lines = await screen.lines();
    expect(lines.slice(0, 50)).toEqual(Array.from({ length: 50 }, (_, line) => `line ${line}`));
    expect(lines).toHaveLength(52);
  });

  it('calls back who writes, and takes text in any encoding', async () => {
    const { screen, clock } = display();
    const write = screen.write as unknown as (...args: unknown[]) => boolean;
    await new Promise((resolve) => write('aMOkCg==', 'base64', resolve));
    clock.flush();
    expect((await screen.lines())[0]).toBe('hä');
  });

  it.each([40, 30, 12, 120])(
    'is one frame again after the terminal changed to %i columns',
    async (columns) => {
      const { screen, clock, be } = display();
      const long = { index: 0, job: `${'long/'.repeat(12)}name.png`, attempt: 1 };
      be({ workers: [{ id: 1, state: 'busy', jobs: [long] }] });
      screen.write('above\n');
      clock.advance(200);
      await screen.resize(columns);
      clock.advance(200);
      const lines = await screen.lines();
      expect(lines).toHaveLength(3);
      expect(lines[0]).toBe('above');
      expect(lines[2]).toContain('0/10');
      for (const line of lines) expect(line.length).toBeLessThan(Math.max(columns, 6));
    },
  );

  it('leaves a last line, the cursor and no listener, timer or changed stream', async () => {
    const screen = new Screen();
    const { write } = screen;
    const { clock, exits, live, be } = display(screen);
    expect(screen.cursorShown).toBe(false);
    be({ completed: 9, failed: 1 });
    clock.advance(2000);
    screen.write('not finished');
    live.end({ how: 'done' });
    live.end({ how: 'failed' });
    expect(await screen.lines()).toEqual(['not finished', '✖ finished in 2s: 9 completed, 1 failed']);
    expect(screen.cursorShown).toBe(true);
    expect(screen.write).toBe(write);
    clock.flush();
    expect([screen.listening, exits.size, clock.pending]).toEqual([0, 0, 0]);
  });

  it('does the same when the process ends in the middle of the run', async () => {
    const { screen, clock, exits, be } = display();
    be({ completed: 1 });
    clock.advance(1000);
    screen.write('last words\n');
    for (const exit of exits) exit();
    expect(await screen.lines()).toEqual([
      'last words',
      '■ the process exited after 1s: 1 completed, 9 not run',
    ]);
    expect(screen.cursorShown).toBe(true);
  });

  it('passes on what goes through it still when somebody else took over `write` meanwhile', async () => {
    const screen = new Screen();
    const { live } = display(screen);
    const ours = screen.write;
    screen.write = (text) => ours(`<${String(text).trim()}>\n`);
    live.end({ how: 'done' });
    screen.write('later\n');
    expect((await screen.lines()).at(-1)).toBe('<later>');
  });

  it('stops drawing on a terminal that went away', () => {
    const { screen, clock } = display();
    screen.emit('error', new Error('EIO'));
    const before = screen.written.length;
    clock.advance(5000);
    expect(screen.written.length).toBe(before);
  });

  it('takes a terminal that has no size for one of the usual size', async () => {
    const screen = new Screen();
    Object.assign(screen, { columns: 0, rows: 0 });
    display(screen);
    expect(await screen.lines()).toEqual([
      '1     0s  one.png',
      expect.stringMatching(/^░{30} {4}0% {2}0\/10/),
    ]);
  });

  it('has colours where the terminal has them', () => {
    expect(display(new Screen(80, 24, true)).screen.written).toContain('\u001b[36m1\u001b[39m');
    expect(display(new Screen(80, 24, false)).screen.written).not.toContain('\u001b[36m');
  });
});

describe('plain lines', () => {
  const lines = () => {
    const screen = new Screen(200);
    const clock = new FakeClock();
    let now = START;
    const plain = new PlainLines(screen as unknown as TerminalStream, clock, () => now);
    return { screen, clock, plain, be: (more: Partial<Snapshot>) => (now = { ...now, ...more }) };
  };

  it('come every five seconds, and one at the end', async () => {
    const { screen, clock, plain, be } = lines();
    clock.advance(4900);
    be({ completed: 4, failed: 1 });
    clock.advance(200);
    be({ total: undefined });
    clock.advance(5000);
    be({ completed: 9, total: 10 });
    plain.end({ how: 'done' });
    clock.flush();
    expect(await screen.lines()).toEqual([
      'threadfactory: 50%, 5/10, 1 failed, 1.0/s, ETA 5s',
      'threadfactory: 5 done, 1 failed, 30.0/min',
      'threadfactory: finished in 10s: 9 completed, 1 failed',
    ]);
    expect([screen.listening, clock.pending]).toEqual([0, 0]);
  });

  it('stop when the stream can’t be written to', () => {
    const { screen, clock, plain } = lines();
    screen.emit('error', new Error('EPIPE'));
    clock.advance(20_000);
    plain.end({ how: 'done' });
    expect(screen.written).toBe('');
  });
});

describe('a stream', () => {
  it.each([
    ['a terminal', true, { TERM: 'xterm' }, true],
    ['a file or pipe', undefined, { TERM: 'xterm' }, false],
    ['a dumb terminal', true, { TERM: 'dumb' }, false],
    ['the log of a build server', true, { TERM: 'xterm', CI: 'true' }, false],
    ['a terminal that says it is none', true, { TERM: 'xterm', CI: 'false' }, true],
  ])('that is %s can be drawn on: %s, %o: %s', (_, isTTY, env, drawable) => {
    expect(isDrawable({ ...new Screen(), isTTY } as unknown as TerminalStream, env)).toBe(drawable);
  });
});
