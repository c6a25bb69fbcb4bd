import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * HMAC-SHA256 over what goes through the queue: with a `secret` on both sides, whoever can write to the server can neither
 * make a machine run a job nor forge a result.
 */

/** @param parts joined by a byte that none of them but the last can hold */
export function sign(secret: string, parts: readonly string[]): string {
  return createHmac('sha256', secret).update(parts.join('\n')).digest('base64url');
}

/** Whether this is the signature, compared in constant time. */
export function isSigned(secret: string, parts: readonly string[], mac: unknown): boolean {
  const wanted = Buffer.from(sign(secret, parts));
  const given = Buffer.from(typeof mac === 'string' ? mac : '');
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}
