/**
 * The number of single-character insertions, deletions, substitutions and swaps of neighbours that turn one text
 * into the other (optimal string alignment; Damerau 1964). Counts UTF-16 code units.
 */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let least = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) least = Math.min(least, at(beforeLast, column - 2) + 1);
      current.push(least);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}

/** Names longer than this are not compared: nobody mistypes them, and the cost grows with the square. */
const longest = 256;

/** The candidate most like what was typed, for "did you mean"; undefined when none is close (a third of its length). */
export function nearest(typed: string, candidates: Iterable<string>): string | undefined {
  if (typed.length > longest) return undefined;
  let best: { readonly candidate: string; readonly distance: number } | undefined;
  for (const candidate of candidates) {
    if (candidate.length > longest) continue;
    const distance = editDistance(typed.toLowerCase(), candidate.toLowerCase());
    const close = distance <= Math.max(1, Math.floor(Math.max(typed.length, candidate.length) / 3));
    if (close && (best === undefined || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate;
}
