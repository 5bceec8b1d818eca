/** What all but a tenth of the runs stay below. */
const QUANTILE = 0.9;
const STEP = 0.04;
/** Until runs were seen, and the bounds: a machine on which runs take twice as long now and then needs other help. */
const FIRST = 4 / 3;
const LEAST = 1.05;
const MOST = 2;

/**
 * How many times as long as foretold prefill runs take at most, but for a tenth of them. A quantile from single readings (stochastic
 * approximation): it falls a little with each run below it, and rises nine times as far with each above it, however far above.
 */
export class PrefillSurprise {
  #most = FIRST;

  /** ≥ 1.05. */
  get most(): number {
    return this.#most;
  }

  /** @param ratio what a run took, over what was foretold */
  learn(ratio: number): void {
    const step = ratio > this.#most ? STEP * QUANTILE : -STEP * (1 - QUANTILE);
    this.#most = Math.min(MOST, Math.max(LEAST, this.#most + step));
  }
}
