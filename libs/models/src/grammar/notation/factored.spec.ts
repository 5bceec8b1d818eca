import { describe, expect, it } from 'vitest';
import { factored } from './factored.ts';
import { type GrammarPart, inSequence, NO_TEXT } from './grammar-part.ts';

const rule = (name: string): GrammarPart => ({ kind: 'rule', name, line: 1 });
const parts = (...names: string[]): GrammarPart => inSequence(names.map(rule));

describe('alternatives that begin alike', () => {
  it('have one beginning, however many there are', () => {
    expect(factored([parts('a'), parts('a', 'b'), parts('c'), parts('a', 'b', 'd')])).toEqual({
      kind: 'choice',
      parts: [
        {
          kind: 'sequence',
          parts: [
            rule('a'),
            {
              kind: 'choice',
              parts: [
                inSequence([]),
                { kind: 'sequence', parts: [rule('b'), { kind: 'choice', parts: [inSequence([]), rule('d')] }] },
              ],
            },
          ],
        },
        rule('c'),
      ],
    });
  });

  it('share as much as all of them have', () => {
    expect(factored([parts('a', 'b', 'c'), parts('a', 'b', 'd')])).toEqual({
      kind: 'sequence',
      parts: [rule('a'), rule('b'), { kind: 'choice', parts: [rule('c'), rule('d')] }],
    });
  });

  it('stay as they are where they begin differently', () => {
    expect(factored([parts('a'), NO_TEXT])).toEqual({ kind: 'choice', parts: [rule('a'), NO_TEXT] });
  });
});
