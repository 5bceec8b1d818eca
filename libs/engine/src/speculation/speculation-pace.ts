import { PrefillCost } from '../scheduler/prefill-cost.ts';

/** So much of each new reading of a decode run. */
const NEW_SHARE = 0.2;
/** A single long run, when another process had the core, decides nothing. */
const MOST_SURPRISE = 2;
/** Tokens must be expected to come so many times as quickly, since what is expected is not quite what comes. */
const LEAST_GAIN = 1.05;
/** As long as nothing is known of what verifying takes, so many proposals find it out. */
const FIRST_PROPOSALS = 3;
/** Tokens without a verification after which one shows what it takes now, if only doubts about that speak against it; twice as many after each. */
const FIRST_PAUSE_TOKENS = 32;
const LONGEST_PAUSE_TOKENS = 1_024;
/** One that took so much less than was foretold is followed by another at once. */
const GOOD_NEWS = 0.75;
/** Only where this much would be gained if verifying took no longer than decoding. */
const WORTH_A_LOOK = 1.5;

/**
 * How many proposed tokens pay: as many as let most tokens come in a time, by what decode runs and runs that verified took until now, with
 * the past that there is; none where that is no more than decoding gives.
 */
export class SpeculationPace {
  readonly #cost = new PrefillCost();
  #decodeMs: number | null = null;
  #tokensSinceLook = 0;
  #pauseTokens = FIRST_PAUSE_TOKENS;

  decoded(ms: number): void {
    const before = this.#decodeMs;
    this.#decodeMs = before === null ? ms : before + NEW_SHARE * (Math.min(ms, MOST_SURPRISE * before) - before);
    this.#tokensSinceLook += 1;
  }

  verified(tokens: number, pastTokens: number, ms: number): void {
    if (this.#cost.known && ms < GOOD_NEWS * this.#cost.msOf(tokens, pastTokens)) this.#pauseTokens = 0;
    this.#cost.learn(tokens, pastTokens, ms);
    this.#tokensSinceLook = 0;
  }

  /**
   * @param most 1 or more
   * @param chanceOf the proposal of this index is right when all before it are
   */
  payingProposals(most: number, pastTokens: number, chanceOf: (index: number) => number): number {
    if (this.#decodeMs === null) return 0;
    if (!this.#cost.known) return Math.min(most, FIRST_PROPOSALS);
    let best = 0;
    let bestGain = 0;
    let tokens = 1;
    let bestTokens = 1;
    let chance = 1;
    for (let proposals = 1; proposals <= most; proposals++) {
      chance *= chanceOf(proposals - 1);
      tokens += chance;
      const ms = Math.max(this.#decodeMs, this.#cost.msOf(proposals + 1, pastTokens));
      const gain = (tokens * this.#decodeMs) / ms;
      if (gain <= bestGain) continue;
      best = proposals;
      bestGain = gain;
      bestTokens = tokens;
    }
    if (bestGain >= LEAST_GAIN) {
      this.#pauseTokens = FIRST_PAUSE_TOKENS;
      return best;
    }
    if (bestTokens < WORTH_A_LOOK || this.#tokensSinceLook < this.#pauseTokens) return 0;
    this.#pauseTokens = Math.min(LONGEST_PAUSE_TOKENS, Math.max(FIRST_PAUSE_TOKENS, 2 * this.#pauseTokens));
    return best;
  }
}
