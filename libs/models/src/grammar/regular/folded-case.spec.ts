import { describe, expect, it } from 'vitest';
import { characterSet, charactersOf } from './character-set.ts';
import { withBothCases } from './folded-case.ts';

describe('a set with both cases', () => {
  it.each([
    ['a', 'aA'],
    ['Z9_', 'zZ9_'],
    ['éΣ', 'éÉΣσς'],
    // Whose other case is two characters.
    ['ß', 'ßẞ'],
  ])('of %s is %s', (characters, both) => {
    expect(withBothCases(charactersOf(characters))).toEqual(charactersOf(both));
  });

  it('is the same whether the set is small or holds most characters', () => {
    const most = characterSet([
      [0, 0x60],
      [0x7b, 0x10ffff],
    ]);
    expect(withBothCases(most)).toEqual([0, 0x10ffff]);
    expect(withBothCases(characterSet([[0x61, 0x7a]])).slice(0, 2)).toEqual([0x41, 0x5a]);
  });
});
