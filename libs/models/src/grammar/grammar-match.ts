import type { CompiledGrammar } from './compiled-grammar.ts';
import type { GrammarState } from './grammar-states.ts';
import { GrammarWorkError } from './grammar-work-error.ts';

const SPACE = 0x20;

/** How far one sequence has come in a grammar: what #engine calls a `TokenConstraint`. */
export class GrammarMatch implements Disposable {
  readonly #grammar: CompiledGrammar;
  readonly #stopTokenIds: readonly number[];
  /** [ceil(vocabularySize / 32)] */
  readonly #allowed: Int32Array;
  #state: GrammarState;
  #isFresh = false;
  /** Whether it wrote a space where it last had the choice; most models do. */
  #spaced = true;

  constructor(grammar: CompiledGrammar, stopTokenIds: readonly number[]) {
    this.#grammar = grammar;
    this.#state = grammar.start;
    this.#stopTokenIds = stopTokenIds.filter((token) => token < grammar.trie.vocabularySize);
    this.#allowed = new Int32Array(grammar.trie.maskWords);
  }

  /**
   * Works on what `allowedTokens` returns, for as long as it may. True when nothing of it is left.
   * @throws GrammarWorkError
   */
  prepare(untilMs: number): boolean {
    if (this.#isFresh) return true;
    const found = this.#grammar.allowedTokens(this.#state, untilMs);
    if (found === null) return false;
    const allowed = this.#allowed;
    allowed.set(found);
    for (const token of this.#stopTokenIds) {
      if (this.#state.accepting) allowed[token >>> 5] |= 1 << (token & 31);
      else allowed[token >>> 5] &= ~(1 << (token & 31));
    }
    this.#isFresh = true;
    return true;
  }

  /**
   * Bits of the tokens that may come next; stop tokens only where the document is complete.
   * @throws GrammarWorkError
   */
  allowedTokens(): Int32Array {
    this.prepare(Number.POSITIVE_INFINITY);
    return this.#allowed;
  }

  /** False when the token is not allowed; then nothing has changed. */
  accept(tokenId: number): boolean {
    let next: GrammarState | null;
    try {
      next = this.#grammar.advance(this.#state, tokenId);
    } catch (error) {
      if (!(error instanceof GrammarWorkError)) throw error;
      next = null;
    }
    if (next === null) return false;
    if (this.#grammar.maySpace(this.#state)) this.#spaced = this.#grammar.trie.bytesOf(tokenId)[0] === SPACE;
    this.#state = next;
    this.#isFresh = false;
    return true;
  }

  /** What it goes on with as far as it has no choice but that of a space, which it is taken to make as the last time. */
  expectedTokens(most: number): readonly number[] {
    try {
      return this.#grammar.expectedTokens(this.#state, this.#spaced, most);
    } catch (error) {
      if (!(error instanceof GrammarWorkError)) throw error;
      return [];
    }
  }

  /** Nothing may follow, and no stop token can say so. */
  get ended(): boolean {
    if (this.#stopTokenIds.length > 0) return false;
    return this.#state.accepting && this.#state.places.length === 0;
  }

  [Symbol.dispose](): void {
    this.#state = this.#grammar.start;
  }
}
