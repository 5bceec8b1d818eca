import type { GrammarNode } from './grammar-node.ts';
import { type GrammarState, GrammarStates } from './grammar-states.ts';
import type { TokenTrie } from './token-trie.ts';

/** What the states and masks of one grammar may take; beyond it they are made anew. */
const MAX_BYTES = 64 * 2 ** 20;

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
   * @param untilMs when to pause, by `performance.now()`; the next call goes on
   * @returns the kept mask, not to be changed; null while it is not whole
   * @throws GrammarWorkError
   */
  allowedTokens(state: GrammarState, untilMs = Number.POSITIVE_INFINITY): Int32Array | null {
    if (state.allowed !== null) return state.allowed;
    const alike = this.#states.representative(state, this.trie.longestToken);
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

  /** The state behind a token; null where it does not fit. */
  advance(state: GrammarState, token: number): GrammarState | null {
    if (this.bytes > MAX_BYTES) {
      this.#states.forget();
      this.#masks = 0;
    }
    return this.trie.advance(this.#states, this.#states.adopt(state), token);
  }
}
