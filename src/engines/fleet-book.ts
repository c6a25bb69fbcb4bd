import type { Fleet } from './backend.js';

/**
 * Which machines live, from what each writes about itself every few seconds (`{ slots, beat }`): one whose beat has not changed for a while is
 * gone. Only our own clock is asked; those of the machines may be wrong. Pure: time comes in.
 */

/** Milliseconds between two beats of a machine. */
export const BEAT_MS = 2_000;
/** Milliseconds without a new beat after which it does not count, and after which it is forgotten. */
const SILENT_MS = 5 * BEAT_MS;
const GONE_MS = 30 * BEAT_MS;
const MAX_SLOTS = 10_000;

export class FleetBook {
  private readonly seen = new Map<string, { text: string; at: number }>();

  constructor(private readonly now: () => number) {}

  /** @param texts what machines wrote, by name. @returns who lives, and who is to be forgotten */
  read(texts: Readonly<Record<string, string>>): { readonly fleet: Fleet; readonly gone: readonly string[] } {
    const now = this.now();
    const gone: string[] = [];
    const machines = new Set<string>();
    let slots = 0;
    for (const [name, text] of Object.entries(texts)) {
      const known = this.seen.get(name);
      const at = known?.text === text ? known.at : now;
      this.seen.set(name, { text, at });
      if (now - at > GONE_MS) {
        gone.push(name);
        this.seen.delete(name);
      } else if (now - at <= SILENT_MS) {
        machines.add(name);
        slots += slotsOf(text);
      }
    }
    return { fleet: { machines, slots }, gone };
  }
}

function slotsOf(text: string): number {
  try {
    const { slots } = JSON.parse(text) as { slots?: unknown };
    return typeof slots === 'number' && slots >= 1 ? Math.min(MAX_SLOTS, Math.floor(slots)) : 1;
  } catch {
    // Somebody else wrote into our hash: a machine for all we know, with one worker.
    return 1;
  }
}
