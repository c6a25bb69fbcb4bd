/** A power of two, above what workers hold of small jobs at once. */
const PLACES = 16_384;

/** In place of an index: nothing is here. */
const FREE = -1;

/**
 * A text for each job that is out, by the job's index: what named it when it was handed out. Each has its place in a
 * table, as jobs come and go nearly in their order; those that find theirs taken (one that is long under way is in it)
 * go into a map. A map for all took ten times as long.
 */
export class JobsOut {
  readonly #indices = new Float64Array(PLACES).fill(FREE);
  readonly #texts: (string | undefined)[] = new Array<string | undefined>(PLACES).fill(undefined);
  readonly #others = new Map<number, string>();

  set(index: number, text: string): void {
    const place = index & (PLACES - 1);
    const there = this.#indices[place];
    if (there !== FREE && there !== index) {
      this.#others.set(index, text);
      return;
    }
    this.#indices[place] = index;
    this.#texts[place] = text;
  }

  get(index: number): string | undefined {
    const place = index & (PLACES - 1);
    if (this.#indices[place] === index) return this.#texts[place];
    return this.#others.size === 0 ? undefined : this.#others.get(index);
  }

  delete(index: number): void {
    const place = index & (PLACES - 1);
    if (this.#indices[place] === index) {
      this.#indices[place] = FREE;
      this.#texts[place] = undefined;
    } else if (this.#others.size > 0) this.#others.delete(index);
  }
}
