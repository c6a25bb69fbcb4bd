import type { Parcel } from '../manager/batch.js';
import type { Admit } from '../manager/queue.js';
import type { Claim, Dropped } from './adoption.js';
import { Adoption } from './adoption.js';
import type { Leftover } from './backend.js';
import type { Book } from './book.js';
import { toJson } from './json-values.js';

/** What an earlier manager of the same journal left in the queue, taken over job by job while the list is pulled. */

/** What it works with. */
export interface TakeoverSetup {
  readonly leftovers: readonly Leftover[];
  readonly secret: string | undefined;
  readonly book: Book;
  /** Jobs of the list are to run after all. */
  readonly giveBack: (parcel: Parcel) => void;
  /** Which jobs the journal lets run. */
  readonly admit: Admit | undefined;
  readonly remove: (id: string) => void;
  /** As `remove`, also where a machine runs it. */
  readonly discard: (id: string) => void;
  /** A chunk is ours now, and may have finished long ago. */
  readonly look: (id: string) => void;
}

export class Takeover {
  private readonly adoption: Adoption;

  constructor(private readonly setup: TakeoverSetup) {
    this.adoption = new Adoption(setup.leftovers, setup.secret);
    for (const { id } of this.adoption.takeUnusable()) setup.remove(id);
  }

  /** Whether a job of the list has to be sent: it is not recorded, and in no chunk that is there already. */
  admit(index: number, job: unknown): boolean {
    if (this.setup.admit?.(index, job) === false) {
      if (!this.adoption.isEmpty) this.follow(this.adoption.recorded(index));
      return false;
    }
    if (this.adoption.isEmpty) return true;
    const json = job === undefined ? undefined : toJson(job, `job ${index}`);
    if (json instanceof Error) return true;
    const claim = this.adoption.claim(index, json, job);
    this.follow(claim);
    return !claim.claimed;
  }

  /** The list has ended: what was not met by now is of another one. @returns whether jobs were given back for that */
  listEnded(): boolean {
    if (this.adoption.isEmpty) return false;
    const dropped = this.adoption.end();
    this.drop(dropped);
    return dropped.some(({ jobs }) => jobs.length > 0);
  }

  /** Ids of the chunks that were not met by now, which are of no more use to this run. */
  forget(): readonly string[] {
    return this.adoption.end().map(({ id }) => id);
  }

  private follow({ adopted, dropped }: Claim): void {
    if (dropped !== undefined) this.drop([dropped]);
    if (adopted === undefined) return;
    this.setup.book.add(adopted);
    this.setup.look(adopted.id);
  }

  private drop(leftovers: readonly Dropped[]): void {
    for (const { id, jobs } of leftovers) {
      this.setup.discard(id);
      for (const { index, job } of jobs) {
        this.setup.giveBack({ first: index, jobs: [job] });
      }
    }
  }
}
