import { expect, it } from 'vitest';
import { Pace } from '../../src/manager/pace.js';
import { FakeClock } from '../helpers/fake-clock.js';

function made() {
  const clock = new FakeClock();
  const steps: number[] = [];
  const pace = new Pace(clock, () => steps.push(clock.now()));
  return { clock, steps, pace, began: clock.now() };
}

it('steps once for all that has come, and again for what comes later', () => {
  const { clock, steps, pace } = made();
  for (let turn = 0; turn < 3; turn += 1) pace.poke();
  expect(steps).toHaveLength(0);
  clock.flush();
  expect(steps).toHaveLength(1);
  pace.poke();
  clock.flush();
  expect(steps).toHaveLength(2);
});

it('steps when what was held goes on, and for no other word about it', () => {
  const { clock, steps, pace } = made();
  const said = [false, true, true, false, false].map((on) => {
    pace.hold(on);
    clock.flush();
    return [pace.held, steps.length];
  });
  expect(said).toEqual([
    [false, 0],
    [true, 0],
    [true, 0],
    [false, 1],
    [false, 1],
  ]);
});

it('steps when the retry is due that was named last, and for none that is due by now', () => {
  const { clock, steps, pace, began } = made();
  pace.wakeFor(began + 50, began);
  pace.wakeFor(began + 100, began);
  clock.advance(99);
  expect(steps).toEqual([]);
  clock.advance(1);
  expect(steps).toEqual([began + 100]);
  pace.wakeFor(began + 150, clock.now());
  for (const due of [undefined, clock.now(), began]) pace.wakeFor(due, clock.now());
  expect(clock.pending).toBe(0);
});

it('leaves no timer behind', () => {
  const { clock, pace, began } = made();
  pace.wakeFor(began + 50, began);
  pace.stop();
  expect(clock.pending).toBe(0);
});
