/** More differences than this, or than a third of the name, are another word. */
const MOST_DIFFERENCES = 2;

/**
 * The name that somebody meant who wrote `given`: the one with the fewest letters added, left out, changed or swapped
 * with their neighbour, however words are joined (`maxTokens`, `max-tokens`). Null when none is near.
 */
export function nearestName(given: string, names: readonly string[]): string | null {
  const wanted = folded(given);
  const limit = Math.min(MOST_DIFFERENCES, Math.floor(wanted.length / 3));
  let nearest: string | null = null;
  let fewest = limit + 1;
  for (const name of names) {
    const other = folded(name);
    if (Math.abs(other.length - wanted.length) >= fewest) continue;
    const differences = differencesOf(wanted, other);
    if (differences < fewest) [nearest, fewest] = [name, differences];
  }
  return nearest;
}

function folded(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** Optimal string alignment distance. Three rows of the table are enough, since a swap looks back by two. */
function differencesOf(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      let least = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) least = Math.min(least, at(before, column - 2) + 1);
      current.push(least);
    }
    [before, last] = [last, current];
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
