import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenTableOf } from '../testing/token-tables.ts';
import { Detokenizer } from './detokenizer.ts';
import { TokenTexts } from './token-texts.ts';

function pieces(
  table: Parameters<typeof tokenTableOf>[0],
  tokens: readonly number[],
  stripLeadingSpace = false,
): string[] {
  const detokenizer = new Detokenizer(new TokenTexts(tokenTableOf(table, stripLeadingSpace)));
  return [...tokens.map((token) => detokenizer.push(token)), detokenizer.flush()];
}

const interestingByte = fc.oneof(
  fc.integer({ min: 0, max: 255 }),
  fc.constantFrom(0x41, 0x80, 0x9f, 0xa0, 0xbf, 0xc2, 0xdf, 0xe0, 0xe2, 0xed, 0xef, 0xbb, 0xf0, 0xf4, 0x8f, 0x90, 0x20),
);
const validBytes = fc.string({ unit: 'grapheme' }).map((text) => [...new TextEncoder().encode(text)]);

describe('Detokenizer', () => {
  it('gives, for any bytes cut anywhere, the text of all bytes decoded at once, never half a character', () => {
    const bytes = fc.oneof(fc.array(interestingByte, { maxLength: 24 }), validBytes);
    fc.assert(
      fc.property(bytes, fc.infiniteStream(fc.nat(4)), fc.boolean(), (all, sizes, strip) => {
        const tokens: Uint8Array[] = [];
        for (let start = 0; start < all.length; ) {
          const end = start + sizes.next().value;
          tokens.push(Uint8Array.from(all.slice(start, end)));
          start = end;
        }
        const shown = pieces(tokens, [...tokens.keys()], strip);
        const whole = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(all));
        expect(shown.join('')).toBe(strip && whole.startsWith(' ') ? whole.slice(1) : whole);
        for (const piece of shown) expect(piece.isWellFormed()).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('leaves the blank before the first word out of a text’s beginning, and out of none that it goes on with', () => {
    const texts = new TokenTexts(tokenTableOf([' is', ' grey'], true));
    const shown = (continuesText: boolean) => {
      const detokenizer = new Detokenizer(texts, continuesText);
      return [0, 1].map((token) => detokenizer.push(token)).join('');
    };
    expect([shown(false), shown(true)]).toEqual(['is grey', ' is grey']);
  });

  it('holds a character back until its last byte', () => {
    const [a, b, c] = new TextEncoder().encode('€');
    expect(pieces([Uint8Array.of(a!), Uint8Array.of(b!), Uint8Array.of(c!, 0x21)], [0, 1, 2])).toEqual([
      '',
      '',
      '€!',
      '',
    ]);
  });

  it('shows nothing for control tokens and for ids past the table', () => {
    expect(pieces(['a', null], [0, 1, 99, 0])).toEqual(['a', '', '', 'a', '']);
  });

  it('drops one space before the first word only where the tokenizer puts it there', () => {
    expect(pieces(['', '  a', ' b'], [0, 1, 2], true)).toEqual(['', ' a', ' b', '']);
    expect(pieces([' a'], [0])).toEqual([' a', '']);
  });
});
