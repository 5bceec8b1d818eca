import { allowsNothing } from './allowed-tokens.ts';
import type { TokenConstraint } from './token-constraint.ts';

/** Leaves stop tokens out until an answer has so many tokens, unless nothing else may come: a document that is complete is not gone on with. */
export class MinimumTokens implements TokenConstraint {
  readonly #inner: TokenConstraint | null;
  readonly #least: number;
  readonly #stopTokenIds: readonly number[];
  readonly #vocabularySize: number;
  /** [ceil(vocabularySize / 32)] */
  readonly #mask: Int32Array;
  #taken = 0;

  /** @param inner what the answer is held to besides; null for nothing */
  constructor(inner: TokenConstraint | null, least: number, stopTokenIds: readonly number[], vocabularySize: number) {
    this.#inner = inner;
    this.#least = least;
    this.#stopTokenIds = stopTokenIds.filter((token) => token < vocabularySize);
    this.#vocabularySize = vocabularySize;
    this.#mask = new Int32Array(Math.ceil(vocabularySize / 32));
  }

  prepare(untilMs: number): boolean {
    return this.#inner?.prepare(untilMs) ?? true;
  }

  allowedTokens(): Int32Array {
    const mask = this.#mask;
    const inner = this.#inner?.allowedTokens() ?? null;
    if (inner !== null) mask.set(inner);
    else {
      mask.fill(-1);
      if (this.#vocabularySize % 32 !== 0) mask[mask.length - 1] = (1 << (this.#vocabularySize % 32)) - 1;
    }
    if (this.#taken >= this.#least) return mask;
    for (const token of this.#stopTokenIds) mask[token >>> 5] &= ~(1 << (token & 31));
    return inner !== null && allowsNothing(mask) ? inner : mask;
  }

  accept(tokenId: number): boolean {
    this.#taken += 1;
    return this.#inner?.accept(tokenId) ?? true;
  }

  expectedTokens(most: number): readonly number[] {
    return this.#inner?.expectedTokens(most) ?? [];
  }

  get ended(): boolean {
    return this.#inner?.ended ?? false;
  }

  [Symbol.dispose](): void {
    this.#inner?.[Symbol.dispose]();
  }
}
