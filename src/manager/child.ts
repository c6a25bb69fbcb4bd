import type { ChildMessage, ManagerMessage } from '../protocol.js';

/** How a process ended: by exit code or signal, or it never began. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why it could not be forked. */
  readonly error?: Error;
}

/** What a child tells the worker that holds it. */
export interface ChildEvents {
  message(message: ChildMessage): void;
  /** It takes no more messages: its channel is closed, or it has exited. What it said may still arrive. May be called again. */
  disconnected(): void;
  /** It is gone and everything it said was heard. Called exactly once. */
  exited(exit: ChildExit): void;
}

/** One process that runs jobs, or what stands for one: as much of it as the manager needs. */
export interface Child {
  readonly pid: number | undefined;
  /** Labels its output lines; a worker gets its number after it was forked. */
  label(id: number): void;
  send(message: ManagerMessage): void;
  /** Signals it and the processes it started. @returns false where it had ended by itself before */
  kill(signal: 'SIGTERM' | 'SIGKILL'): boolean;
  /** The last lines of its stderr, as far as they were captured. */
  stderr(): string;
}

/** Makes a child. It does not throw: what goes wrong arrives through `exited`. */
export type SpawnChild = (events: ChildEvents) => Child;
