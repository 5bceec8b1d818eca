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
  let [least, most] = [0, set.length / 2];
  while (least < most) {
    const middle = (least + most) >> 1;
    if (set[2 * middle + 1] < codePoint) least = middle + 1;
    else most = middle;
  }
  return 2 * least < set.length && set[2 * least] <= codePoint;
}

/** All code points, in sets whose members are in the same ones of `sets`; work grows with the sets' ranges. */
export function alikeUnder(sets: readonly CharacterSet[]): CharacterSet[] {
  const starts = [...new Set([0, ...sets.flatMap((set) => set.map((bound, index) => bound + (index % 2)))])]
    .filter((start) => start <= LAST_CODE_POINT)
    .sort((a, b) => a - b);
  const places = new Map(starts.map((start, place) => [start, place]));
  const holders = starts.map(() => '');
  for (const [number, set] of sets.entries()) {
    for (const [first, last] of rangesOf(set)) {
      const end = places.get(last + 1) ?? starts.length;
      for (let place = places.get(first) ?? end; place < end; place++) holders[place] += `${number},`;
    }
  }
  const alike = new Map<string, [number, number][]>();
  for (const [place, held] of holders.entries()) {
    const range: [number, number] = [starts[place], (starts[place + 1] ?? LAST_CODE_POINT + 1) - 1];
    const ranges = alike.get(held);
    if (ranges === undefined) alike.set(held, [range]);
    else ranges.push(range);
  }
  return [...alike.values()].map(characterSet);
}

export function charactersOf(text: string): CharacterSet {
  return characterSet([...text].map((character) => [character.codePointAt(0) ?? 0, character.codePointAt(0) ?? 0]));
}
