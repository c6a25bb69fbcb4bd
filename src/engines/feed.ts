import type { Parcel } from '../manager/batch.js';
import type { Endings } from '../manager/endings.js';
import type { Queue } from '../manager/queue.js';
import type { RetryPolicy } from '../manager/retry.js';
import type { Source } from '../manager/source.js';
import type { OrderWindow } from '../manager/window.js';
import type { Book } from './book.js';
import { join } from './chunk.js';
import type { ChunkSizer } from './chunk-sizer.js';
import type { ChunkHead, Envelope } from './envelope.js';
import { writeEnvelope } from './envelope.js';
import { pack } from './packing.js';

/** The list in chunks: takes what runs next, cuts it, writes it into the book and sends it. */

/** What it works with. */
export interface FeedSetup {
  readonly source: Source;
  readonly queue: Queue;
  readonly retries: RetryPolicy;
  readonly sizer: ChunkSizer;
  readonly window: OrderWindow | undefined;
  readonly book: Book;
  readonly head: Omit<ChunkHead, 'chunk'>;
  /** Prefix of the chunks' ids, unlike that of any manager before. */
  readonly prefix: string;
  readonly secret: string | undefined;
  readonly submit: (envelope: Envelope) => void;
  readonly endings: Endings;
  /** Asks to be called once more: jobs that can't be sent have left room for others. */
  readonly again: () => void;
  /** Whether anything is handed out: what is refused may end the run. */
  readonly goesOn: () => boolean;
}

export class Feed {
  private seq = 0;

  constructor(private readonly setup: FeedSetup) {}

  /** Sends as much as may be on its way. */
  hand(now: number): void {
    const { queue, goesOn } = this.setup;
    // 1. Suspects, each in a chunk of its own.
    while (queue.suspect !== undefined && this.hasRoom) {
      const suspect = queue.takeSuspect();
      if (suspect !== undefined) this.send({ first: suspect.index, jobs: [suspect.job] });
    }
    // 2. The others.
    while (goesOn() && this.hasRoom) {
      const parcel = this.take(now);
      if (parcel === undefined) break;
      this.send(parcel);
    }
  }

  /** Lets the list be read as far ahead as it can be sent. */
  readAhead(): void {
    const { source, sizer } = this.setup;
    source.readAhead(sizer.size(Number.POSITIVE_INFINITY) * (sizer.outstanding + 1));
  }

  private get hasRoom(): boolean {
    return this.setup.book.size < this.setup.sizer.outstanding;
  }

  /** A parcel of the wanted size; what a slow list has so far only where a worker would be idle. */
  private take(now: number): Parcel | undefined {
    const { queue, sizer, window, source, book, goesOn } = this.setup;
    const count = sizer.size(queue.remaining);
    const parcels: Parcel[] = [];
    for (let left = count; left > 0; ) {
      const parcel = queue.take(left, now, window?.limit);
      if (parcel === undefined || parcel.jobs.length === 0) break;
      parcels.push(parcel);
      left -= parcel.jobs.length;
    }
    const parcel = join(parcels);
    if (parcel === undefined || !goesOn()) return undefined;
    const isPart = parcel.jobs.length < count && !source.exhausted;
    if (!isPart || book.size < sizer.known) return parcel;
    queue.giveBack(parcel);
    return undefined;
  }

  private send(parcel: Parcel): void {
    const { retries, prefix, book, queue, endings, again } = this.setup;
    const { chunks, refused } = pack(parcel);
    for (const [at, { parcel: part, texts }] of chunks.entries()) {
      // Large jobs make many chunks of one parcel.
      if (at > 0 && !this.hasRoom) {
        queue.giveBack(part);
        continue;
      }
      const attempts = retries.attemptsOf(part);
      const id = `${prefix}-${this.seq++}`;
      const chunk = { id, parcel: part, takenAt: undefined, told: 0 };
      book.add(attempts === undefined ? chunk : { ...chunk, attempts });
      this.post(id, part, attempts, texts);
    }
    if (refused.length === 0) return;
    endings.refuse(parcel, refused);
    again();
  }

  private post(
    chunk: string,
    { first, indices }: Parcel,
    attempts: readonly number[] | undefined,
    texts: readonly (string | undefined)[],
  ): void {
    const more = {
      ...(indices === undefined ? {} : { indices }),
      ...(attempts === undefined ? {} : { attempts }),
    };
    const { head, secret, submit } = this.setup;
    submit(writeEnvelope({ ...head, chunk }, { first, texts, ...more }, secret));
  }
}
