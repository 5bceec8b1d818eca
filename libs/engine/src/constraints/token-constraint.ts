import type { OutputConstraint } from '#contracts';

/** What one sequence may still say. Its owner disposes it when the sequence has ended. */
export interface TokenConstraint extends Disposable {
  /**
   * Works on what `allowedTokens` returns until `performance.now()` is `untilMs`, and a little in any case.
   * @returns whether nothing of it is left, so that `allowedTokens` costs nothing
   * @throws what `allowedTokens` throws
   */
  prepare(untilMs: number): boolean;
  /**
   * The tokens that may come next: [ceil(vocabularySize / 32)] words, token t is bit t % 32 of word t / 32. Stop tokens
   * are among them only where the answer may end. Valid until the next call of `accept`. None at all is a dead end.
   */
  allowedTokens(): Int32Array;
  /** Takes a token that was allowed and is no stop token. False when it does not fit after all. */
  accept(tokenId: number): boolean;
  /**
   * What the answer goes on with as far as it has no choice, spelt in tokens as it is likely to spell it. A guess: what may come is what `allowedTokens` says.
   * @param most of them
   * @returns none where there is a choice, or the answer may end
   */
  expectedTokens(most: number): readonly number[];
  /** The answer is complete, and there is no stop token that could say so. */
  readonly ended: boolean;
}

/** Makes constraints; the composition root brings one that knows the model's vocabulary. */
export interface TokenConstraints {
  /**
   * @param stopTokenIds allowed where the answer may end
   * @param translated what was made of the constraint elsewhere, where anything was
   * @throws when the constraint can not be enforced
   */
  create(
    constraint: OutputConstraint,
    stopTokenIds: readonly number[],
    translated?: Int32Array | null,
  ): TokenConstraint;
}
