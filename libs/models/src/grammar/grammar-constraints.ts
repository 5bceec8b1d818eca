import type { OutputConstraint, TokenTable } from '#contracts';
import { OUTPUT_FORMATS } from '../output-formats/choose-format.ts';
import { CompiledGrammar } from './compiled-grammar.ts';
import { constraintGrammar, constraintKey, type HeldConstraint } from './constraint-grammar.ts';
import { grammarOfFlat } from './flat-grammar.ts';
import { GrammarMatch } from './grammar-match.ts';
import { type AnswerConstraint, ReasoningBudget, type ReasoningBudgetOptions } from './reasoning-budget.ts';
import { TokenTrie } from './token-trie.ts';

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

  /**
   * @param translated what `flatGrammar` made of the constraint's grammar elsewhere; without it that is made here
   * @throws SchemaRefusedError, or an Error for a budget in a format without blocks of reasoning
   */
  create(
    constraint: OutputConstraint,
    stopTokenIds: readonly number[],
    translated: Int32Array | null = null,
  ): AnswerConstraint {
    const held =
      constraint.type === 'text' ? null : new GrammarMatch(this.#grammarOf(constraint, translated), stopTokenIds);
    const { reasoning } = constraint;
    if (held !== null && reasoning?.budgetTokens === undefined) return held;
    return new ReasoningBudget(held, {
      ...this.#vocabulary,
      spell: (text) => this.#trie.spell(text),
      ...blockOf(reasoning),
    });
  }

  #grammarOf(constraint: HeldConstraint, translated: Int32Array | null): CompiledGrammar {
    const key = constraintKey(constraint);
    const grammar =
      this.#grammars.get(key) ??
      new CompiledGrammar(translated === null ? constraintGrammar(constraint) : grammarOfFlat(translated), this.#trie);
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
