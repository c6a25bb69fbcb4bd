import type { Backend, BackendEvents, Finished, Fleet, Leftover, Survey } from '../../src/engines/backend.js';
import type { Envelope } from '../../src/engines/envelope.js';

/** A chunk in the queue. */
export interface Entry {
  readonly id: string;
  readonly data: Envelope;
  state: 'waiting' | 'active' | 'finished';
  finished?: Finished;
  /** Which take of it may finish it, as a lock's token. */
  token: number;
}

/** Does the work of a chunk. */
export interface MemoryWorker {
  run(id: string, data: unknown, tell: (progress: unknown) => void): Promise<unknown>;
}

/**
 * A queue of chunks in a few Maps, with what can go wrong in one: hints that do not come, chunks that vanish, machines that
 * die. Data goes through JSON, as it does on a server.
 */
export class MemoryBackend implements Backend {
  readonly entries = new Map<string, Entry>();
  /** Hints are told; without, everything has to be looked up. */
  hinting = true;
  /** The next calls of `submit` fail with these. */
  readonly refusals: Error[] = [];
  readonly calls: string[] = [];
  /** What the server says where it takes nothing in. */
  refusal: Error | undefined;
  cancelled = false;
  closed = false;
  events: BackendEvents | undefined;
  leftovers: Leftover[] = [];
  private readonly expecting: { count: number; resolve: () => void }[] = [];
  private readonly workers: { name: string; worker: MemoryWorker; slots: number; busy: number }[] = [];

  async open(events: BackendEvents): Promise<readonly Leftover[]> {
    this.events = events;
    this.closed = false;
    this.cancelled = false;
    return this.leftovers;
  }

  async submit(chunks: readonly Envelope[]): Promise<void> {
    this.calls.push(`submit ${chunks.length}`);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    for (const data of chunks) {
      if (this.entries.has(data.chunk)) continue;
      this.entries.set(data.chunk, { id: data.chunk, data: copy(data), state: 'waiting', token: 0 });
    }
    for (const { count, resolve } of this.expecting) if (this.entries.size >= count) resolve();
    this.serve();
  }

  /** Resolves when so many chunks are in the queue. */
  holds(count: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.entries.size >= count) resolve();
      else this.expecting.push({ count, resolve });
    });
  }

  async survey(): Promise<Survey> {
    const ids = (state: Entry['state']): Set<string> =>
      new Set([...this.entries.values()].filter((entry) => entry.state === state).map(({ id }) => id));
    const { refusal } = this;
    return { active: ids('active'), waiting: ids('waiting'), finished: ids('finished'), refusal };
  }

  async collect(ids: readonly string[]): Promise<[string, Finished][]> {
    return ids.flatMap((id): [string, Finished][] => {
      const finished = this.entries.get(id)?.finished;
      return finished === undefined ? [] : [[id, copy(finished)]];
    });
  }

  async takeBack(ids: readonly string[]): Promise<string[]> {
    const taken = ids.filter((id) => ['waiting', undefined].includes(this.entries.get(id)?.state));
    for (const id of taken) this.entries.delete(id);
    return taken;
  }

  async remove(ids: readonly string[]): Promise<void> {
    this.calls.push(`remove ${ids.length}`);
    for (const id of ids) if (this.entries.get(id)?.state !== 'active') this.entries.delete(id);
  }

  async discard(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.entries.delete(id);
  }

  async cancel(): Promise<void> {
    this.cancelled = true;
  }

  async fleet(): Promise<Fleet> {
    const slots = this.workers.reduce((sum, { slots }) => sum + slots, 0);
    return { machines: new Set(this.workers.map(({ name }) => name)), slots };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  /** A machine connects. @returns what disconnects it; what it runs is not heard of any more */
  connect(worker: MemoryWorker, slots: number, name = 'm'): () => void {
    const seat = { name, worker, slots, busy: 0 };
    this.workers.push(seat);
    this.serve();
    return () => {
      this.workers.splice(this.workers.indexOf(seat), 1);
    };
  }

  /** Ends a chunk as a machine would. */
  finish(id: string, finished: Finished): void {
    const entry = this.entries.get(id);
    if (entry === undefined) return;
    entry.state = 'finished';
    entry.finished = copy(finished);
    if (this.hinting) this.events?.finished(id, copy(finished));
  }

  private serve(): void {
    for (const seat of this.workers) {
      for (const entry of this.entries.values()) {
        if (seat.busy >= seat.slots) break;
        if (entry.state === 'waiting') this.hand(seat, entry);
      }
    }
  }

  private hand(seat: (typeof this.workers)[number], entry: Entry): void {
    entry.state = 'active';
    entry.token += 1;
    const { token } = entry;
    seat.busy += 1;
    const tell = (progress: unknown): void => this.events?.progress(entry.id, copy(progress));
    const isMine = (): boolean => entry.token === token && this.entries.get(entry.id) === entry;
    seat.worker
      .run(entry.id, copy(entry.data), tell)
      .then(
        (outcome): Finished => ({ state: 'completed', outcome }),
        (error: Error): Finished => ({ state: 'failed', reason: error.message, stalled: false }),
      )
      .then((finished) => {
        seat.busy -= 1;
        if (isMine()) this.finish(entry.id, finished);
        this.serve();
      });
  }
}

function copy<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
