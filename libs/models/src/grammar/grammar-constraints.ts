import { createHash } from 'node:crypto';
import type { OutputConstraint, TokenTable } from '#contracts';
import { CompiledGrammar } from './compiled-grammar.ts';
import { constraintGrammar } from './constraint-grammar.ts';
import { GrammarMatch } from './grammar-match.ts';
import { TokenTrie } from './token-trie.ts';

/** Grammars kept, and what they may take together, about. */
const MAX_GRAMMARS = 128;
const MAX_BYTES = 256 * 2 ** 20;

/**
 * Makes token constraints for one vocabulary. A schema is translated once, in 1 to 20 ms by its size; masks are made as
 * answers reach the places they are for, and kept.
 */
export class GrammarConstraints {
  readonly #trie: TokenTrie;
  /** By constraint; least recently used first. */
  readonly #grammars = new Map<string, CompiledGrammar>();

  /** @param vocabularySize of the model, in tokens; tokens beyond the table are never allowed */
  constructor(tokenTable: TokenTable, vocabularySize: number) {
    this.#trie = new TokenTrie(tokenTable, vocabularySize);
  }

  /** @throws SchemaRefusedError */
  create(constraint: OutputConstraint, stopTokenIds: readonly number[]): GrammarMatch {
    return new GrammarMatch(this.#grammarOf(constraint), stopTokenIds);
  }

  #grammarOf(constraint: OutputConstraint): CompiledGrammar {
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
