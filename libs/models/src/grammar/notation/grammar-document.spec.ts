import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byteTokens, END } from '../../../../../test/support/byte-tokens.ts';
import { GrammarConstraints } from '../grammar-constraints.ts';

/** Whether an answer may be the text: each of its bytes is allowed where it stands, and then the end is. */
function fits(grammar: string, text: string, constraints = new GrammarConstraints(byteTokens, 257)): boolean {
  using match = constraints.create({ type: 'grammar', grammar }, [END]);
  const isAllowed = (token: number) => ((match.allowedTokens()[token >>> 5] ?? 0) & (1 << (token & 31))) !== 0;
  for (const byte of Buffer.from(text)) {
    if (!isAllowed(byte) || !match.accept(byte)) return false;
  }
  return isAllowed(END);
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'rule'; readonly rule: number }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Part[] }
  | { readonly kind: 'repeat'; readonly part: Part; readonly least: number; readonly most: number | null };

/**
 * Whether a grammar has a text, found out another way: by all places that each rule's texts may end at, from each place of the
 * text on, until nothing is added any more.
 */
function derives(rules: readonly Part[], text: string): boolean {
  const ends = rules.map(() => Array.from({ length: text.length + 1 }, () => new Set<number>()));
  const after = (part: Part, from: ReadonlySet<number>): Set<number> => {
    switch (part.kind) {
      case 'text':
        return new Set([...from].filter((at) => text.startsWith(part.text, at)).map((at) => at + part.text.length));
      case 'rule':
        return new Set([...from].flatMap((at) => [...(ends[part.rule]?.[at] ?? [])]));
      case 'choice':
        return new Set(part.parts.flatMap((each) => [...after(each, from)]));
      case 'sequence':
        return part.parts.reduce<Set<number>>((reached, each) => after(each, reached), new Set(from));
      case 'repeat': {
        let reached = new Set(from);
        const found = new Set(part.least === 0 ? from : []);
        // More than its length, and what is at least asked for, no text needs.
        const most = Math.min(part.most ?? Number.POSITIVE_INFINITY, part.least + text.length + 1);
        for (let count = 1; count <= most; count++) {
          reached = after(part.part, reached);
          if (count >= part.least) for (const at of reached) found.add(at);
        }
        return found;
      }
    }
  };
  for (let isChanged = true; isChanged; ) {
    isChanged = false;
    for (const [rule, part] of rules.entries()) {
      for (let at = 0; at <= text.length; at++) {
        const found = ends[rule]?.[at] ?? new Set();
        const { size } = found;
        for (const end of after(part, new Set([at]))) found.add(end);
        isChanged ||= found.size > size;
      }
    }
  }
  return ends[0]?.[0]?.has(text.length) === true;
}

const written = {
  gbnf: (rules: readonly Part[]) =>
    rules.map((part, rule) => `${rule === 0 ? 'root' : `r${rule}`} ::= ${spelt(part, 'root', ',')}`).join('\n'),
  lark: (rules: readonly Part[]) =>
    rules.map((part, rule) => `${rule === 0 ? 'start' : `r${rule}`}: ${spelt(part, 'start', '..')}`).join('\n'),
};

function spelt(part: Part, start: string, bounds: ',' | '..'): string {
  switch (part.kind) {
    case 'text':
      return JSON.stringify(part.text);
    case 'rule':
      return part.rule === 0 ? start : `r${part.rule}`;
    case 'repeat': {
      const { least, most } = part;
      const inner = `(${spelt(part.part, start, bounds)})`;
      if (most === null) return least === 0 ? `${inner}*` : least === 1 ? `${inner}+` : `${inner}{${least},}`;
      return bounds === ',' ? `${inner}{${least},${most}}` : `${inner}~${least}..${most}`;
    }
    default:
      return `(${part.parts.map((each) => spelt(each, start, bounds)).join(part.kind === 'choice' ? ' | ' : ' ')})`;
  }
}

const RULES = 4;
const { part: anyPart } = fc.letrec<{ part: Part }>((tie) => ({
  part: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'ab', '').map((text): Part => ({ kind: 'text', text })) },
    { weight: 4, arbitrary: fc.nat(RULES - 1).map((rule): Part => ({ kind: 'rule', rule })) },
    {
      weight: 4,
      arbitrary: fc
        .array(tie('part'), { minLength: 1, maxLength: 3 })
        .map((parts): Part => ({ kind: 'sequence', parts })),
    },
    {
      weight: 4,
      arbitrary: fc
        .array(tie('part'), { minLength: 2, maxLength: 3 })
        .map((parts): Part => ({ kind: 'choice', parts })),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(tie('part'), fc.nat(2), fc.option(fc.nat(2)))
        .map(
          ([part, least, more]): Part => ({ kind: 'repeat', part, least, most: more === null ? null : least + more }),
        ),
    },
  ),
}));
const TEXTS = [
  '',
  ...['a', 'b'].flatMap((a) => [
    a,
    ...['a', 'b'].flatMap((b) => [a + b, ...['a', 'b'].flatMap((c) => [a + b + c, `${a + b + c}a`, `${a + b + c}b`])]),
  ]),
  'aaaaa',
  'ababab',
  'bbbabbba',
];

describe('a written grammar', () => {
  it('has the texts that its rules derive, however they begin with each other', { timeout: 300_000 }, () => {
    let accepted = 0;
    let kept = 0;
    fc.assert(
      fc.property(fc.array(anyPart, { minLength: RULES, maxLength: RULES }), (rules) => {
        for (const notation of ['gbnf', 'lark'] as const) {
          const grammar = written[notation](rules);
          const constraints = new GrammarConstraints(byteTokens, 257);
          try {
            constraints.create({ type: 'grammar', grammar }, [END]);
          } catch (error) {
            expect(String(error)).toMatch(/never ends/);
            return;
          }
          kept += 1;
          for (const text of TEXTS) {
            const expected = derives(rules, text);
            if (expected) accepted += 1;
            expect(fits(grammar, text, constraints), `${grammar}\n takes ${JSON.stringify(text)}`).toBe(expected);
          }
        }
      }),
      { numRuns: Number(process.env.MILLRACE_TEST_GRAMMARS ?? 400), seed: 11 },
    );
    expect(accepted).toBeGreaterThan(kept);
  });

  it.each([
    ['a rule that is two or three of itself', 'root ::= root root | "a" | root root root'],
    ['lists of lists that may be empty', 'root ::= (r "a") | "a"\nr ::= (root | ("a" | root) | "a")*'],
    ['parts that may each be empty', 'root ::= s "a"\ns ::= (t t)* t\nt ::= "a"? | s "a"'],
    ['operators without precedence', 'root ::= root o root | "a"\no ::= "" | " "*'],
  ])('may be read in any number of ways: %s', (_, grammar) => {
    const constraints = new GrammarConstraints(byteTokens, 257);
    for (const length of [1, 2, 7, 200]) {
      expect(fits(grammar, 'a'.repeat(length), constraints), `${length}`).toBe(true);
      expect(fits(grammar, `${'a'.repeat(length)}b`, constraints), `${length} b`).toBe(false);
    }
    expect(fits(grammar, '', constraints)).toBe(false);
  });

  it('may have levels of rules that begin alike, written without their being made one', () => {
    const levels = Array.from(
      { length: 14 },
      (_, level) => `r${level} ::= r${level + 1} x | r${level + 1} y "${level % 10}" r${level}`,
    );
    const grammar = `root ::= r0\n${levels.join('\n')}\nr14 ::= "a" | "(" root ")"\nx ::= ""\ny ::= ""`;
    const constraints = new GrammarConstraints(byteTokens, 257);
    for (const text of ['a', 'a0a', '((a1(a2a)))3a', 'a9a8a7a6a5a'])
      expect(fits(grammar, text, constraints), text).toBe(true);
    for (const text of ['', 'aa', 'a0', '(a']) expect(fits(grammar, text, constraints), text).toBe(false);
  });
});
