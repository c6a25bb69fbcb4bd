import type { Redis, RedisOptions } from 'ioredis';
import type { Clock, Timer } from '../clock.js';
import type { EngineError } from '../errors.js';
import { engineError } from './codes.js';
import type { Connection } from './connection.js';
import { isClient, redact, secretsOf } from './connection.js';
import type { Library } from './library.js';
import { Pulse } from './pulse.js';

/**
 * One client of the server, and what it says about being there.
 *
 * Commands wait for a connection as long as it takes (`maxRetriesPerRequest: null`): whoever can't wait closes the client.
 * What a server says is shown without secrets, and never as it is: a failed AUTH carries the password.
 */

/** How long it waits. */
export interface LinkLimits {
  readonly clock: Clock;
  /** Milliseconds for the server to answer, when it is connected to and ever after. */
  readonly answer: number;
}

/** What a client tells. */
export interface LinkEvents {
  down(error: EngineError): void;
  up(): void;
}

/** Milliseconds between two attempts to connect, at most. */
const RECONNECT_MS = 1_000;
/** Milliseconds for the other end to agree that a connection is over. */
const GOODBYE_MS = 200;
const AUTH = /WRONGPASS|NOAUTH|invalid password|NOPERM|AUTH failed|without any password/i;

export class Link {
  readonly client: Redis;
  /** Clients that bullmq made of ours, for commands that block. */
  private readonly copies: Redis[] = [];
  private readonly secrets: readonly string[];
  private lastError = '';
  private state: 'connecting' | 'up' | 'down' | 'closed' = 'connecting';
  private onceReady: (() => void) | undefined;
  private onceRefused: ((error: EngineError) => void) | undefined;
  private readonly pulse: Pulse;

  constructor(
    library: Library,
    connection: Connection,
    private readonly limits: LinkLimits,
    private readonly events: LinkEvents,
  ) {
    this.secrets = secretsOf(connection);
    this.client = createClient(library, connection);
    this.trackCopies();
    const { clock, answer } = limits;
    this.pulse = new Pulse(
      clock,
      answer,
      () => this.client.ping(),
      () => this.isSilent(),
    );
    this.client.on('error', (error: Error) => this.failed(error));
    this.client.on('connect', () => this.pulse.due());
    this.client.on('ready', () => this.isReady());
    this.client.on('close', () => this.isGone());
  }

  /** Resolves when the server answers; rejects with `ERR_ENGINE_AUTH`, or in time with `ERR_ENGINE_UNREACHABLE`. */
  async connect(): Promise<void> {
    const { clock, answer: limit } = this.limits;
    let timer: Timer | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.onceReady = resolve;
        this.onceRefused = reject;
        timer = clock.after(limit, () => reject(this.unreachable(limit)));
        this.client.connect().catch((error: Error) => this.failed(error));
      });
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clock.clear(timer);
      this.onceReady = undefined;
      this.onceRefused = undefined;
    }
  }

  /** Lets go of the connection; what waits for it fails. */
  close(): void {
    this.state = 'closed';
    this.pulse.stop();
    for (const client of [this.client, ...this.copies]) client.disconnect();
  }

  /** bullmq closes its own clients in good order, and waits for a server that is away to agree: whoever closes must not. */
  private trackCopies(): void {
    const { client, copies } = this;
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (options) => {
      const copy = duplicate(options);
      copies.push(copy);
      return copy;
    };
  }

  /** An error's words without secrets. */
  words(error: unknown): string {
    return redact(error instanceof Error ? error.message : String(error), this.secrets);
  }

  private failed(error: Error): void {
    this.lastError = this.words(error);
    if (AUTH.test(error.message)) {
      this.onceRefused?.(
        engineError('ERR_ENGINE_AUTH', `The server refused user name or password: ${this.lastError}`),
      );
    } else if (/DB index/i.test(error.message)) {
      // A database that is not there: ioredis would go on in another one.
      this.onceRefused?.(
        engineError('ERR_ENGINE_REFUSED', `The server refused \`connection\`: ${this.lastError}`),
      );
    }
  }

  private isReady(): void {
    this.onceReady?.();
    const was = this.state;
    if (was === 'closed') return;
    this.pulse.heard();
    this.state = 'up';
    if (was === 'down') this.events.up();
  }

  /** Connections that nothing comes through any more are as good as lost. */
  private isSilent(): void {
    this.lastError = `no answer within ${this.limits.answer} ms`;
    for (const client of [this.client, ...this.copies]) client.disconnect(true);
  }

  private isGone(): void {
    this.pulse.stop();
    if (this.state !== 'up') return;
    this.state = 'down';
    const why = this.lastError === '' ? '' : ` (${this.lastError})`;
    this.events.down(
      engineError(
        'ERR_ENGINE_DOWN',
        `The connection to the server was lost${why}; trying again until it is back`,
      ),
    );
  }

  private unreachable(limit: number): EngineError {
    const why = this.lastError === '' ? 'no answer' : this.lastError;
    return engineError(
      'ERR_ENGINE_UNREACHABLE',
      `The server could not be reached within ${limit} ms: ${why}. Is it running, and is \`connection\` right?`,
    );
  }
}

function createClient({ Redis }: Library, connection: Connection): Redis {
  const needed: RedisOptions = {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    retryStrategy: (times) => Math.min(50 * times, RECONNECT_MS),
    ...{ disconnectTimeout: GOODBYE_MS },
  };
  if (isClient(connection)) return connection.duplicate(needed);
  const { url, ...options } = connection as { url?: string } & RedisOptions;
  const all = { ...options, ...needed };
  return url === undefined ? new Redis(all) : new Redis(url, all);
}
