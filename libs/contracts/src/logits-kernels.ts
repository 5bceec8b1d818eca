/** Tokens are sorted by their distance to the likeliest one, in steps of this part of a nat. */
export const BUCKETS_PER_NAT = 64;

/** Room for the tokens of a row that are near the likeliest one. */
export interface NearTokens {
  /** [vocabularySize] the tokens, in ascending order */
  readonly tokens: Int32Array;
  /** [vocabularySize] bucket of each of them */
  readonly buckets: Uint16Array;
  /** [buckets of the range] what the tokens of a bucket weigh together, added up in ascending order */
  readonly mass: Float64Array;
  /** [buckets of the range] how many tokens a bucket has */
  readonly counts: Int32Array;
  /** [buckets of the range] exp(−bucket ÷ BUCKETS_PER_NAT), given */
  readonly exps: Float64Array;
}

/** Which tokens are near. */
export interface Nearness {
  /** The row's largest logit, finite. */
  readonly largest: number;
  /** > 0 */
  readonly temperature: number;
  /** Further below it, in nats, a token is not near. */
  readonly rangeNats: number;
}

/**
 * Loops over one row of logits [vocabularySize], out of which tokens are drawn. Every implementation gives the same bits: libs/model-runner/native/README.md
 * says how weights are made.
 */
export interface LogitsKernels {
  /** Index of the largest logit, the first of equals; −1 when one is NaN or +Infinity, or all are −Infinity. */
  argmax(logits: Float32Array): number;

  /**
   * `to` = the logits of allowed tokens, −Infinity for all others.
   * @param allowed [ceil(vocabularySize / 32)] token t is bit t % 32 of word t / 32
   */
  mask(to: Float32Array, logits: Float32Array, allowed: Int32Array): void;

  /**
   * Finds the tokens that are near, and adds them to `to.mass` and `to.counts`.
   * @param logits none NaN
   * @returns how many they are
   */
  weigh(logits: Float32Array, nearness: Nearness, to: NearTokens): number;

  /**
   * The tokens of one bucket, in ascending order.
   * @param near of which the first `count` are valid
   * @param to [≥ near.counts[bucket]]
   */
  tokensOf(bucket: number, near: NearTokens, count: number, to: Int32Array): void;

  /** Sorts the first `count` tokens: the largest logit first, the lower token first among equals. */
  sort(tokens: Int32Array, count: number, logits: Float32Array): void;
}
