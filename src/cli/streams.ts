import { fstatSync, type Stats } from 'node:fs';
import { inspect, stripVTControlCharacters } from 'node:util';
import { ThreadFactoryError } from '../errors.js';
import type { ThreadFactory } from '../factory.js';
import { jobText } from '../progress/job-text.js';
import type { Failure } from '../spec.js';
import { STATUS } from './command.js';
import type { LineStream } from './json-lines.js';
import { UsageError } from './parse.js';

/**
 * What the command writes, and where: results on standard output, all else on standard error.
 */

/** Failures that are printed; the rest is counted. */
const MAX_FAILURES = 20;

/** Characters of what is said at once: an error may have a whole file for its message. */
const LONGEST = 16 * 1024;

/** One line (or more) about the run itself. What jobs and errors say does not steer the terminal. */
export function say(text: string): void {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  const plain = stripVTControlCharacters(short).replaceAll(/[^\P{Cc}\n\t]/gu, ' ');
  process.stderr.write(`threadfactory: ${plain}\n`);
}

/** An error for a person: our own say in words all that there is to know, of others the stack is of use. */
export function errorText(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  if (error instanceof ThreadFactoryError && error.code !== 'ERR_WORKER_START') return error.message;
  if (isTypeScriptUnknown(error)) {
    return (
      `${error.message}: this version of Node does not run TypeScript by itself, as 22.18 and later do. ` +
      "With tsx installed: NODE_OPTIONS='--import tsx' threadfactory run …"
    );
  }
  return error instanceof Error ? (error.stack ?? String(error)) : inspect(error);
}

function isTypeScriptUnknown(error: unknown): error is Error {
  if (!(error instanceof Error) || (error as NodeJS.ErrnoException).code !== 'ERR_UNKNOWN_FILE_EXTENSION')
    return false;
  return /"\.[cm]?ts"/.test(error.message);
}

/** What a file descriptor is; undefined where it is closed. */
export function statOf(fd: number): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    // EBADF: it was closed by whoever started us.
    return undefined;
  }
}

/** The same stream as one that is no terminal: lines are written to it, nothing is drawn. */
export function plainStream(stream: NodeJS.WriteStream): object {
  return {
    write: (text: string) => stream.write(text),
    on: (event: string, listener: (...args: unknown[]) => void) => stream.on(event, listener),
    removeListener: (event: string, listener: (...args: unknown[]) => void) =>
      stream.removeListener(event, listener),
  };
}

/** Writes to standard output, which a file does at once and a pipe when it can. */
export function print(text: string): void {
  written(process.stdout.write.bind(process.stdout), text);
}

/** As with any program in a pipe: `| head` has seen enough, and the workers go with us. */
export function quietWithoutReader(): void {
  process.stdout.on('error', unwritten);
  // Nobody is left to be told why, and no reason to end a run.
  process.stderr.on('error', () => {});
}

/** @param then called when it was written, or could not be */
function written(write: typeof process.stdout.write, text: string, then: () => void = () => {}): boolean {
  try {
    return write(text, then);
  } catch (error) {
    unwritten(error as NodeJS.ErrnoException);
    setImmediate(then);
    return true;
  }
}

/**
 * Ends the process, unless Ctrl-C has asked the run to end: that went to whoever read our output as well, and what runs has
 * its time. Such a signal may have arrived and not been heard yet, for which the loop has to go round.
 */
function unwritten({ code, message }: NodeJS.ErrnoException): void {
  const end = (): void => {
    if (isInterrupted()) return;
    if (code !== 'EPIPE') say(`can not write to standard output: ${message}`);
    process.exit(code === 'EPIPE' ? STATUS.unread : STATUS.wrong);
  };
  setImmediate(() => setImmediate(end));
}

/** Whether `handleSignals` was asked to end the run. */
function isInterrupted(): boolean {
  return STATUS.interrupted.some((status) => status === process.exitCode);
}

/** Ends the process when all that was written has gone. */
export function leave(status: number): void {
  const flushed = [process.stdout, process.stderr].map(
    (stream) => new Promise((resolve) => stream.write('', resolve)),
  );
  void Promise.all(flushed).then(() => process.exit(status));
}

/**
 * Takes standard output for results alone: what scripts and workers print to it goes to standard error. On a terminal
 * both are one, and a display knows how to share it.
 */
export function takeOutput(): LineStream {
  const { stdout, stderr } = process;
  if (stdout.isTTY) return stdout;
  const write = stdout.write.bind(stdout);
  // Looked up each time: a display takes `write` over while it is there.
  stdout.write = (...args: unknown[]): boolean => Reflect.apply(stderr.write, stderr, args);
  return {
    write: (text, then) => written(write, text, then),
    once: (event, listener) => stdout.once(event, listener),
  };
}

/** Prints jobs that failed, one a line, unless the script has a listener of its own for them. */
export class Failures {
  private printed = 0;

  failed(factory: ThreadFactory, error: Error, { index, job, attempts }: Omit<Failure, 'error'>): void {
    if (factory.listenerCount('error') > 0) return;
    this.printed += 1;
    if (this.printed > MAX_FAILURES + 1) return;
    if (this.printed > MAX_FAILURES) {
      say('more jobs failed; --json or --journal has them all');
      return;
    }
    const text = jobText(job, index);
    const which = text === `job ${index}` ? text : `job ${index} (${text})`;
    const tries = attempts > 1 ? ` after ${attempts} attempts` : '';
    say(`${which} failed${tries}: ${error.name}: ${error.message}`);
  }
}
