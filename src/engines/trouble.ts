import type { EngineEvents } from '../engine.js';
import { ThreadFactoryError } from '../errors.js';
import type { Fleet } from './backend.js';
import type { EngineCode } from './codes.js';
import { CODES, engineError } from './codes.js';
import { refusalOf, shown } from './refusal.js';

/**
 * Machines that refuse chunks, reports that can't be used, and a server that refuses commands. One bad machine must not end
 * a run that others carry, however often it comes back: it is a warning, its jobs run elsewhere. Where nobody else is left,
 * or all that are there have failed and three chunks in a row, the run does; it fails once.
 */

const MANY = 3;
/** Milliseconds in which the same complaint is made once. */
const QUIET_MS = 10_000;

export class Trouble {
  private latest: Error | undefined;
  /** Who failed. */
  private readonly who = new Set<string>();
  private inARow = 0;
  /** Machines that are there, once that is known. */
  private machines: ReadonlySet<string> | undefined;
  private saidAt = new Map<string, number>();
  private hasFailed = false;

  constructor(
    private readonly events: Pick<EngineEvents, 'warning' | 'failed'>,
    private readonly now: () => number,
  ) {}

  /** The run can't go on. */
  fail(error: Error): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.events.failed(error);
  }

  /** A chunk came back whose jobs did not run, or can't be known to have. */
  met(error: Error & { code?: unknown; machine?: string }): void {
    // A machine that leaves, or has begun something else, is no bad one.
    if (error.code === 'ERR_ENGINE_CANCELLED') return this.warnOnce(error);
    this.latest = error;
    // A report that names nobody is of one of them.
    this.who.add(error.machine ?? '');
    this.inARow += 1;
    if (this.isHopeless) this.fail(error);
    else this.warnOnce(error);
  }

  /** A machine did its work. */
  over(): void {
    this.latest = undefined;
    this.who.clear();
    this.inARow = 0;
  }

  /** Those who failed leave: if nobody else is there, the run can't go on. */
  fleet({ machines }: Fleet): void {
    this.machines = machines;
    if (this.latest !== undefined && (machines.size === 0 || this.isHopeless)) this.fail(this.latest);
  }

  /** The server did not do something. @returns whether that is because it is full */
  refused(error: Error): boolean {
    const refusal = refusalOf(error);
    if (refusal === undefined) return false;
    if (refusal.isFinal) this.fail(refusal.error);
    else this.warnOnce(refusal.error);
    return refusal.error.code === 'ERR_ENGINE_FULL';
  }

  /** What a machine said of a chunk it did not run: code, machine and text. */
  errorOf(reason: string): Error {
    const [, code = '', machine = '', message = ''] =
      /^(ERR_[A-Z_]+) ([\w.-]{1,64}) ([\s\S]*)$/.exec(reason.slice(0, 1_000)) ?? [];
    if (code === '')
      return engineError('ERR_ENGINE_ENVELOPE', `A chunk failed: ${shown(reason.slice(0, 1_000))}`);
    const words = `Machine ${machine}: ${shown(message)}`;
    const error = isOurs(code) ? engineError(code, words) : new ThreadFactoryError(words, { code });
    return Object.assign(error, { machine });
  }

  /** Whether nobody is there who has not failed. */
  private get isHopeless(): boolean {
    if (this.inARow < MANY || this.machines === undefined) return false;
    const others = [...this.machines].filter((name) => !this.who.has(name));
    return others.length === 0 || (others.length === 1 && this.who.has(''));
  }

  private warnOnce(error: Error & { code?: unknown }): void {
    const now = this.now();
    const code = String(error.code);
    if (now - (this.saidAt.get(code) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    this.saidAt.set(code, now);
    this.events.warning(error);
  }
}

function isOurs(code: string): code is EngineCode {
  return Object.hasOwn(CODES, code);
}
