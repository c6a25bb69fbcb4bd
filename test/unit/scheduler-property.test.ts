import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeManager, type ManagerOptions } from '../helpers/manager.js';
import { type Plan, SimulatedChild, type Truth, type World } from '../helpers/simulated-child.js';

/**
 * Random lists on random options, in random orders of events: children that behave and some that don't, time that
 * passes, a user who pauses and stops. What must hold whatever happens is checked after every move and at the end.
 */

interface Case {
  readonly plans: readonly Plan[];
  readonly options: Partial<ManagerOptions>;
  /** A share of the list that an earlier run has done: every so many jobs, 0 for none. */
  readonly recorded: number;
  readonly lazy: boolean;
  /** Whether jobs take longer the later they are in the list. */
  readonly rises: boolean;
  readonly stubborn: boolean;
  /** Choices among what can happen, one a move. */
  readonly choices: readonly number[];
  /** After so many moves. */
  readonly ends: { readonly after: number; readonly how: 'stopped' | 'aborted' } | undefined;
}

const ENDS = ['stopped', 'aborted'] as const;
const WORKS: Plan = { does: 'complete', times: 0 };
/** Milliseconds of fake time beyond which a run counts as hanging, and moves beyond which it runs in circles. */
const PATIENCE = 10_000_000;
const MOST_MOVES = 50_000;

class Drive {
  readonly manager: FakeManager;
  readonly truths: Truth[];
  private readonly children: SimulatedChild[] = [];
  private readonly world: World;

  constructor(private readonly given: Case) {
    const { plans, options, recorded, lazy, rises } = given;
    this.truths = plans.map(() => ({ begun: [], longest: 0, running: 0, most: 0 }));
    const jobs = plans.map((_, index) => index);
    const admit = recorded === 0 ? undefined : (index: number) => index % recorded !== 0;
    this.manager = new FakeManager(lazy ? jobs.values() : jobs, { ...options, admit });
    this.world = {
      plans,
      truths: this.truths,
      concurrency: options.concurrency ?? 1,
      timeout: options.timeout,
      rises,
      now: () => this.manager.clock.now(),
    };
  }

  /** The random part, then everybody behaves until the run is over. */
  run(): void {
    const { choices, ends } = this.given;
    choices.forEach((choice, at) => {
      if (at === ends?.after) this.manager.scheduler.halt(ends.how);
      this.move(choice);
      this.check();
    });
    this.manager.scheduler.pace.hold(false);
    for (let moves = 0; this.manager.over === 0; moves += 1) {
      if (moves > MOST_MOVES || this.manager.clock.now() > PATIENCE) throw new Error('The run does not end');
      if (!this.behave()) this.manager.clock.advance(this.manager.clock.untilNext ?? PATIENCE);
      this.check();
    }
    while (this.behave());
  }

  /** One thing that can happen, mostly what should. */
  private move(choice: number): void {
    const kind = choice % 16;
    const which = Math.floor(choice / 16);
    const living = this.all();
    const child = living[which % Math.max(1, living.length)];
    const rest = Math.floor(which / Math.max(1, living.length));
    if (kind === 0) this.pass(rest % 3000);
    else if (kind === 1) this.manager.clock.flush();
    else if (kind === 2 && rest % 4 === 0) child?.failToStart(rest % 8 === 0);
    else if (kind === 3) this.manager.scheduler.pace.hold(rest % 2 === 0);
    else if (kind <= 5) pick(child?.mishaps() ?? [], rest)?.();
    else pick(child?.moves() ?? [], rest)?.();
  }

  /** Time passes for those who have nothing else to do. */
  private pass(ms: number): void {
    while (this.behave());
    this.manager.clock.advance(ms);
  }

  /** Everything that is due happens, but for the jobs that hang. @returns whether there was anything */
  private behave(): boolean {
    let any = false;
    this.manager.clock.flush();
    for (const child of this.all()) {
      for (let [move] = child.moves(); move !== undefined; [move] = child.moves()) {
        move();
        any = true;
      }
    }
    return any;
  }

  private all(): SimulatedChild[] {
    for (const child of this.manager.children.slice(this.children.length)) {
      this.children.push(new SimulatedChild(child, this.world, this.given.stubborn));
    }
    return this.children;
  }

  /** What holds at any moment. */
  private check(): void {
    const { living, scheduler } = this.manager;
    const { workers = 1 } = this.given.options;
    const names = living.flatMap(({ name }) => name ?? []);
    if (new Set(names).size < names.length) throw new Error(`Two of the living have one number: ${names}`);
    if (Math.max(0, ...names) > workers) throw new Error(`A number above ${workers}: ${names}`);
    const able = [...scheduler.workers].filter((worker) => worker.living).length;
    if (able > workers) throw new Error(`${able} workers instead of ${workers}`);
  }
}

function pick<Value>(values: readonly Value[], choice: number): Value | undefined {
  return values[choice % Math.max(1, values.length)];
}

const plan = fc.oneof(
  { weight: 6, arbitrary: fc.constant(WORKS) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant('throw' as const), times: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant('crash' as const), times: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Plan>({ does: 'throw later', times: 0 }, { does: 'refuse', times: 0 }),
  },
);
const timedPlan = fc.oneof(
  { weight: 8, arbitrary: plan },
  { weight: 1, arbitrary: fc.constant<Plan>({ does: 'hang', times: 0 }) },
);

const cases: fc.Arbitrary<Case> = fc.constantFrom(undefined, 1000).chain((timeout) =>
  fc.record({
    plans: fc.array(timeout === undefined ? plan : timedPlan, { maxLength: 80, size: 'max' }),
    options: fc.record({
      timeout: fc.constant(timeout),
      workers: fc.integer({ min: 1, max: 4 }),
      concurrency: fc.constantFrom(1, 1, 1, 2, 3),
      batchSize: fc.constantFrom<'auto' | number>('auto', 'auto', 'auto', 1, 2, 3, 8),
      crashRetries: fc.integer({ min: 0, max: 2 }),
      retries: fc.record({
        limit: fc.integer({ min: 0, max: 2 }),
        delay: fc.constantFrom(
          () => 0,
          () => 700,
        ),
        when: fc.constant(() => true),
      }),
      maxJobsPerWorker: fc.constantFrom(undefined, undefined, 1, 3),
      ordered: fc.boolean(),
      bail: fc.constantFrom(...Array<undefined>(9), { count: 2 }),
    }),
    recorded: fc.constantFrom(0, 0, 2, 3),
    lazy: fc.boolean(),
    rises: fc.boolean(),
    stubborn: fc.boolean(),
    choices: fc.array(fc.noBias(fc.nat()), { maxLength: 250, size: 'max' }),
    ends: fc.oneof(
      { weight: 6, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.record({ after: fc.nat(250), how: fc.constantFrom(...ENDS) }) },
    ),
  }),
);

function verify(given: Case): void {
  const drive = new Drive(given);
  drive.run();
  const { manager, truths } = drive;
  const { crashRetries = 2, retries, timeout = 0 } = given.options;
  // It ended, once, and left nothing behind.
  expect([manager.over, manager.living.length, manager.clock.pending]).toEqual([1, 0, 0]);
  // Nothing was lost, unless somebody ended the run early.
  const settled = manager.settled.map(({ index }) => index).sort((a, b) => a - b);
  expect(new Set(settled).size).toBe(settled.length);
  const early = given.ends !== undefined || manager.errors.length > 0 || given.options.bail !== undefined;
  const due = given.plans
    .map((_, index) => index)
    .filter((index) => !given.recorded || index % given.recorded !== 0);
  if (early) for (const index of settled) expect(due).toContain(index);
  else expect(settled).toEqual(due);
  // Nobody ran twice at once, and a job's attempt is one more than what it was charged.
  for (const { most } of truths) expect(most).toBeLessThanOrEqual(1);
  for (const one of manager.settled) {
    const charges = manager.retries.filter(({ index }) => index === one.index).map(({ attempt }) => attempt);
    const attempts = 'error' in one ? one.attempts : one.attempt;
    expect(charges).toEqual(Array.from({ length: attempts - 1 }, (_, at) => at + 1));
    const begun = truths[one.index]?.begun ?? [];
    for (let attempt = 1; attempt <= attempts; attempt += 1) expect(begun).toContain(attempt);
    expect(Math.max(...begun)).toBe(attempts);
  }
  // Who failed had it coming.
  for (const { index, attempts, error } of manager.failed) {
    const { does } = given.plans[index] ?? WORKS;
    const { code, message } = error as { code?: string; message: string };
    if (code === 'ERR_WORKER_CRASH') expect([does, attempts > crashRetries]).toEqual(['crash', true]);
    else if (code === 'ERR_JOB_TIMEOUT') expect(truths[index]?.longest).toBeGreaterThanOrEqual(timeout);
    else if (message === 'threw') expect([does, attempts > (retries?.limit ?? 0)]).toEqual(['throw', true]);
    else expect([does, message]).toEqual(['refuse', 'refused']);
  }
  for (const index of manager.completed) expect(given.plans[index]?.does).not.toMatch(/hang|refuse/);
}

describe('whatever happens in whatever order', () => {
  it('no job is lost or settled twice, charges add up, innocents complete and the run ends', () => {
    fc.assert(fc.property(cases, verify), { numRuns: 120 });
  });
});
