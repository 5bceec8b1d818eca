import { describe, expect, it } from 'vitest';
import { byteTokens, END } from '../../../../test/support/byte-tokens.ts';
import { GrammarConstraints } from './grammar-constraints.ts';
import type { TextConstraint } from './text-grammar.ts';

const constraints = new GrammarConstraints(byteTokens, 257);

/** Whether an answer may be the text: each of its bytes is allowed where it stands, and then the end is. */
function fits(constraint: TextConstraint, text: string): boolean {
  using match = constraints.create(constraint, [END]);
  const isAllowed = (token: number) => ((match.allowedTokens()[token >>> 5] ?? 0) & (1 << (token & 31))) !== 0;
  for (const byte of Buffer.from(text)) {
    if (!isAllowed(byte) || !match.accept(byte)) return false;
  }
  return isAllowed(END);
}

const pattern = (text: string): TextConstraint => ({ type: 'pattern', pattern: text });
const choice = (...texts: string[]): TextConstraint => ({ type: 'choice', texts });

describe('constraints on texts', () => {
  it.each([
    ['\\d{3}-\\d{4}', ['555-1234'], ['555-123', '555-12345', 'x555-1234', '']],
    ['yes|no', ['yes', 'no'], ['yesno', 'y', 'yes ']],
    ['(?!0)\\d+', ['10'], ['01', '']],
    ['^[a-zé]+$', ['caf\u00e9'], ['Caf', 'a b']],
    ['.*', ['', 'any "text" \\ as it is'], ['two\nlines']],
  ])('hold the whole answer to the pattern %s', (text, whole, others) => {
    for (const each of whole) expect(fits(pattern(text), each), each).toBe(true);
    for (const each of others) expect(fits(pattern(text), each), each).toBe(false);
  });

  it('hold the answer to one of several texts, as they stand', () => {
    const any = choice('a', 'ab', '"quoted"\n', 'ë');
    for (const text of ['a', 'ab', '"quoted"\n', 'ë']) expect(fits(any, text), text).toBe(true);
    for (const text of ['', 'b', 'abc', 'aa', '"quoted"', 'e']) expect(fits(any, text), text).toBe(false);
  });

  it.each([
    [pattern('('), /Invalid regular expression/],
    [pattern('a)|(b'), /Invalid regular expression/],
    [pattern('(a)\\1'), /can not be enforced/],
    [pattern('[^\\s\\S]'), /no text fits it/],
    [pattern('[ab]*a[ab]{12}'), /more than 2048 states/],
    [choice('x'.repeat(3_000)), /more than 2048 states/],
  ])('that can not be enforced are refused: %j', (constraint, message) => {
    expect(() => constraints.create(constraint, [END])).toThrow(message);
  });
});
