/** Where the terms of a chunk's cost are of like size. */
const UNIT_TOKENS = 32;
const UNIT_PAST = 1_024;
const TERMS = 4;
/**
 * How the terms relate before runs have shown it, measured on a model of 135M parameters: what a run costs at all, each
 * token, reading the past once, and each token's attention over it.
 */
const FIRST_SHARES = [0.2, 1, 0.2, 0.6] as const;
/** A reading's weight falls to half with the next fourteen: what else the machine does changes. */
const MEMORY = 0.95;
/** How much readings must say for the terms to relate otherwise. */
const FIRMNESS = 0.1;
/** A reading counts as no more than this many times what was expected: another process had the core for a moment. */
const MOST_SURPRISE = 2;
const READINGS_TO_TRUST = 4;

/**
 * What computing a chunk takes, learnt from runs: `a + b·tokens + c·past + d·tokens·past`. Attention copies all keys and values
 * of the past into the order that its kernel wants in every run, so a chunk of few tokens costs more than their number says (`c`).
 *
 * Least squares over the latest readings, each relative to what `FIRST_SHARES` alone would give, and drawn to their proportions (ridge
 * regression): chunks of one length at nearly one past leave the proportions open, and there the level is what counts.
 */
export class PrefillCost {
  /** Σ x·xᵀ and Σ x·t of the readings: x a run's terms and t its time, both over what `FIRST_SHARES` gives for it. */
  readonly #products = new Float64Array(TERMS * TERMS);
  readonly #sums = new Float64Array(TERMS);
  /** Σ t, and how many of them. */
  #timeSum = 0;
  #timeWeight = 0;
  #readings = 0;
  /** Milliseconds of each term. */
  readonly #terms = new Float64Array(TERMS);
  readonly #system = new Float64Array(TERMS * (TERMS + 1));
  readonly #run = new Float64Array(TERMS);

  get known(): boolean {
    return this.#readings > 0;
  }

  /** @param pastTokens computed before the run */
  learn(tokens: number, pastTokens: number, ms: number): void {
    const expected = this.#readings < READINGS_TO_TRUST ? Number.POSITIVE_INFINITY : this.msOf(tokens, pastTokens);
    const reading = Math.max(1e-3, Math.min(ms, MOST_SURPRISE * expected));
    const run = this.#run;
    run.set([1, tokens / UNIT_TOKENS, pastTokens / UNIT_PAST, (tokens / UNIT_TOKENS) * (pastTokens / UNIT_PAST)]);
    let first = 0;
    for (let i = 0; i < TERMS; i++) first += FIRST_SHARES[i] * run[i];
    const time = reading / first;
    this.#timeSum = MEMORY * this.#timeSum + time;
    this.#timeWeight = MEMORY * this.#timeWeight + 1;
    for (let i = 0; i < TERMS; i++) {
      this.#sums[i] = MEMORY * this.#sums[i] + (run[i] / first) * time;
      for (let j = 0; j < TERMS; j++) {
        const at = i * TERMS + j;
        this.#products[at] = MEMORY * this.#products[at] + (run[i] / first) * (run[j] / first);
      }
    }
    this.#readings += 1;
    this.#solve();
  }

  /** Milliseconds that a chunk is expected to take; only where something is `known`. */
  msOf(tokens: number, pastTokens: number): number {
    return this.#fixedMs(pastTokens) + tokens * this.#msPerToken(pastTokens);
  }

  /** Tokens that fit into so many milliseconds, 0 where the run alone takes as long. */
  tokensWithin(ms: number, pastTokens: number): number {
    return Math.max(0, (ms - this.#fixedMs(pastTokens)) / this.#msPerToken(pastTokens));
  }

  #fixedMs(pastTokens: number): number {
    return this.#terms[0] + (this.#terms[2] * pastTokens) / UNIT_PAST;
  }

  #msPerToken(pastTokens: number): number {
    return (this.#terms[1] + (this.#terms[3] * pastTokens) / UNIT_PAST) / UNIT_TOKENS;
  }

  /** Gaussian elimination; the ridge makes the system positive definite. */
  #solve(): void {
    const level = this.#timeSum / this.#timeWeight;
    const width = TERMS + 1;
    const system = this.#system;
    for (let i = 0; i < TERMS; i++) {
      const ridge = FIRMNESS / FIRST_SHARES[i] ** 2;
      for (let j = 0; j < TERMS; j++) system[i * width + j] = this.#products[i * TERMS + j] + (i === j ? ridge : 0);
      system[i * width + TERMS] = this.#sums[i] + ridge * level * FIRST_SHARES[i];
    }
    for (let pivot = 0; pivot < TERMS; pivot++) {
      for (let row = pivot + 1; row < TERMS; row++) {
        const factor = system[row * width + pivot] / system[pivot * width + pivot];
        for (let at = pivot; at < width; at++) system[row * width + at] -= factor * system[pivot * width + at];
      }
    }
    for (let row = TERMS - 1; row >= 0; row--) {
      let value = system[row * width + TERMS];
      for (let at = row + 1; at < TERMS; at++) value -= system[row * width + at] * this.#terms[at];
      // More work never takes less time; a little of each keeps the division above sound.
      this.#terms[row] = Math.max(value / system[row * width + row], 0.02 * level * FIRST_SHARES[row]);
    }
  }
}
