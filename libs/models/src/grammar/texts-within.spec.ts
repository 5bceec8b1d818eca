import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteTokens, END } from '../../../../test/support/byte-tokens.ts';
import { CompiledGrammar } from './compiled-grammar.ts';
import { GrammarMatch } from './grammar-match.ts';
import { GrammarParts } from './grammar-parts.ts';
import type { Expression } from './grammar-rules.ts';
import { GrammarWorkError } from './grammar-work-error.ts';
import { grammarDocument } from './notation/grammar-document.ts';
import { automatonOf } from './regular/automaton.ts';
import { parsePattern } from './regular/parse-pattern.ts';
import { JSON_SPELLING } from './spelling.ts';
import { TextsWithin } from './texts-within.ts';
import { TokenTrie } from './token-trie.ts';
import { TooManyStatesError } from './too-many-states-error.ts';

const trie = new TokenTrie(byteTokens, 257);

/** What takes the texts of a grammar: all, and those without some mark. */
function takers(grammar: string, pattern: string, most = 65_536) {
  const parts = new GrammarParts(JSON_SPELLING);
  const all = grammarDocument(parts, grammar);
  const within = automatonOf(parts.languages, parsePattern(parts.languages, pattern), 64)!;
  const some = parts.rules.add(new TextsWithin(parts.rules, within, most).of(all));
  return { all: taker(parts, all), some: parts.rules.isProductive(some) ? taker(parts, some) : () => false };
}

function taker(parts: GrammarParts, expression: Expression): (text: string) => boolean {
  const grammar = new CompiledGrammar(parts.rules.compile(expression), trie);
  return (text) => {
    using match = new GrammarMatch(grammar, [END]);
    const isAllowed = (token: number) => ((match.allowedTokens()[token >>> 5] ?? 0) & (1 << (token & 31))) !== 0;
    return [...Buffer.from(text)].every((byte) => isAllowed(byte) && match.accept(byte)) && isAllowed(END);
  };
}

const RULES = 3;
const { part: anyPart } = fc.letrec<{ part: string }>((tie) => ({
  part: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: fc.constantFrom('"a"', '"b"', '"ab"', '""', '[ab]', '[^b]') },
    { weight: 4, arbitrary: fc.nat(RULES - 1).map((rule) => (rule === 0 ? 'root' : `r${rule}`)) },
    { weight: 4, arbitrary: fc.array(tie('part'), { minLength: 1, maxLength: 3 }).map((all) => `(${all.join(' ')})`) },
    {
      weight: 4,
      arbitrary: fc.array(tie('part'), { minLength: 2, maxLength: 3 }).map((all) => `(${all.join(' | ')})`),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(tie('part'), fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{0,2}', '{2,}'))
        .map(([part, times]) => `(${part})${times}`),
    },
  ),
}));
const TEXTS = Array.from({ length: 6 }, (_, length) =>
  Array.from({ length: 2 ** length }, (_, bits) =>
    Array.from({ length }, (_, place) => ((bits >> place) & 1 ? 'a' : 'b')).join(''),
  ),
).flat();

describe('TextsWithin', () => {
  it.each(['^(?!.*aab)', '^(?!b).*(?<end>a)$|^$', '^(?:ab|ba)*$', '^(?!.*(?:abb|bab))'])(
    'has of any grammar the texts that the automaton takes, too, and no others: %s',
    { timeout: 120_000 },
    (pattern) => {
      const isWithin = new RegExp(pattern, 'u');
      let fewer = 0;
      let ambiguous = 0;
      fc.assert(
        fc.property(fc.array(anyPart, { minLength: RULES, maxLength: RULES }), (rules) => {
          const grammar = rules.map((part, rule) => `${rule === 0 ? 'root' : `r${rule}`} ::= ${part}`).join('\n');
          let found: ReturnType<typeof takers>;
          try {
            found = takers(grammar, pattern);
          } catch (error) {
            expect(String(error)).toMatch(/never ends/);
            return;
          }
          for (const text of TEXTS) {
            const expected = found.all(text) && isWithin.test(text);
            if (found.all(text) && !expected) fewer += 1;
            let isTaken: boolean;
            try {
              isTaken = found.some(text);
            } catch (error) {
              expect(error).toBeInstanceOf(GrammarWorkError);
              ambiguous += 1;
              return;
            }
            expect(isTaken, `${grammar}\n takes ${JSON.stringify(text)}`).toBe(expected);
          }
        }),
        { numRuns: Number(process.env.MILLRACE_TEST_GRAMMARS ?? 120), seed: 7 },
      );
      expect(fewer).toBeGreaterThan(100);
      // Repeats of repeats of anything, that can be read in more ways than a mask is made for.
      expect(ambiguous).toBeLessThan(6);
    },
  );

  it('keeps counts where no mark is begun, and writes them out where one may be', () => {
    const { some } = takers('root ::= [a-c<]{2,40} "."', '^(?!.*<a>)');
    for (const text of ['ab.', `${'<'.repeat(40)}.`, `<a${'b'.repeat(38)}.`]) expect(some(text), text).toBe(true);
    for (const text of ['a.', `${'a'.repeat(41)}.`]) expect(some(text), text).toBe(false);
    const quoted = takers('root ::= "<" ([a-c]{1,3} ">")', '^(?!.*<a>)');
    expect([quoted.some('<a>'), quoted.some('<aa>'), quoted.some('<b>')]).toEqual([false, true, true]);
  });

  it('refuses what would be written with too many states', () => {
    expect(() => takers('root ::= [a-z<>]{500} [a-z<>]{500}', '^(?!.*<abcdefgh>)', 2_000)).toThrow(TooManyStatesError);
  });
});
