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

  /** @param logits [vocabularySize], changed in place */
  apply(logits: Float32Array): void {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.#sampling;
    for (let entry = 0; entry < this.#tokens.length; entry++) {
      const token = this.#tokens[entry];
      const generated = this.#generated[entry];
      let logit = logits[token];
      logit = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      if (generated > 0) logit -= presencePenalty + frequencyPenalty * generated;
      logits[token] = logit;
    }
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
