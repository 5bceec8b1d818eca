import { describe, expect, it } from 'vitest';
import type { TokenTable } from '#contracts';
import { type AnswerConstraint, ReasoningBudget, type ReasoningBudgetOptions } from './reasoning-budget.ts';
import { TokenTrie } from './token-trie.ts';

const TEXTS = ['a', 'b', '\n', '<think>', '</think>', '</', 'think>', '<th', 'ink>', ''];
const token = (text: string) => TEXTS.indexOf(text);

function tableOf(texts: readonly string[]): TokenTable {
  const pieces = texts.map((text) => Buffer.from(text));
  const offsets = new Uint32Array([0, ...pieces.map((_, index) => Buffer.concat(pieces.slice(0, index + 1)).length)]);
  return { bytes: Buffer.concat(pieces), offsets, special: new Uint8Array(texts.length), stripLeadingSpace: false };
}

const budgetOf = (more: Partial<ReasoningBudgetOptions>, inner: AnswerConstraint | null = null) => {
  const { tokenTable = tableOf(TEXTS), vocabularySize = TEXTS.length } = more;
  const trie = new TokenTrie(tokenTable, vocabularySize);
  return new ReasoningBudget(inner, {
    tokenTable,
    vocabularySize,
    spell: (text) => trie.spell(text),
    open: '<think>',
    close: '</think>',
    start: 'opened',
    budgetTokens: 2,
    ...more,
  });
};

const allowed = (constraint: AnswerConstraint) => {
  const [mask = 0] = constraint.allowedTokens();
  return TEXTS.filter((_, index) => (mask >>> index) & 1);
};

/** What may come after each of the tokens: the only text, or `any`. */
function trace(constraint: AnswerConstraint, texts: readonly string[]): string[] {
  const shown = () => {
    const may = allowed(constraint);
    return may.length === TEXTS.length ? 'any' : may.join('|');
  };
  return [
    shown(),
    ...texts.map((text) => {
      expect(constraint.accept(token(text))).toBe(true);
      return shown();
    }),
  ];
}

describe('ReasoningBudget', () => {
  it('closes the block when the budget is used up, and lets the answer go on freely', () => {
    const traced = trace(budgetOf({}), ['a', 'b', '</think>', 'a', 'a', 'a']);
    expect(traced).toEqual(['any', 'any', '</think>', 'any', 'any', 'any', 'any']);
  });

  it('leaves a block alone that the model closes itself, also by parts of the mark', () => {
    expect(trace(budgetOf({}), ['a', '</think>', 'a', 'a'])).toEqual(Array(5).fill('any'));
    expect(trace(budgetOf({ budgetTokens: 3 }), ['a', '</', 'think>', 'a', 'a'])).toEqual(Array(6).fill('any'));
  });

  it('begins to count where the model opens a block, which is the first thing that it says', () => {
    const marked = { start: 'marked', budgetTokens: 1 } as const;
    expect(trace(budgetOf(marked), ['\n', '<think>', 'a', '</think>', 'a'])).toEqual([
      'any',
      'any',
      'any',
      '</think>',
      'any',
      'any',
    ]);
    expect(trace(budgetOf(marked), ['<th', 'ink>', 'a'])).toEqual(['any', 'any', 'any', '</think>']);
    expect(trace(budgetOf(marked), ['a', '<think>', 'a', 'a'])).toEqual(Array(5).fill('any'));
  });

  it('with nothing to spend closes at once', () => {
    expect(trace(budgetOf({ budgetTokens: 0 }), ['</think>', 'a'])).toEqual(['</think>', 'any', 'any']);
    expect(trace(budgetOf({ start: 'marked', budgetTokens: 0 }), ['<think>', '</think>'])).toEqual([
      'any',
      '</think>',
      'any',
    ]);
  });

  it('writes a mark that is no token by longest pieces, and refuses all others', () => {
    const texts = ['a', '<', '</', 't', 'think', '>'];
    const budget = budgetOf({ tokenTable: tableOf(texts), vocabularySize: texts.length, budgetTokens: 0 });
    expect(budget.accept(0)).toBe(false);
    for (const id of [2, 4, 5, 0]) expect(budget.accept(id)).toBe(true);
  });

  it('keeps what is behind to the constraint there', () => {
    const accepted: number[] = [];
    const inner: AnswerConstraint = {
      prepare: () => true,
      allowedTokens: () => Int32Array.of(0b1),
      accept: (id) => accepted.push(id) > 0,
      expectedTokens: (most) => [0, 1].slice(0, most),
      ended: true,
      [Symbol.dispose]: () => {},
    };
    const budget = budgetOf({ budgetTokens: 1 }, inner);
    expect(trace(budget, ['a', '</think>', 'a'])).toEqual(['a', '</think>', 'a', 'a']);
    expect(accepted).toEqual([token('a'), token('</think>'), token('a')]);
    expect(budget.expectedTokens(1)).toEqual([0]);
    expect(budget.ended).toBe(true);
  });

  it('expects its closing mark once the budget is used up, and nothing before', () => {
    const texts = ['a', '<', '</', 'think', '>'];
    const budget = budgetOf({ tokenTable: tableOf(texts), vocabularySize: texts.length, budgetTokens: 1 });
    expect(budget.expectedTokens(8)).toEqual([]);
    budget.accept(0);
    expect(budget.expectedTokens(8)).toEqual([2, 3, 4]);
    budget.accept(2);
    expect(budget.expectedTokens(1)).toEqual([3]);
  });
});
