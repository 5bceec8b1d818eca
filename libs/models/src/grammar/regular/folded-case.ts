import { type CharacterSet, characterSet, contains, rangesOf } from './character-set.ts';

/** The last character that has another case is among the first of Adlam's, 𞥃. */
const LAST_WITH_CASES = 0x1e943;

/** By character, those that differ from it in their case only; found once. */
let otherCases: ReadonlyMap<number, readonly number[]> | null = null;

/** The set, with the other case of each of its characters that has one of one character. */
export function withBothCases(set: CharacterSet): CharacterSet {
  otherCases ??= casesOfAll();
  const cases = otherCases;
  const ranges = rangesOf(set);
  const size = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  // Whichever are fewer are gone through.
  const withCases =
    size < cases.size
      ? ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, index) => first + index))
      : [...cases.keys()].filter((codePoint) => contains(set, codePoint));
  const others = withCases.flatMap((codePoint) => cases.get(codePoint) ?? []);
  return characterSet([...ranges, ...others.map((other): [number, number] => [other, other])]);
}

function casesOfAll(): Map<number, number[]> {
  const found = new Map<number, number[]>();
  const add = (codePoint: number, other: number): void => {
    found.set(codePoint, [...(found.get(codePoint) ?? []), other]);
  };
  for (let codePoint = 0; codePoint <= LAST_WITH_CASES; codePoint++) {
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue;
    const character = String.fromCodePoint(codePoint);
    for (const other of [character.toLowerCase(), character.toUpperCase()]) {
      const otherPoint = other.codePointAt(0) ?? 0;
      if (other === character || other !== String.fromCodePoint(otherPoint)) continue;
      add(codePoint, otherPoint);
      add(otherPoint, codePoint);
    }
  }
  return found;
}
