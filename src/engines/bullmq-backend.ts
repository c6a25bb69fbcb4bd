import type { Queue, QueueEvents } from 'bullmq';
import type { Clock } from '../clock.js';
import type { Backend, BackendEvents, Finished, Fleet, Leftover, Survey } from './backend.js';
import { engineError } from './codes.js';
import type { Connection } from './connection.js';
import type { ChunkHead, Envelope } from './envelope.js';
import { FleetBook } from './fleet-book.js';
import { Lease } from './lease.js';
import type { BullMqModule, Library } from './library.js';
import { loadLibrary } from './library.js';
import type { Names } from './names.js';
import { Link } from './redis.js';
import { refusalOf } from './refusal.js';
import { within } from './within.js';

/**
 * Chunks on BullMQ: a chunk is a BullMQ job under its own id, tried once by BullMQ (what runs again is decided here); its
 * outcome is the job's return value. Completions are heard of by QueueEvents and looked up: see
 * docs/cluster.md, How it works.
 */

/** What a backend is made of. */
export interface BullMqSetup {
  readonly connection: Connection;
  readonly names: Names;
  /** What every chunk of this run says of itself. */
  readonly head: Omit<ChunkHead, 'chunk'>;
  /** Whether chunks of this run may be left from an earlier manager. */
  readonly resumes: boolean;
  readonly connectTimeout: number;
  readonly clock: Clock;
  readonly bullmq: BullMqModule | undefined;
}

/** Entries of the event stream, which hold outcomes: enough for whoever listens, and bounded in the server's memory. */
const EVENTS = 500;
/** Chunks that are read together. */
const LOT = 16;
/** Milliseconds an abort is remembered for machines. */
const CANCELLED_MS = 60_000;
/** Milliseconds for each step of closing. */
const CLOSE_MS = 1_000;
/** BullMQ's keys of jobs by their state. */
const LISTS = ['active', 'wait', 'paused'];
const SETS = ['prioritized', 'delayed', 'completed', 'failed'];
/**
 * Reads them in that order. A server that is full, or may not be written to, refuses a transaction even where it only reads,
 * and a script only what it writes: this one writes how many events there may be, which a server that has lost its data
 * has forgotten, and gives what was said to that.
 */
const SURVEY = `
local written = redis.pcall('HSET', KEYS[1], 'opts.maxLenEvents', ARGV[1])
local all = { type(written) == 'table' and written.err or '' }
for at = 2, #KEYS do
  table.insert(all, redis.call(at < 5 and 'LRANGE' or 'ZRANGE', KEYS[at], 0, -1))
end
return all`;
/** Removes the jobs that have not ended and that no machine holds. BullMQ itself would remove one that has just ended, too. */
const TAKE_BACK = `
local completed, failed, stalled, prefix = unpack(KEYS)
local taken = {}
for _, id in ipairs(ARGV) do
  local ended = redis.call('ZSCORE', completed, id) or redis.call('ZSCORE', failed, id)
  if not ended and redis.call('EXISTS', prefix .. id .. ':lock') == 0 then
    for at = 5, #KEYS do redis.call('LREM', KEYS[at], 0, id) end
    redis.call('SREM', stalled, id)
    redis.call('DEL', prefix .. id)
    table.insert(taken, id)
  end
end
return taken`;
const STALLED = /stalled more than allowable limit/;

export class BullMqBackend implements Backend {
  private link: Link | undefined;
  private queue: Queue | undefined;
  private hints: QueueEvents | undefined;
  private lease: Lease | undefined;
  private readonly fleetBook: FleetBook;

  constructor(private readonly setup: BullMqSetup) {
    this.fleetBook = new FleetBook(() => setup.clock.now());
  }

  async open(events: BackendEvents): Promise<readonly Leftover[]> {
    const { setup } = this;
    const library = await loadLibrary(setup.bullmq);
    const limits = { clock: setup.clock, answer: setup.connectTimeout };
    const link = new Link(library, setup.connection, limits, {
      down: (error) => {
        this.lease?.doubt();
        events.down(error);
      },
      up: () => events.up(),
    });
    this.link = link;
    await link.connect();
    try {
      const { names, head, clock } = setup;
      this.lease = new Lease(link.client, names.lease, head.run, clock, (error) =>
        events.dispossessed(error),
      );
      await this.lease.take();
      // An abort of the run that this one goes on with is over.
      if ((await link.client.get(names.cancelled)) === head.run) await link.client.del(names.cancelled);
      await this.checkPolicy(link, events);
      this.listen(library, link, events);
      await this.forgetEvents();
      return await this.clearUp();
    } catch (error) {
      await this.close();
      throw refusalOf(error as Error)?.error ?? error;
    }
  }

  async submit(chunks: readonly Envelope[]): Promise<void> {
    await this.lease?.assure();
    const { queue } = this.open_;
    try {
      await queue.addBulk(
        chunks.map((envelope) => ({ name: 'chunk', data: envelope, opts: { jobId: envelope.chunk } })),
      );
    } catch (error) {
      // What it tells of is looked up as well, and may be what fills the server.
      if (refusalOf(error as Error)?.error.code === 'ERR_ENGINE_FULL') await this.forgetEvents();
      throw error;
    }
  }

  /** In one step: a chunk that moves meanwhile is in one of the lists. */
  async survey(): Promise<Survey> {
    const answer = (await this.script(SURVEY, ['meta', ...LISTS, ...SETS], [EVENTS])) as [
      string,
      ...string[][],
    ];
    const [
      refused,
      active,
      wait = [],
      paused = [],
      prioritized = [],
      delayed = [],
      completed = [],
      failed = [],
    ] = answer;
    return {
      active: new Set(active),
      waiting: new Set([...wait, ...paused, ...prioritized, ...delayed]),
      finished: new Set([...completed, ...failed]),
      refusal: refused === '' ? undefined : Object.assign(new Error(refused), { name: 'ReplyError' }),
    };
  }

  async collect(ids: readonly string[]): Promise<[string, Finished][]> {
    const { queue } = this.open_;
    const jobs = await Promise.all(ids.map((id) => queue.getJob(id)));
    return jobs.flatMap((job): [string, Finished][] => {
      if (job?.id === undefined || job.finishedOn === undefined) return [];
      const { id, failedReason: reason, returnvalue: outcome } = job;
      if (reason === undefined) return [[id, { state: 'completed', outcome }]];
      return [[id, { state: 'failed', reason, stalled: STALLED.test(reason) }]];
    });
  }

  async takeBack(ids: readonly string[]): Promise<readonly string[]> {
    const keys = ['completed', 'failed', 'stalled', '', ...LISTS];
    return (await this.script(TAKE_BACK, keys, ids)) as string[];
  }

  /** @returns those that a machine has locked, and that therefore stay */
  async remove(ids: readonly string[]): Promise<string[]> {
    const { queue } = this.open_;
    const codes = await Promise.all(ids.map((id) => queue.remove(id)));
    return ids.filter((_, at) => codes[at] === 0);
  }

  async discard(ids: readonly string[]): Promise<void> {
    const held = await this.remove(ids);
    if (held.length === 0) return;
    const { queue, link } = this.open_;
    await link.client.del(...held.map((id) => queue.toKey(`${id}:lock`)));
    await this.takeBack(held);
  }

  async cancel(run = this.setup.head.run): Promise<void> {
    await this.open_.link.client.set(this.setup.names.cancelled, run, 'PX', CANCELLED_MS);
  }

  async fleet(): Promise<Fleet> {
    const { client } = this.open_.link;
    const { fleet, gone } = this.fleetBook.read(await client.hgetall(this.setup.names.machines));
    if (gone.length > 0) await client.hdel(this.setup.names.machines, ...gone);
    return fleet;
  }

  async close(): Promise<void> {
    const { link, lease, hints, queue } = this;
    const { clock } = this.setup;
    // Always: nothing is to be renewed any more. A server that is away does not hear of it.
    const released = within(CLOSE_MS, clock, lease?.release());
    if (link?.client.status === 'ready') await released;
    await within(CLOSE_MS, clock, hints?.close());
    if (link?.client.status === 'ready') await within(CLOSE_MS, clock, this.forgetEvents());
    link?.close();
    await within(CLOSE_MS, clock, queue?.close());
  }

  /** The stream's entries hold whole outcomes. Not every user may trim it. */
  private async forgetEvents(): Promise<void> {
    const { queue, link } = this;
    if (queue !== undefined) await link?.client.xtrim(queue.toKey('events'), 'MAXLEN', 0).catch(() => {});
  }

  private async script(
    text: string,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const { queue, link } = this.open_;
    return await link.client.eval(text, keys.length, ...keys.map((key) => queue.toKey(key)), ...args);
  }

  private get open_(): { link: Link; queue: Queue } {
    const { link, queue } = this;
    if (link === undefined || queue === undefined) throw new Error('The backend is not open');
    return { link, queue };
  }

  private listen({ Queue, QueueEvents }: Library, link: Link, events: BackendEvents): void {
    const { names } = this.setup;
    const shared = { connection: link.client, prefix: names.prefix, skipVersionCheck: true };
    this.queue = new Queue(names.queue, { ...shared, streams: { events: { maxLen: EVENTS } } });
    this.hints = new QueueEvents(names.queue, shared);
    // Both share the fate of the connection, which reports it.
    this.queue.on('error', () => {});
    this.hints.on('error', () => {});
    this.hints.on('completed', ({ jobId, returnvalue }) =>
      events.finished(jobId, { state: 'completed', outcome: returnvalue }),
    );
    this.hints.on('failed', ({ jobId, failedReason: reason }) =>
      events.finished(jobId, { state: 'failed', reason, stalled: STALLED.test(reason) }),
    );
    this.hints.on('progress', ({ jobId, data }) => events.progress(jobId, data));
    this.hints.on('stalled', ({ jobId }) =>
      events.warning(
        engineError(
          'ERR_ENGINE_STALLED',
          `A machine died, or lost the server, with chunk ${jobId}: it runs again`,
        ),
      ),
    );
  }

  /**
   * Nobody else submits under this name: what is not of this run is of no use to anybody, nor is what an earlier manager of
   * this run submitted for another version of the module or with another time limit.
   */
  private async clearUp(): Promise<Leftover[]> {
    const { head, resumes } = this.setup;
    const { queue } = this.open_;
    const { active, waiting, finished } = await this.survey();
    const all = [...active, ...waiting, ...finished];
    const ours = new Set(all.filter((id) => resumes && id.startsWith(`${head.run}.`)));
    const useless = all.filter((id) => !ours.has(id));
    const leftovers: Leftover[] = [];
    for (const lot of lots([...ours], LOT)) {
      for (const job of await Promise.all(lot.map((id) => queue.getJob(id)))) {
        if (job?.id === undefined) continue;
        const { spec, timeout } = job.data as { spec?: unknown; timeout?: unknown };
        if (spec === head.spec && timeout === (head.timeout ?? 0))
          leftovers.push({ id: job.id, data: job.data });
        else useless.push(job.id);
      }
    }
    for (const lot of lots(useless, 500)) await this.discard(lot);
    // What machines still run of a manager that has died would keep them from this run's jobs.
    const dead = useless.find((id) => active.has(id) && !id.startsWith(`${head.run}.`));
    if (dead !== undefined) await this.cancel(dead.slice(0, dead.indexOf('.')));
    return leftovers;
  }

  /** A server that evicts keys loses jobs. Not every user may ask. */
  private async checkPolicy(link: Link, events: BackendEvents): Promise<void> {
    const info = await link.client.info('memory').catch(() => '');
    const [, policy] = /maxmemory_policy:(\S+)/.exec(info) ?? [];
    if (policy === undefined || policy === 'noeviction') return;
    events.warning(
      engineError(
        'ERR_ENGINE_EVICTION',
        `The server's maxmemory-policy is ${policy}: it may throw jobs away when its memory is full. Set it to noeviction`,
      ),
    );
  }
}

function lots(ids: readonly string[], size: number): (readonly string[])[] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, at) =>
    ids.slice(at * size, (at + 1) * size),
  );
}
