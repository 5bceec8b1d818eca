import { createHash } from 'node:crypto';
import type { OutputConstraint, TokenTable } from '#contracts';
import { OUTPUT_FORMATS } from '../output-formats/choose-format.ts';
import { CompiledGrammar } from './compiled-grammar.ts';
import { constraintGrammar } from './constraint-grammar.ts';
import { GrammarMatch } from './grammar-match.ts';
import { type AnswerConstraint, ReasoningBudget, type ReasoningBudgetOptions } from './reasoning-budget.ts';
import { TokenTrie } from './token-trie.ts';

type HeldConstraint = Exclude<OutputConstraint, { type: 'text' }>;

/** Grammars kept, and what they may take together, about. */
const MAX_GRAMMARS = 128;
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Makes token constraints for one vocabulary. A schema is translated once, in 1 to 20 ms by its size; masks are made as
 * answers reach the places they are for, and kept.
 */
export class GrammarConstraints {
  readonly #vocabulary: { readonly tokenTable: TokenTable; readonly vocabularySize: number };
  readonly #trie: TokenTrie;
  /** By constraint; least recently used first. */
  readonly #grammars = new Map<string, CompiledGrammar>();

  /** @param vocabularySize of the model, in tokens; tokens beyond the table are never allowed */
  constructor(tokenTable: TokenTable, vocabularySize: number) {
    this.#vocabulary = { tokenTable, vocabularySize };
    this.#trie = new TokenTrie(tokenTable, vocabularySize);
  }

  /** @throws SchemaRefusedError, or an Error for a budget in a format without blocks of reasoning */
  create(constraint: OutputConstraint, stopTokenIds: readonly number[]): AnswerConstraint {
    const held = constraint.type === 'text' ? null : new GrammarMatch(this.#grammarOf(constraint), stopTokenIds);
    const { reasoning } = constraint;
    if (held !== null && reasoning?.budgetTokens === undefined) return held;
    return new ReasoningBudget(held, { ...this.#vocabulary, ...blockOf(reasoning) });
  }

  #grammarOf({ reasoning, ...held }: HeldConstraint): CompiledGrammar {
    // The grammar is the same whatever the budget.
    const block = reasoning && { format: reasoning.format, start: reasoning.start };
    const constraint = (block === undefined ? held : { ...held, reasoning: block }) as HeldConstraint;
    const key = createHash('sha256').update(JSON.stringify(constraint)).digest('base64');
    const grammar = this.#grammars.get(key) ?? new CompiledGrammar(constraintGrammar(constraint), this.#trie);
    this.#grammars.delete(key);
    this.#grammars.set(key, grammar);
    let bytes = 0;
    for (const each of this.#grammars.values()) bytes += each.bytes;
    for (const [oldest, each] of this.#grammars) {
      if (this.#grammars.size <= 1 || (this.#grammars.size <= MAX_GRAMMARS && bytes <= MAX_BYTES)) break;
      this.#grammars.delete(oldest);
      bytes -= each.bytes;
    }
    return grammar;
  }
}

/** @throws Error where the format has no such block */
function blockOf(
  reasoning: OutputConstraint['reasoning'],
): Pick<ReasoningBudgetOptions, 'open' | 'close' | 'start' | 'budgetTokens'> {
  const block = OUTPUT_FORMATS.get(reasoning?.format ?? '')?.reasoning;
  if (block === undefined || reasoning?.budgetTokens === undefined) {
    throw new Error(`reasoning in the format "${reasoning?.format}" can not be held to a budget`);
  }
  return { open: block.open, close: block.close, start: reasoning.start, budgetTokens: reasoning.budgetTokens };
}
