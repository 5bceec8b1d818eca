import type { TokenLimits } from '#contracts';
import { allTokens, leaveOut } from './allowed-tokens.ts';
import { NarrowedConstraint } from './narrowed-constraint.ts';
import type { TokenConstraint } from './token-constraint.ts';

/** Leaves tokens out of an answer: all but some, and those that would complete a sequence that may not come. */
export class LimitedTokens extends NarrowedConstraint {
  /** Sequences of several tokens that may not come. */
  readonly #banned: readonly (readonly number[])[];
  /** Of all that the limits leave at any place: [ceil(vocabularySize / 32)] */
  readonly #left: Int32Array;
  /** [ceil(vocabularySize / 32)] */
  readonly #mask: Int32Array;
  /** As many of the answer's last tokens as a banned sequence may begin with. */
  #last: number[] = [];
  readonly #longest: number;

  /** @param inner what the answer is held to besides; null for nothing */
  constructor(inner: TokenConstraint | null, { allowed, banned = [] }: TokenLimits, vocabularySize: number) {
    super(inner);
    this.#left = allTokens(vocabularySize);
    if (allowed !== undefined) {
      this.#left.fill(0);
      for (const token of allowed) this.#left[token >>> 5] |= 1 << (token & 31);
    }
    for (const [token = 0, ...rest] of banned) if (rest.length === 0) leaveOut(this.#left, token);
    this.#banned = banned.filter((sequence) => sequence.length > 1);
    this.#longest = Math.max(0, ...this.#banned.map((sequence) => sequence.length - 1));
    this.#mask = this.#left.slice();
  }

  allowedTokens(): Int32Array {
    const mask = this.#mask;
    mask.set(this.#left);
    for (const sequence of this.#banned) {
      if (this.#endsWithAllButTheLastOf(sequence)) leaveOut(mask, sequence[sequence.length - 1] ?? 0);
    }
    const inner = this.inner?.allowedTokens() ?? null;
    if (inner !== null) for (let word = 0; word < mask.length; word++) mask[word] &= inner[word] ?? 0;
    return mask;
  }

  override accept(tokenId: number): boolean {
    if (this.#longest > 0) this.#last = [...this.#last, tokenId].slice(-this.#longest);
    return super.accept(tokenId);
  }

  #endsWithAllButTheLastOf(sequence: readonly number[]): boolean {
    const begun = this.#last.length - (sequence.length - 1);
    if (begun < 0) return false;
    for (let place = 0; place < sequence.length - 1; place++) {
      if (this.#last[begun + place] !== sequence[place]) return false;
    }
    return true;
  }
}
