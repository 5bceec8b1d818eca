import type { LogitsKernels, NearTokens } from '#contracts/ports';
import { BUCKETS, EXP_OF_BUCKET } from './exp-table.ts';

/**
 * The tokens of a row within a range of the likeliest one, in buckets by their distance to it, with what those of a bucket weigh together: the
 * likeliest token weighs 1. A bucket's tokens are only looked for, and sorted, when they are wanted. Reuses its arrays.
 */
export class WeighedRow {
  /** Tokens that are loaded. */
  count = 0;
  readonly #kernels: LogitsKernels;
  readonly #near: NearTokens;
  /** [vocabularySize] tokens of the bucket in hand */
  readonly #members: Int32Array;
  /** Whose tokens those are; −1 for no bucket's. */
  #memberBucket = -1;
  #membersSorted = false;
  #logits: Float32Array = new Float32Array(0);
  #largest = Number.NEGATIVE_INFINITY;

  constructor(vocabularySize: number, kernels: LogitsKernels) {
    this.#kernels = kernels;
    this.#near = {
      tokens: new Int32Array(vocabularySize),
      buckets: new Uint16Array(vocabularySize),
      mass: new Float64Array(BUCKETS),
      counts: new Int32Array(BUCKETS),
      exps: EXP_OF_BUCKET,
    };
    this.#members = new Int32Array(vocabularySize);
  }

  /** [BUCKETS] */
  get mass(): Float64Array {
    return this.#near.mass;
  }

  /** [BUCKETS] tokens of each */
  get counts(): Int32Array {
    return this.#near.counts;
  }

  /**
   * @param logits at most [vocabularySize], read until the next row is loaded; none NaN
   * @param largest of them, finite
   * @param temperature > 0
   * @param rangeNats at most RANGE_NATS
   */
  load(logits: Float32Array, largest: number, temperature: number, rangeNats: number): void {
    this.#logits = logits;
    this.#largest = largest;
    this.#memberBucket = -1;
    this.#near.mass.fill(0);
    this.#near.counts.fill(0);
    this.count = this.#kernels.weigh(logits, { largest, temperature, rangeNats }, this.#near);
  }

  /** The largest logit. */
  get largest(): number {
    return this.#largest;
  }

  /** What all loaded tokens weigh together, or those of the first buckets. */
  total(buckets = BUCKETS): number {
    const { mass } = this.#near;
    let total = 0;
    for (let bucket = 0; bucket < buckets; bucket++) total += mass[bucket];
    return total;
  }

  /** The tokens of a bucket, the first `counts[bucket]`, in ascending order. Valid until another is asked for. */
  members(bucket: number): Int32Array {
    if (this.#memberBucket !== bucket || this.#membersSorted) {
      this.#kernels.tokensOf(bucket, this.#near, this.count, this.#members);
      this.#memberBucket = bucket;
      this.#membersSorted = false;
    }
    return this.#members;
  }

  /** The same, likeliest first, lower id first among equals. */
  sorted(bucket: number): Int32Array {
    if (this.#memberBucket === bucket && this.#membersSorted) return this.#members;
    const members = this.members(bucket);
    this.#kernels.sort(members, this.#near.counts[bucket], this.#logits);
    this.#membersSorted = true;
    return members;
  }
}
