import { type CharacterSet, characterSet, LAST_CODE_POINT } from './character-set.ts';
import { PatternError } from './pattern-error.ts';

const CHUNK = 4_096;
const known = new Map<string, CharacterSet>();

/**
 * The characters of a Unicode property, as `\\p{…}` names it.
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
  const ranges: [number, number][] = [];
  for (let from = 0; from <= LAST_CODE_POINT; from += CHUNK) {
    const text = String.fromCodePoint(...Array.from({ length: CHUNK }, (_, offset) => from + offset));
    for (const { 0: run } of text.matchAll(expression)) {
      const first = run.codePointAt(0) ?? 0;
      const last = [...run.slice(-2)].at(-1)?.codePointAt(0) ?? first;
      ranges.push([first, last]);
    }
  }
  return characterSet(ranges);
}

function runsOf(name: string): RegExp {
  try {
    return new RegExp(`\\p{${name}}+`, 'gu');
  } catch (error) {
    throw new PatternError(error instanceof Error ? error.message : String(error));
  }
}
