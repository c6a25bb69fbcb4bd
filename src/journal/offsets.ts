/** Entries of a page; a page takes 32 KiB. */
const PAGE = 4096;

/**
 * A number for each of many positions, 0 where none was set: eight bytes a position, in pages, so that neither growing
 * nor a position far out costs more than what is used.
 */
export class PositionOffsets {
  readonly #pages = new Map<number, Float64Array>();

  get(position: number): number {
    return this.#pages.get(Math.floor(position / PAGE))?.[position % PAGE] ?? 0;
  }

  set(position: number, value: number): void {
    const number = Math.floor(position / PAGE);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Float64Array(PAGE);
      this.#pages.set(number, page);
    }
    page[position % PAGE] = value;
  }
}

/** Far below the 2 ** 24 entries at which a Map throws. */
const MAX_ENTRIES = 2 ** 23;

/** A number for each of any amount of keys. */
export class KeyOffsets {
  readonly #maxEntries: number;
  readonly #maps = [new Map<string, number>()];

  constructor(maxEntries = MAX_ENTRIES) {
    this.#maxEntries = maxEntries;
  }

  get(key: string): number | undefined {
    for (const map of this.#maps) {
      const value = map.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** Sets the number of a key. @returns whether it had none, which costs nothing to find out here */
  set(key: string, value: number): boolean {
    const [first, second] = this.#maps;
    if (first !== undefined && second === undefined && first.size < this.#maxEntries) {
      const { size } = first;
      return first.set(key, value).size > size;
    }
    let target =
      this.#maps.find((map) => map.has(key)) ?? this.#maps.find((map) => map.size < this.#maxEntries);
    if (target === undefined) {
      target = new Map();
      this.#maps.push(target);
    }
    const isNew = !target.has(key);
    target.set(key, value);
    return isNew;
  }
}
