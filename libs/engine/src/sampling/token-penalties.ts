import type { SamplingParameters } from '#contracts';

/** True when the parameters change logits by what the sequence already holds. */
export function usesPenalties(sampling: SamplingParameters): boolean {
  return sampling.repetitionPenalty !== 1 || sampling.presencePenalty !== 0 || sampling.frequencyPenalty !== 0;
}

/**
 * The tokens that a sequence holds, for its penalties. Repetition counts prompt and generated tokens (Keskar et al.
 * 2019); presence and frequency count generated ones only, as OpenAI defines them.
 */
export class TokenPenalties {
  readonly #sampling: SamplingParameters;
  readonly #entryOfToken = new Map<number, number>();
  readonly #tokens: number[] = [];
  /** How often each entry of `#tokens` was generated; 0 for tokens of the prompt only. */
  readonly #generated: number[] = [];

  constructor(sampling: SamplingParameters, promptTokenIds: Int32Array) {
    this.#sampling = sampling;
    if (sampling.repetitionPenalty !== 1) {
      for (const token of promptTokenIds) this.#entry(token);
    }
  }

  addGenerated(token: number): void {
    this.#generated[this.#entry(token)] += 1;
  }

  /**
   * @param logits [vocabularySize], changed in place; with `places` only of some tokens
   * @param places [vocabularySize] where in `logits` a token is, −1 for those that are not; null where it is the token itself
   */
  apply(logits: Float32Array, places: Int32Array | null = null): void {
    const { repetitionPenalty } = this.#sampling;
    for (let entry = 0; entry < this.#tokens.length; entry++) {
      const place = places === null ? this.#tokens[entry] : places[this.#tokens[entry]];
      if (place < 0) continue;
      let logit = logits[place];
      logit = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      if (this.#generated[entry] > 0) logit -= this.#deduction(entry);
      logits[place] = logit;
    }
  }

  /** Tokens whose logits are changed, or only those that may be raised. */
  changedTokens(loweredToo: boolean): number[] {
    return this.#tokens.filter(
      (_, entry) =>
        loweredToo ||
        this.#sampling.repetitionPenalty < 1 ||
        (this.#generated[entry] > 0 && this.#deduction(entry) < 0),
    );
  }

  #deduction(entry: number): number {
    return this.#sampling.presencePenalty + this.#sampling.frequencyPenalty * this.#generated[entry];
  }

  #entry(token: number): number {
    const known = this.#entryOfToken.get(token);
    if (known !== undefined) return known;
    const entry = this.#tokens.length;
    this.#entryOfToken.set(token, entry);
    this.#tokens.push(token);
    this.#generated.push(0);
    return entry;
  }
}
