import { EngineError } from '../errors.js';

/** Every code of an engine's errors and warnings, and what it means. The table of docs/cluster.md is this one. */
export const CODES = {
  ERR_ENGINE_MISSING: 'the packages of the engine are not installed',
  ERR_ENGINE_UNREACHABLE: 'the server did not answer when the run began',
  ERR_ENGINE_AUTH: 'the server refused user name or password',
  ERR_ENGINE_DOWN: 'the connection to the server was lost',
  ERR_ENGINE_RECOVERED: 'the connection to the server is back',
  ERR_ENGINE_FULL: 'the server has no memory left',
  ERR_ENGINE_EVICTION: 'the server may evict keys',
  ERR_ENGINE_DATA_LOST: 'the server lost chunks, which were submitted again',
  ERR_ENGINE_NO_WORKERS: 'no machine is connected',
  ERR_ENGINE_STALLED: 'a machine died or lost the server: its chunk runs again',
  ERR_ENGINE_WORKER_LOST: 'every machine that ran the job died',
  ERR_ENGINE_SPEC_MISMATCH: 'a machine has another version of the module',
  ERR_ENGINE_CANCELLED: 'a machine dropped a chunk of a run that is over',
  ERR_ENGINE_ENVELOPE: 'what came through the queue is not what was sent',
  ERR_ENGINE_PAYLOAD_TOO_LARGE: 'a job or a result is too large for the queue',
  ERR_ENGINE_IN_USE: 'another manager uses this name',
  ERR_ENGINE_REFUSED: 'the server refused a command',
} as const satisfies Readonly<Record<`ERR_ENGINE_${string}`, string>>;

/** One of them. */
export type EngineCode = keyof typeof CODES;

/** @param code what happened; the message begins with nothing but words, the code is the property */
export function engineError(code: EngineCode, message: string, cause?: unknown): EngineError {
  return new EngineError(message, cause === undefined ? { code } : { code, cause });
}
