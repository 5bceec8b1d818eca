/** Tokens of the n-grams that are looked up, the longest first. */
const NGRAM_TOKENS = [3, 2] as const;
const SHORTEST = Math.min(...NGRAM_TOKENS);

/**
 * Guesses what follows a text from the text itself: what followed the last tokens where they stood before, the latest time (prompt lookup
 * decoding, Saxena 2023; vLLM's `ngram`). As long as the tokens that come are those of that place it is followed, which is a match of ever more
 * tokens; when they are not, the last three, or two, are looked up. Constant time for each token.
 */
export class PromptLookup {
  readonly #tokenIds: number[] = [];
  /** For each n: by hash of n tokens, the position behind their latest occurrence that something follows. */
  readonly #positions = NGRAM_TOKENS.map(() => new Map<number, number>());
  /** Position of the token that is expected next; −1 for none. */
  #source = -1;
  #matched = 0;

  get length(): number {
    return this.#tokenIds.length;
  }

  /** The token that is expected next; −1 for none. */
  get expected(): number {
    return this.#source < 0 ? -1 : this.#tokenIds[this.#source];
  }

  /** How many tokens more than the shortest n-gram has stand before the expected one in both places, as far as is known; −1 without one. */
  get certainty(): number {
    return this.#source < 0 ? -1 : this.#matched - SHORTEST;
  }

  append(tokenId: number): void {
    const asExpected = tokenId === this.expected;
    const at = this.#tokenIds.length;
    this.#tokenIds.push(tokenId);
    // Known from now on: before, nothing followed them.
    for (const [i, tokens] of NGRAM_TOKENS.entries()) {
      if (at >= tokens) this.#positions[i].set(this.#hashBefore(at, tokens), at);
    }
    if (asExpected) {
      this.#source += 1;
      this.#matched += 1;
    } else this.#lookUp();
  }

  /** The next `count` tokens as expected; none without a match. Behind the text's end they are those that are expected, once more. */
  propose(count: number): number[] {
    const proposals: number[] = [];
    if (this.#source < 0) return proposals;
    const known = this.#tokenIds.length - this.#source;
    for (let i = 0; i < count; i++) {
      proposals.push(i < known ? this.#tokenIds[this.#source + i] : proposals[i - known]);
    }
    return proposals;
  }

  #lookUp(): void {
    const end = this.#tokenIds.length;
    this.#source = -1;
    for (const [i, tokens] of NGRAM_TOKENS.entries()) {
      const position = end < tokens ? undefined : this.#positions[i].get(this.#hashBefore(end, tokens));
      if (position === undefined || !this.#sameBefore(position, end, tokens)) continue;
      this.#source = position;
      this.#matched = tokens;
      return;
    }
  }

  #sameBefore(a: number, b: number, tokens: number): boolean {
    for (let i = 1; i <= tokens; i++) if (this.#tokenIds[a - i] !== this.#tokenIds[b - i]) return false;
    return true;
  }

  /** 32 bits of the `tokens` tokens before a position. */
  #hashBefore(position: number, tokens: number): number {
    let hash = 0;
    for (let i = position - tokens; i < position; i++) hash = Math.imul(hash ^ (this.#tokenIds[i] + 1), 0x9e3779b1);
    return hash ^ (hash >>> 15);
  }
}
