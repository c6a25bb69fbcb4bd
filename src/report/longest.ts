/** Keeps those of many things that have the largest numbers: a heap whose root is the smallest of them. */
export class Longest<Thing extends { readonly duration: number }> {
  readonly #heap: Thing[] = [];

  constructor(private readonly capacity: number) {}

  /** Whether `add` would keep a thing of this duration: ask first where making the thing costs something. */
  takes(duration: number): boolean {
    const [shortest] = this.#heap;
    return this.#heap.length < this.capacity || (shortest !== undefined && duration > shortest.duration);
  }

  /** The thing takes the place of the shortest, unless it is shorter still. */
  add(thing: Thing): void {
    if (!this.takes(thing.duration)) return;
    if (this.#heap.length < this.capacity) {
      this.#heap.push(thing);
      this.#rise(this.#heap.length - 1);
    } else {
      this.#heap[0] = thing;
      this.#sink();
    }
  }

  /** What is kept, in no order. */
  get kept(): readonly Thing[] {
    return this.#heap;
  }

  #rise(place: number): void {
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#swapIfShorter(place, parent)) return;
      place = parent;
    }
  }

  #sink(): void {
    for (let place = 0; ; ) {
      const left = 2 * place + 1;
      const child = this.#at(left + 1) < this.#at(left) ? left + 1 : left;
      if (!this.#swapIfShorter(child, place)) return;
      place = child;
    }
  }

  #swapIfShorter(lower: number, upper: number): boolean {
    const [below, above] = [this.#heap[lower], this.#heap[upper]];
    if (below === undefined || above === undefined || below.duration >= above.duration) return false;
    this.#heap[lower] = above;
    this.#heap[upper] = below;
    return true;
  }

  #at(place: number): number {
    return this.#heap[place]?.duration ?? Number.POSITIVE_INFINITY;
  }
}
