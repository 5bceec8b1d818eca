import { allowsNothing, allTokens, leaveOut } from './allowed-tokens.ts';
import { NarrowedConstraint } from './narrowed-constraint.ts';
import type { TokenConstraint } from './token-constraint.ts';

/** Leaves stop tokens out until an answer has so many tokens, unless nothing else may come: a document that is complete is not gone on with. */
export class MinimumTokens extends NarrowedConstraint {
  readonly #least: number;
  readonly #stopTokenIds: readonly number[];
  readonly #all: Int32Array;
  /** [ceil(vocabularySize / 32)] */
  readonly #mask: Int32Array;
  #taken = 0;

  /** @param inner what the answer is held to besides; null for nothing */
  constructor(inner: TokenConstraint | null, least: number, stopTokenIds: readonly number[], vocabularySize: number) {
    super(inner);
    this.#least = least;
    this.#stopTokenIds = stopTokenIds.filter((token) => token < vocabularySize);
    this.#all = allTokens(vocabularySize);
    this.#mask = new Int32Array(Math.ceil(vocabularySize / 32));
  }

  allowedTokens(): Int32Array {
    const mask = this.#mask;
    const inner = this.inner?.allowedTokens() ?? null;
    mask.set(inner ?? this.#all);
    if (this.#taken >= this.#least) return mask;
    for (const token of this.#stopTokenIds) leaveOut(mask, token);
    return inner !== null && allowsNothing(mask) ? inner : mask;
  }

  override accept(tokenId: number): boolean {
    this.#taken += 1;
    return super.accept(tokenId);
  }
}
