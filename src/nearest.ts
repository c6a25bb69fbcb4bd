/**
 * The known name that somebody who typed another one most likely meant.
 * @param edits how many letters may be wrong, at most
 */
export function nearest(name: string, known: readonly string[], edits = 3): string | undefined {
  const typed = name.toLowerCase();
  let best: string | undefined;
  let bestDistance = edits + 1;
  for (const candidate of known) {
    const lower = candidate.toLowerCase();
    const isBeginning = typed.length >= 4 && lower.startsWith(typed);
    const distance = isBeginning ? 1 : editDistance(typed, lower);
    if (distance < bestDistance && distance < Math.max(typed.length, lower.length) / 2) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's distance, one row at a time; two letters that changed places count once (`rnu`). */
function editDistance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const change = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      const isSwapped = i > 0 && j > 0 && from[i] === to[j - 1] && from[i - 1] === to[j];
      const swap = isSwapped ? (before[j - 1] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(change, swap, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[to.length] ?? 0;
}
