import { type CharacterSet, intersection, rangesOf } from './character-set.ts';

/** A closed range of bytes. */
export type ByteRange = readonly [first: number, last: number];

/** Last code point of 1, 2, 3 and 4 bytes. */
const LAST_BY_LENGTH = [0x7f, 0x7ff, 0xffff, 0x10ffff];

/**
 * The UTF-8 of the characters of a set as sequences of byte ranges, which together hold exactly those characters
 * (surrogates, which have no UTF-8, are left out). The construction is Ken Thompson's, as in RE2.
 */
export function utf8Ranges(set: CharacterSet): ByteRange[][] {
  const encodable = intersection(set, [0, 0x10ffff]);
  return rangesOf(encodable).flatMap(([first, last]) => {
    const sequences: ByteRange[][] = [];
    let from = first;
    for (const end of LAST_BY_LENGTH) {
      if (from > last) break;
      if (from > end) continue;
      split(from, Math.min(last, end), sequences);
      from = end + 1;
    }
    return sequences;
  });
}

/** Splits a range of characters of one length where their last bytes do not go from 0x80 to 0xbf. */
function split(first: number, last: number, into: ByteRange[][]): void {
  for (const bits of [6, 12, 18]) {
    const mask = (1 << bits) - 1;
    if (last <= 0x7f || first >> bits === last >> bits) continue;
    if ((first & mask) !== 0) {
      split(first, first | mask, into);
      split((first | mask) + 1, last, into);
      return;
    }
    if ((last & mask) !== mask) {
      split(first, (last & ~mask) - 1, into);
      split(last & ~mask, last, into);
      return;
    }
  }
  const [from, to] = [Buffer.from(String.fromCodePoint(first)), Buffer.from(String.fromCodePoint(last))];
  into.push(Array.from(from, (byte, index): ByteRange => [byte, to[index]]));
}
