import { expectedBytes, maySpace } from './expected-bytes.ts';
import type { GrammarNode } from './grammar-node.ts';
import { type GrammarState, GrammarStates } from './grammar-states.ts';
import { GrammarWorkError } from './grammar-work-error.ts';
import type { TokenTrie } from './token-trie.ts';
import { NO_TOKEN } from './trie-nodes.ts';

/** What the states and masks of one grammar may take; beyond it they are made anew. */
const MAX_BYTES = 64 * 2 ** 20;

/** What a text has to go on with is looked at no further: few tokens are longer. */
const FORCED_BYTES = 32;
/** Of an expected token, at most: what is expected is looked for no further. */
const BYTES_OF_EXPECTED = 8;

/** A grammar that meets a vocabulary. Masks are made where an answer asks for them, and kept by state. */
export class CompiledGrammar {
  readonly trie: TokenTrie;
  readonly #states: GrammarStates;
  #masks = 0;

  constructor(grammar: GrammarNode, trie: TokenTrie) {
    this.trie = trie;
    this.#states = new GrammarStates(grammar);
  }

  get start(): GrammarState {
    return this.#states.start;
  }

  /** Memory that it takes, about. */
  get bytes(): number {
    return this.#states.bytes + this.#masks * this.trie.maskWords * 4;
  }

  /**
   * Bits of the tokens that may come next. Where a text has no choice for longer than any token is, it is spelt in the longest ones: a model may not
   * write it in pieces that it has hardly ever seen.
   * @param untilMs when to pause, by `performance.now()`; the next call goes on
   * @returns the kept mask, not to be changed; null while it is not whole
   * @throws GrammarWorkError
   */
  allowedTokens(state: GrammarState, untilMs = Number.POSITIVE_INFINITY): Int32Array | null {
    if (state.allowed !== null) return state.allowed;
    const alike = this.#states.representative(state, this.trie.longestToken);
    if (alike.allowed === null && alike.walk === null) {
      const forced = this.#forcedToken(alike);
      if (forced !== NO_TOKEN) {
        alike.allowed = this.trie.maskOf(forced);
        this.#masks += 1;
      }
    }
    if (alike.allowed === null) {
      alike.walk ??= this.trie.walk(alike);
      if (!alike.walk.goOn(this.#states, untilMs)) return null;
      alike.allowed = alike.walk.allowed;
      alike.walk = null;
      this.#masks += 1;
    }
    state.allowed = alike.allowed;
    return state.allowed;
  }

  /** Whether the text may only go on with a space, or with one other byte. */
  maySpace(state: GrammarState): boolean {
    return maySpace(this.#states, state);
  }

  /**
   * What a text goes on with as far as it has no choice, as tokens.
   * @param spaced whether it takes a space where it may
   * @throws GrammarWorkError
   */
  expectedTokens(state: GrammarState, spaced: boolean, most: number): number[] {
    const bytes = expectedBytes(this.#states, this.#states.adopt(state), most * BYTES_OF_EXPECTED, spaced);
    return this.trie.spell(bytes).slice(0, most);
  }

  /** The state behind a token; null where it does not fit. */
  advance(state: GrammarState, token: number): GrammarState | null {
    if (this.bytes > MAX_BYTES) {
      this.#states.forget();
      this.#masks = 0;
    }
    return this.trie.advance(this.#states, this.#states.adopt(state), token);
  }

  /** NO_TOKEN where the text has a choice, or a byte that has no token of its own: then it might not be spelt to the end. */
  #forcedToken(state: GrammarState): number {
    const text = this.#forcedText(state);
    if (text.some((_, at) => this.trie.longestAt(text.subarray(at, at + 1), 0).token === NO_TOKEN)) return NO_TOKEN;
    const { token, mayBeLonger } = this.trie.longestAt(text, 0);
    // What is behind the text may be a part of a longer token, which the model may take.
    return mayBeLonger ? NO_TOKEN : token;
  }

  /** Empty where that is too much work to find out: a mask of shorter tokens may be less. */
  #forcedText(state: GrammarState): Uint8Array {
    try {
      return expectedBytes(this.#states, state, FORCED_BYTES);
    } catch (error) {
      if (error instanceof GrammarWorkError) return new Uint8Array(0);
      throw error;
    }
  }
}
