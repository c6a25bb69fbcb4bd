import type { PlainCopies } from './plain-copy.js';
import {
  arePrototypesClean,
  copyPlain,
  copyRow,
  IN_COLUMNS,
  NOT_PLAIN,
  plainCopies,
  rowKeys,
} from './plain-copy.js';
import type { Table } from './table.js';
import { rowsOf } from './table.js';

/** Fewer rows are not worth a table. */
const MIN_ROWS = 16;
/** With more properties V8 is as fast at reading objects. */
const MAX_KEYS = 20;

/**
 * Copies of plain values, in the order in which they come: as a table while all are rows with the same properties that JSON
 * holds exactly, else one by one.
 */
export class PlainColumn {
  /** What is known of the copies. */
  readonly copies: PlainCopies = plainCopies();
  length = 0;
  private readonly isClean = arePrototypesClean();
  /** The properties of each row, while it is a table. */
  private keys: readonly string[] | undefined;
  private columns: unknown[][] = [];
  private list: unknown[] = [];

  /** @param size how many values will come, about */
  constructor(private readonly size: number) {}

  /** @returns false for a value that is not plain, in whose place is undefined then */
  add(value: unknown): boolean {
    if (this.length === 0 && this.size >= MIN_ROWS) this.beginTable(value);
    const { copies, keys } = this;
    let copy: unknown = NOT_PLAIN;
    if (keys !== undefined) copy = copyRow(value, keys, this.columns, copies);
    else if (this.isClean) copy = copyPlain(value, copies);
    if (copy === IN_COLUMNS) {
      this.length += 1;
      if (!copies.exact || copies.slow) this.endTable();
      return true;
    }
    if (copy === NOT_PLAIN) {
      this.skip();
      return false;
    }
    if (keys !== undefined) this.endTable();
    this.list.push(copy);
    this.length += 1;
    return true;
  }

  /** Leaves undefined in the place of a value that is known not to be plain. */
  skip(): void {
    this.endTable();
    this.list.push(undefined);
    this.length += 1;
    this.copies.exact = false;
  }

  /** Leaves anything in a place that nobody will look at. */
  pad(): void {
    if (this.keys === undefined) return this.skip();
    for (const column of this.columns) column.push(null);
    this.length += 1;
  }

  /** The values, or the table that they are. */
  get content(): readonly unknown[] | Table {
    const { keys, columns } = this;
    return keys === undefined ? this.list : { keys, columns };
  }

  /** The values one by one, as which they stay. */
  toList(): readonly unknown[] {
    this.endTable();
    return this.list;
  }

  /** The same values from one place up to another. How large their text would be nobody knows, so they are not JSON. */
  between(from: number, to: number): PlainColumn {
    const some = new PlainColumn(0);
    some.list = this.toList().slice(from, to);
    some.length = some.list.length;
    some.copies.exact = false;
    return some;
  }

  private beginTable(first: unknown): void {
    const keys = this.isClean && this.copies.exact ? rowKeys(first) : undefined;
    if (keys === undefined || keys.length > MAX_KEYS) return;
    this.keys = keys;
    this.columns = keys.map(() => []);
  }

  private endTable(): void {
    const { keys, columns, length } = this;
    if (keys === undefined) return;
    // Of what ended it there may be a part.
    for (const column of columns) column.length = length;
    this.list = rowsOf({ keys, columns });
    this.keys = undefined;
    this.columns = [];
  }
}
