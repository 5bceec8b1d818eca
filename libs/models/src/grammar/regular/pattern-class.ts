import { type CharacterSet, characterSet, charactersOf, complement, union } from './character-set.ts';

const DIGITS = characterSet([[0x30, 0x39]]);
/** The characters of words, as `\w` and `\b` have them. */
export const WORD = union(
  DIGITS,
  characterSet([
    [0x41, 0x5a],
    [0x61, 0x7a],
  ]),
  charactersOf('_'),
);
const SPACE = charactersOf(
  '\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff',
);

/** What `.` stands for: ECMA-262 leaves out the line terminators. */
export const DOT: CharacterSet = complement(charactersOf('\n\r\u2028\u2029'));

/** `\d` and its like by their letter. */
export const CLASS_ESCAPES: Readonly<Record<string, CharacterSet>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};

/** `\n` and its like by their letter; outside of a class `\b` is no character. */
export const CONTROL_ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  n: '\n',
  r: '\r',
  t: '\t',
  f: '\f',
  v: '\v',
  0: '\0',
};
