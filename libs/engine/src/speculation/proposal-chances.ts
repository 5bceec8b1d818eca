/** Certainties from here on count as one. */
const LEVELS = 8;
/** Of what a constraint leaves no choice in. */
export const MOST_CERTAIN = LEVELS - 1;
/** How likely the expected token is until its sequence has shown it, by certainty; and for how many readings that counts. */
const FIRST_CHANCES = [0.35, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9] as const;
const FIRST_WEIGHT = 2;
/** A reading's weight falls to half with the next 34 of its level: an answer quotes for a while, then does not. */
const MEMORY = 0.98;

/** How often a sequence's tokens were those that were expected, by how certain that was (`PromptLookup.certainty`). */
export class ProposalChances {
  readonly #right = Float64Array.from(FIRST_CHANCES, (chance) => chance * FIRST_WEIGHT);
  readonly #readings = new Float64Array(LEVELS).fill(FIRST_WEIGHT);

  learn(certainty: number, right: boolean): void {
    const level = Math.min(certainty, LEVELS - 1);
    this.#right[level] = MEMORY * this.#right[level] + (right ? 1 : 0);
    this.#readings[level] = MEMORY * this.#readings[level] + 1;
  }

  chance(certainty: number): number {
    const level = Math.min(certainty, LEVELS - 1);
    return this.#right[level] / this.#readings[level];
  }
}
