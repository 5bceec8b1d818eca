/** Code points as sorted, disjoint, non-adjacent closed ranges: [first, last, first, last, …]. */
export type CharacterSet = readonly number[];

export const LAST_CODE_POINT = 0x10ffff;

/** Every code point that UTF-8 can hold: all but the surrogates. */
export const ANY_CHARACTER: CharacterSet = [0, 0xd7ff, 0xe000, LAST_CODE_POINT];

/** @param ranges [first, last] pairs in any order, overlapping or not */
export function characterSet(ranges: readonly (readonly [number, number])[]): CharacterSet {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const set: number[] = [];
  for (const [first, last] of sorted) {
    const end = set.at(-1);
    if (end !== undefined && first <= end + 1) set[set.length - 1] = Math.max(end, last);
    else set.push(first, last);
  }
  return set;
}

export function rangesOf(set: CharacterSet): [number, number][] {
  return Array.from({ length: set.length / 2 }, (_, index) => [set[2 * index], set[2 * index + 1]]);
}

export function union(...sets: readonly CharacterSet[]): CharacterSet {
  return characterSet(sets.flatMap(rangesOf));
}

/** What of `ANY_CHARACTER` is not in the set. */
export function complement(set: CharacterSet): CharacterSet {
  const inverse: [number, number][] = [];
  let next = 0;
  for (const [first, last] of rangesOf(union(set, [0xd800, 0xdfff]))) {
    if (first > next) inverse.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= LAST_CODE_POINT) inverse.push([next, LAST_CODE_POINT]);
  return characterSet(inverse);
}

export function intersection(a: CharacterSet, b: CharacterSet): CharacterSet {
  return complement(union(complement(a), complement(b)));
}

export function contains(set: CharacterSet, codePoint: number): boolean {
  for (let index = 0; index < set.length; index += 2) {
    if (codePoint < set[index]) return false;
    if (codePoint <= set[index + 1]) return true;
  }
  return false;
}

export function charactersOf(text: string): CharacterSet {
  return characterSet([...text].map((character) => [character.codePointAt(0) ?? 0, character.codePointAt(0) ?? 0]));
}
