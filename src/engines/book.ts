import type { Chunk } from './chunk.js';

/**
 * The chunks that are on their way: each from the moment it is cut until it is taken out, once. Whoever takes it out says
 * what becomes of its jobs.
 */
export class Book {
  private readonly chunks = new Map<string, Chunk>();

  get size(): number {
    return this.chunks.size;
  }

  get ids(): readonly string[] {
    return [...this.chunks.keys()];
  }

  get all(): readonly Chunk[] {
    return [...this.chunks.values()];
  }

  /** Those that are in the queue, as far as is known. */
  get sent(): readonly string[] {
    return this.all.flatMap(({ id, takenAt }) => (takenAt === undefined ? [] : [id]));
  }

  get(id: string): Chunk | undefined {
    return this.chunks.get(id);
  }

  add(chunk: Chunk): void {
    this.chunks.set(chunk.id, chunk);
  }

  /** Those of these chunks that are still in it; they are not any more. */
  takeOut(ids: readonly string[]): readonly Chunk[] {
    return ids.flatMap((id) => {
      const chunk = this.chunks.get(id);
      this.chunks.delete(id);
      return chunk === undefined ? [] : [chunk];
    });
  }

  /** The queue has these since `now`. */
  arrived(ids: readonly string[], now: number): void {
    for (const id of ids) {
      const chunk = this.chunks.get(id);
      if (chunk !== undefined) chunk.takenAt = now;
    }
  }

  clear(): void {
    this.chunks.clear();
  }
}
