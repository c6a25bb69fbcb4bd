import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { OptionError } from '../errors.js';
import { expectedSecret, isFunction, isRecord } from '../option-checks.js';

/** Where the server is, and how secrets get there and nowhere else. */

/** A server: what ioredis takes, among it `url`, `host`, `port`, `username`, `password`, `tls`; or a client of ioredis. */
export type Connection =
  | {
      readonly url?: string;
      readonly host?: string;
      readonly port?: number;
      readonly username?: string;
      readonly password?: string;
      readonly db?: number;
      readonly tls?: object;
      readonly [option: string]: unknown;
    }
  | Redis;

/** Names of variables that are about the server: children never see them. */
const SERVER_VARIABLE = /^(REDIS|VALKEY)(_|$)|^THREADFACTORY_SECRET/i;

/** @throws OptionError; a connection is never shown */
export function checkConnection(value: unknown, name: string): Connection {
  if (isRecord(value) || isFunction(value)) return value as Connection;
  throw expectedSecret(
    name,
    'an object such as `{ url: process.env.REDIS_URL }`, or a client of ioredis',
    value,
  );
}

/**
 * The server that the environment names: `REDIS_URL`, and `REDIS_PASSWORD_FILE` (or `REDIS_PASSWORD`) for its password.
 * @throws OptionError where there is none, or the file can't be read
 */
export function connectionFromEnv(env: NodeJS.ProcessEnv): Connection {
  const { REDIS_URL: url, REDIS_PASSWORD_FILE: file, REDIS_PASSWORD, REDIS_USERNAME: username } = env;
  if (url === undefined || url === '') {
    throw new OptionError('Expected the server in `connection` or in the variable REDIS_URL, found neither');
  }
  const password = file === undefined ? REDIS_PASSWORD : readSecret(file);
  return {
    url,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
}

/** A secret in a file, as containers get them. */
export function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new OptionError(
      `Can not read the secret in ${file}: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}`,
    );
  }
}

/**
 * Without a server to go to, ioredis would take one of this machine.
 * @throws OptionError where a URL is to be used and is not there: most often a variable that is not set; and for
 *   `keyPrefix`, which bullmq can't have
 */
export function checkServer(connection: Connection): void {
  const { keyPrefix } = optionsOf(connection);
  if (keyPrefix !== undefined && keyPrefix !== '') {
    throw new OptionError('Expected `connection` without `keyPrefix`: the option `prefix` begins every key');
  }
  if (isClient(connection) || !Object.hasOwn(connection, 'url')) return;
  const { url, host, path, sentinels } = connection as Readonly<Record<string, unknown>>;
  if ([host, path, sentinels].some((other) => other !== undefined)) return;
  if (typeof url === 'string' && url !== '') return;
  throw new OptionError(
    'Expected `connection.url` to be the address of a server, such as redis://host:6379, found nothing there: is the variable set that it is taken from?',
  );
}

/** Whether it is a client already. */
export function isClient(connection: Connection): connection is Redis {
  return isFunction((connection as { duplicate?: unknown }).duplicate);
}

function optionsOf(connection: Connection): Readonly<Record<string, unknown>> {
  const { options = connection } = connection as { options?: object };
  return options as Readonly<Record<string, unknown>>;
}

/** Texts that must be shown to nobody. */
export function secretsOf(connection: Connection): readonly string[] {
  const { url, password, sentinelPassword } = optionsOf(connection);
  const secrets = [password, sentinelPassword];
  if (typeof url === 'string' && URL.canParse(url)) {
    const parsed = new URL(url);
    secrets.push(parsed.password, decodeURIComponent(parsed.password));
    if (parsed.password !== '') secrets.push(url);
  }
  return secrets.filter((secret): secret is string => typeof secret === 'string' && secret !== '');
}

/** A text without the secrets, and without anybody's credentials in a URL. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text.replace(/\/\/[^/@\s]*@/g, '//***@');
  for (const secret of secrets) clean = clean.replaceAll(secret, '***');
  return clean;
}

/** The variables of an environment that children may have: none of the server's, none that holds a secret. */
export function withoutSecrets(
  env: NodeJS.ProcessEnv,
  secrets: readonly string[],
  allowed: readonly string[] | undefined,
): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name, value = '']) => {
      if (SERVER_VARIABLE.test(name) || secrets.some((secret) => value.includes(secret))) return false;
      return allowed === undefined || allowed.includes(name);
    }),
  );
}
