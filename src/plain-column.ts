import type { PlainCopies } from './plain-copy.js';
import { arePrototypesClean, copyPlain, copyRow, NOT_PLAIN, plainCopies, rowKeys } from './plain-copy.js';
import type { Table } from './table.js';
import { rowsOf } from './table.js';

/** Fewer rows are not worth a table. */
const MIN_ROWS = 16;

/**
 * Copies of plain values, in the order in which they come: as a table while all are rows with the same properties that JSON
 * holds exactly, else one by one.
 */
export class PlainColumn {
  /** What is known of the copies. */
  readonly copies: PlainCopies = plainCopies();
  length = 0;
  private readonly isClean = arePrototypesClean();
  /** The properties of each row. */
  private keys: readonly string[] | undefined;
  private columns: unknown[][] = [];
  private list: unknown[] = [];

  /** @param size how many values will come, about */
  constructor(private readonly size: number) {}

  /** Leaves undefined in the place of a value that is known not to be plain. */
  skip(): void {
    if (this.keys !== undefined) this.endTable();
    this.list.push(undefined);
    this.length += 1;
    this.copies.exact = false;
  }

  /** @returns false for a value that is not plain, in whose place is undefined then */
  add(value: unknown): boolean {
    if (this.length === 0 && this.isClean && this.size >= MIN_ROWS) this.beginTable(value);
    const { copies, keys } = this;
    if (keys !== undefined) {
      if (copyRow(value, keys, this.columns, copies) && copies.exact && !copies.slow) {
        this.length += 1;
        return true;
      }
      this.endTable();
    }
    const copy = this.isClean ? copyPlain(value, copies) : NOT_PLAIN;
    if (copy === NOT_PLAIN) {
      this.skip();
      return false;
    }
    this.list.push(copy);
    this.length += 1;
    return true;
  }

  /** The values, or the table that they are. */
  get content(): readonly unknown[] | Table {
    const { keys, columns } = this;
    return keys === undefined ? this.list : { keys, columns };
  }

  /** The values one by one. */
  get values(): readonly unknown[] {
    this.endTable();
    return this.list;
  }

  private beginTable(first: unknown): void {
    const keys = rowKeys(first);
    if (keys === undefined || keys.length === 0) return;
    this.keys = keys;
    this.columns = keys.map(() => []);
  }

  private endTable(): void {
    const { keys, columns, length } = this;
    if (keys === undefined) return;
    // Of the row that ended it there may be a part.
    for (const column of columns) column.length = length;
    this.list = rowsOf({ keys, columns });
    this.keys = undefined;
    this.columns = [];
  }
}
