import type { XgrammarBinding, XgrammarMatcher } from './load-xgrammar.ts';

/** How far one sequence has come in a grammar: what #engine calls a `TokenConstraint`. */
export class GrammarMatch implements Disposable {
  readonly #binding: XgrammarBinding;
  readonly #matcher: XgrammarMatcher;
  readonly #vocabularySize: number;
  readonly #stopTokenIds: readonly number[];
  /** [ceil(vocabularySize / 32)] */
  readonly #allowed: Int32Array;
  #isFresh = false;
  #mayEnd = false;

  /** @param matcher of a vocabulary with one token more, `vocabularySize`, that stands for the end */
  constructor(
    binding: XgrammarBinding,
    matcher: XgrammarMatcher,
    vocabularySize: number,
    stopTokenIds: readonly number[],
  ) {
    this.#binding = binding;
    this.#matcher = matcher;
    this.#vocabularySize = vocabularySize;
    this.#stopTokenIds = stopTokenIds.filter((token) => token < vocabularySize);
    this.#allowed = new Int32Array(Math.ceil(vocabularySize / 32));
  }

  /** Bits of the tokens that may come next; stop tokens only where the document is complete. */
  allowedTokens(): Int32Array {
    if (this.#isFresh) return this.#allowed;
    const allowed = this.#allowed;
    const words = this.#matcher.GetNextTokenBitmask(this.#vocabularySize + 1);
    const mask = this.#binding.vecIntToView(words);
    const endWord = this.#vocabularySize >>> 5;
    const endBit = 1 << (this.#vocabularySize & 31);
    this.#mayEnd = (mask[endWord] & endBit) !== 0;
    allowed.set(mask.subarray(0, allowed.length));
    words.delete();
    if (endWord < allowed.length) allowed[endWord] &= endBit - 1;
    for (const token of this.#stopTokenIds) {
      if (this.#mayEnd) allowed[token >>> 5] |= 1 << (token & 31);
      else allowed[token >>> 5] &= ~(1 << (token & 31));
    }
    this.#isFresh = true;
    return allowed;
  }

  /** False when the token is not allowed; then nothing has changed. */
  accept(tokenId: number): boolean {
    this.#isFresh = false;
    return this.#matcher.AcceptToken(tokenId, false);
  }

  /** Nothing may follow, and no stop token can say so. */
  get ended(): boolean {
    if (this.#stopTokenIds.length > 0) return false;
    return this.allowedTokens().every((word) => word === 0) && this.#mayEnd;
  }

  [Symbol.dispose](): void {
    this.#matcher.delete();
  }
}
