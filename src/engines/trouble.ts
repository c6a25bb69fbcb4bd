import type { EngineEvents } from '../engine.js';
import { ThreadFactoryError } from '../errors.js';
import type { Fleet } from './backend.js';
import type { EngineCode } from './codes.js';
import { CODES, engineError } from './codes.js';

/**
 * Machines that refuse chunks, and reports that can't be used. One bad machine must not end a run that others carry: it is
 * a warning, its jobs run elsewhere. Where nobody else is left, or three in a row fail, the run does.
 */

const MANY = 3;
/** Milliseconds in which the same complaint is made once. */
const QUIET_MS = 10_000;

export class Trouble {
  private latest: Error | undefined;
  private readonly who = new Set<string>();
  private saidAt = new Map<string, number>();

  constructor(
    private readonly events: Pick<EngineEvents, 'warning' | 'failed'>,
    private readonly now: () => number,
  ) {}

  /** A chunk came back whose jobs did not run, or can't be known to have. */
  met(error: Error): void {
    this.latest = error;
    this.who.add((error as { machine?: string }).machine ?? `a report ${this.who.size}`);
    if (this.who.size >= MANY) this.events.failed(error);
    else this.events.warning(error);
  }

  /** A machine did its work. */
  over(): void {
    this.latest = undefined;
    this.who.clear();
  }

  /** Those who failed leave: if nobody else is there, the run can't go on. */
  fleet({ machines }: Fleet): void {
    if (machines === 0 && this.latest !== undefined) this.events.failed(this.latest);
  }

  /** The server did not take something. */
  refused(error: Error): void {
    if (/^(OOM|MISCONF)\b|OOM command not allowed/.test(error.message)) {
      this.warnOnce(
        engineError(
          'ERR_ENGINE_FULL',
          'The server has no memory left: submitting waits until machines have emptied it',
          error,
        ),
      );
    } else if (/NOPERM|READONLY/.test(error.message)) {
      this.events.failed(
        engineError(
          'ERR_ENGINE_REFUSED',
          `The server refused a command: ${error.message.slice(0, 200)}`,
          error,
        ),
      );
    }
    // Anything else is the connection, which says so itself.
  }

  /** What a machine said of a chunk it did not run: code, machine and text. */
  errorOf(reason: string): Error {
    const [, code = '', machine = '', message = ''] =
      /^(ERR_[A-Z_]+) ([\w.-]{1,64}) ([\s\S]*)$/.exec(reason) ?? [];
    if (code === '') return engineError('ERR_ENGINE_ENVELOPE', `A chunk failed: ${clean(reason)}`);
    const words = `Machine ${machine}: ${clean(message)}`;
    const error = isOurs(code) ? engineError(code, words) : new ThreadFactoryError(words, { code });
    return Object.assign(error, { machine });
  }

  private warnOnce(error: Error & { code: string }): void {
    const now = this.now();
    if (now - (this.saidAt.get(error.code) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    this.saidAt.set(error.code, now);
    this.events.warning(error);
  }
}

function isOurs(code: string): code is EngineCode {
  return Object.hasOwn(CODES, code);
}

/** Remote text, without what a terminal would obey. */
function clean(remote: string): string {
  return Array.from(remote.slice(0, 1_000), (character) =>
    character < ' ' && character !== '\n' ? '�' : character,
  ).join('');
}
