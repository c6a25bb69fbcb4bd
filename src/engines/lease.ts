import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import type { Clock, Timer } from '../clock.js';
import type { EngineError } from '../errors.js';
import { engineError } from './codes.js';

/**
 * One manager a name: a key with a time limit that its owner renews. Whoever finds one waits until it runs out, unless it is
 * renewed meanwhile (somebody lives), or is of the same run (its journal's lock says that nobody does).
 *
 * States: `none` → `held` → `lost` (somebody else has it) or `none` again.
 */

const LEASE_MS = 10_000;
const RENEW_MS = 2_000;
const LOOK_MS = 300;

/** Milliseconds after which it may have run out. */
const DOUBT_MS = LEASE_MS - RENEW_MS;

/** Renews it if it is ours or nobody's; says whose it is otherwise. */
const RENEW = `local now = redis.call('GET', KEYS[1])
if now == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return 'ours' end
if not now then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 'ours' end
return now`;
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

export class Lease {
  private state: 'none' | 'held' | 'lost' = 'none';
  private readonly mark: string;
  private timer: Timer | undefined;
  /** When it was ours for certain; undefined after the connection was lost. */
  private sureAt: number | undefined;

  /** @param lost somebody else has taken the name */
  constructor(
    private readonly client: Redis,
    private readonly key: string,
    private readonly run: string,
    private readonly clock: Clock,
    private readonly lost: (error: EngineError) => void,
  ) {
    this.mark = JSON.stringify({
      run,
      host: hostname(),
      pid: process.pid,
      id: randomBytes(6).toString('hex'),
    });
  }

  /** @throws EngineError (`ERR_ENGINE_IN_USE`) where another manager lives */
  async take(): Promise<void> {
    let left = Number.POSITIVE_INFINITY;
    while ((await this.client.set(this.key, this.mark, 'PX', LEASE_MS, 'NX')) !== 'OK') {
      const [holder, ttl] = await Promise.all([this.client.get(this.key), this.client.pttl(this.key)]);
      if (holder === null) continue;
      const about = read(holder);
      if (about.run === this.run) {
        await this.client.set(this.key, this.mark, 'PX', LEASE_MS);
        break;
      }
      if (ttl > left) throw inUse(about);
      left = ttl;
      await new Promise<void>((resolve) => this.clock.after(LOOK_MS, resolve));
    }
    this.state = 'held';
    this.sureAt = this.clock.now();
    this.schedule();
  }

  /** The connection was lost: meanwhile another manager may have waited for the end of it. */
  doubt(): void {
    this.sureAt = undefined;
  }

  /** Before anything is submitted under the name. Rejects where it is not ours any more. */
  async assure(): Promise<void> {
    const { sureAt, clock } = this;
    if (this.state === 'held' && (sureAt === undefined || clock.now() - sureAt > DOUBT_MS)) await this.ask();
    if (this.state !== 'held') throw new Error('The name is not ours');
  }

  async release(): Promise<void> {
    this.clock.clear(this.timer);
    if (this.state !== 'held') return;
    this.state = 'none';
    await this.client.eval(RELEASE, 1, this.key, this.mark);
  }

  private schedule(): void {
    this.timer = this.clock.after(RENEW_MS, () => void this.renew());
  }

  private async renew(): Promise<void> {
    try {
      await this.ask();
    } catch {
      // The server is away, which the connection reports; the lease runs out by itself if it stays away.
    }
    if (this.state === 'held') this.schedule();
  }

  private async ask(): Promise<void> {
    const asked = this.clock.now();
    const owner = String(await this.client.eval(RENEW, 1, this.key, this.mark, LEASE_MS));
    if (this.state !== 'held') return;
    if (owner === 'ours') {
      this.sureAt = asked;
      return;
    }
    this.state = 'lost';
    this.lost(inUse(read(owner)));
  }
}

interface Holder {
  readonly run?: unknown;
  readonly host?: unknown;
  readonly pid?: unknown;
}

function read(mark: string): Holder {
  try {
    const holder: unknown = JSON.parse(mark);
    return typeof holder === 'object' && holder !== null ? holder : {};
  } catch {
    return {};
  }
}

function inUse({ host, pid }: Holder): EngineError {
  const where =
    typeof host === 'string' && /^[\w.-]{1,253}$/.test(host) ? ` (on ${host}, pid ${Number(pid)})` : '';
  return engineError(
    'ERR_ENGINE_IN_USE',
    `Another manager submits jobs under this name${where}: wait until it has ended, or use another name`,
  );
}
