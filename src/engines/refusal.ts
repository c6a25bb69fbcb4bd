import type { EngineError } from '../errors.js';
import { engineError } from './codes.js';

/** What a server's refusal of a command means. */
export interface Refusal {
  readonly error: EngineError;
  /** Whether trying again is of no use. */
  readonly isFinal: boolean;
}

/**
 * @returns undefined where the server refused nothing: the connection was lost, which says so itself. The error shown holds
 *   the server's words alone, since the one of the client holds the command with all that was sent
 */
export function refusalOf(error: Error): Refusal | undefined {
  // Of a transaction, the server's reason is in the commands.
  const [inner] = (error as { previousErrors?: readonly Error[] }).previousErrors ?? [];
  const { name, message } = inner ?? error;
  const words = shown(message.slice(0, 200));
  if (/^(OOM|MISCONF)\b|OOM command not allowed/.test(message)) {
    const what = 'The server takes nothing more in: submitting waits until machines have emptied it';
    return { error: engineError('ERR_ENGINE_FULL', `${what} (${words})`), isFinal: false };
  }
  // The last as it is said within a script.
  const isFinal = /NOPERM|READONLY|user executing the script/.test(message);
  if (!isFinal && name !== 'ReplyError') return undefined;
  return { error: engineError('ERR_ENGINE_REFUSED', `The server refused a command: ${words}`), isFinal };
}

/** Remote text, without what a terminal would obey. */
export function shown(remote: string): string {
  return Array.from(remote, (character) => (character < ' ' && character !== '\n' ? '�' : character)).join(
    '',
  );
}
