import type { GrammarSource } from './grammar-source.ts';

const LETTERS: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  f: '\f',
  v: '\v',
  b: '\b',
  a: '\u0007',
  e: '\u001b',
  0: '\0',
};
const DIGITS_OF: Readonly<Record<string, RegExp>> = { x: /[0-9a-f]{2}/iy, u: /[0-9a-f]{4}/iy, U: /[0-9a-f]{8}/iy };
const SECOND_HALF = /\\u(d[c-f][0-9a-f]{2})/iy;
const LAST_CODE_POINT = 0x10ffff;

/**
 * The character that an escape stands for, whose backslash was read.
 * @param itself characters that an escape may stand for themselves
 * @throws GrammarRefusedError
 */
export function escapedCharacter(source: GrammarSource, itself: string): string {
  const { told } = source;
  const letter = source.next();
  const digits = DIGITS_OF[letter];
  if (digits !== undefined) return characterOf(source, letter, digits);
  if (letter !== '' && itself.includes(letter)) return letter;
  const character = Object.hasOwn(LETTERS, letter) ? LETTERS[letter] : undefined;
  if (character !== undefined) return character;
  throw source.refusal(
    `there is no escape for what stands behind the backslash: ${told}. Write \\\\ for a backslash, or \\xHH, \\uHHHH or \\UHHHHHHHH.`,
  );
}

function characterOf(source: GrammarSource, letter: string, digits: RegExp): string {
  const { told } = source;
  const found = source.takeMatch(digits);
  if (found === null)
    throw source.refusal(
      `\\${letter} is followed by ${told}. Write two digits behind \\x, four behind \\u, eight behind \\U.`,
    );
  const codePoint = Number.parseInt(found[0], 16);
  if (codePoint >= 0xd800 && codePoint <= 0xdbff) {
    const [, second] = source.takeMatch(SECOND_HALF) ?? [];
    if (second !== undefined) return String.fromCharCode(codePoint, Number.parseInt(second, 16));
  }
  if (codePoint > LAST_CODE_POINT || (codePoint >= 0xd800 && codePoint <= 0xdfff))
    throw source.refusal(`\\${letter}${found[0]} is no character. Write one up to \\U0010FFFF that is no surrogate.`);
  return String.fromCodePoint(codePoint);
}
