import type { TokenConstraint } from './token-constraint.ts';

/** Leaves tokens out beside what an answer is held to; in all but its tokens it is as that one, or free. */
export abstract class NarrowedConstraint implements TokenConstraint {
  protected readonly inner: TokenConstraint | null;

  /** @param inner what the answer is held to besides; null for nothing */
  constructor(inner: TokenConstraint | null) {
    this.inner = inner;
  }

  abstract allowedTokens(): Int32Array;

  prepare(untilMs: number): boolean {
    return this.inner?.prepare(untilMs) ?? true;
  }

  accept(tokenId: number): boolean {
    return this.inner?.accept(tokenId) ?? true;
  }

  expectedTokens(most: number): readonly number[] {
    return this.inner?.expectedTokens(most) ?? [];
  }

  get ended(): boolean {
    return this.inner?.ended ?? false;
  }

  [Symbol.dispose](): void {
    this.inner?.[Symbol.dispose]();
  }
}
