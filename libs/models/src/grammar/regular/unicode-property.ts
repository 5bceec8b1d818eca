import { type CharacterSet, characterSet } from './character-set.ts';
import { PatternError } from './pattern-error.ts';

const PLANE = 0x10000;
/** Noncharacters at the end of each plane. */
const PLANE_END = 0xfffe;

/** Where characters are looked at one by one. Surrogates have no place in a text. */
const MIXED: readonly (readonly [number, number])[] = [
  [0, 0xd7ff],
  [0xe000, 0xffff],
  ...[1, 2, 3, 14].map((plane) => [plane * PLANE, plane * PLANE + PLANE - 1] as const),
];

/** Areas whose characters are alike in all properties: planes without characters, those of private use, and noncharacters. */
const ALIKE: readonly (readonly [number, number])[] = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16].flatMap((plane) => [
  [plane * PLANE, plane * PLANE + PLANE_END - 1],
  [plane * PLANE + PLANE_END, plane * PLANE + PLANE - 1],
]);

/** At most as many as there are names of properties, since others are refused. */
const known = new Map<string, CharacterSet>();

/**
 * The characters of a Unicode property, as `\\p{…}` names it, from the tables of the engine that runs this; 4 to 20 ms the first time.
 * @param name as in `L`, `Script=Greek` or `Emoji`
 * @throws PatternError
 */
export function unicodeProperty(name: string): CharacterSet {
  const made = known.get(name) ?? charactersWith(name);
  known.set(name, made);
  return made;
}

/** Found in the text of all characters in their order, in which neighbours are one match. */
function charactersWith(name: string): CharacterSet {
  const expression = runsOf(name);
  const ranges: [number, number][] = ALIKE.filter(
    ([first]) => String.fromCodePoint(first).search(expression) === 0,
  ).map(([first, last]) => [first, last]);
  for (const [first, last] of MIXED) {
    const unitsEach = first < PLANE ? 1 : 2;
    for (const { 0: run, index } of textOf(first, last).matchAll(expression)) {
      const from = first + index / unitsEach;
      ranges.push([from, from + run.length / unitsEach - 1]);
    }
  }
  return characterSet(ranges);
}

/** The characters from `first` to `last`, which are in one plane. */
function textOf(first: number, last: number): string {
  const length = last - first + 1;
  if (first < PLANE) return unitsText(Uint16Array.from({ length }, (_, offset) => first + offset));
  const units = new Uint16Array(2 * length);
  for (let offset = 0; offset < length; offset++) {
    const above = first + offset - PLANE;
    units[2 * offset] = 0xd800 | (above >> 10);
    units[2 * offset + 1] = 0xdc00 | (above & 0x3ff);
  }
  return unitsText(units);
}

function unitsText(units: Uint16Array): string {
  return Buffer.from(units.buffer).toString('utf16le');
}

function runsOf(name: string): RegExp {
  try {
    return new RegExp(`\\p{${name}}+`, 'gu');
  } catch (error) {
    throw new PatternError(error instanceof Error ? error.message : String(error));
  }
}
