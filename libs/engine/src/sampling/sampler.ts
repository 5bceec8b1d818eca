import type { SamplingParameters } from '#contracts';
import { type LogitsKernels, NEAR_NATS } from '#contracts/ports';
import type { TokenLogprob } from '../step-output.ts';
import { RANGE_NATS } from './exp-table.ts';
import type { KnownTokens } from './known-tokens.ts';
import { NO_TOKEN, PLAIN_KERNELS } from './plain-kernels.ts';
import { type HiddenTokens, ProbabilityBuckets, UNDECIDED } from './probability-buckets.ts';
import { tokenLogprob } from './token-logprob.ts';
import type { TokenPenalties } from './token-penalties.ts';
import { uniformNoise } from './uniform-noise.ts';
import { WeighedRow } from './weighed-row.ts';

/** Below this a temperature can only pick the likeliest token, and dividing by it would overflow. */
export const GREEDY_TEMPERATURE = 1e-5;

/**
 * Picks tokens from logits, in the order that `SamplingParameters` documents. One instance serves all sequences of an
 * engine: its arrays of the vocabulary's size are made once.
 */
export class Sampler {
  readonly #kernels: LogitsKernels;
  /** [vocabularySize] logits after constraint, bias and penalties */
  readonly #adjusted: Float32Array;
  readonly #row: WeighedRow;
  readonly #buckets: ProbabilityBuckets;

  constructor(vocabularySize: number, kernels = PLAIN_KERNELS) {
    this.#kernels = kernels;
    this.#adjusted = new Float32Array(vocabularySize);
    this.#row = new WeighedRow(vocabularySize, kernels);
    this.#buckets = new ProbabilityBuckets(this.#row);
  }

  /**
   * @param logits [vocabularySize], not changed
   * @param penalties null when the parameters have none
   * @param choice which of the request's sequences
   * @param position index of the token within the choice, from 0
   * @param allowed bits of the tokens that may be drawn, as `TokenConstraint` gives them; null for all
   * @returns the token, or `NO_TOKEN` when a logit is NaN or +Infinity, or none is above −Infinity
   */
  sample(
    logits: Float32Array,
    sampling: SamplingParameters,
    penalties: TokenPenalties | null,
    choice: number,
    position: number,
    allowed: Int32Array | null = null,
  ): number {
    const adjusted = this.#adjust(logits, sampling, penalties, allowed);
    const likeliest = this.#kernels.argmax(adjusted);
    if (likeliest === NO_TOKEN || sampling.temperature < GREEDY_TEMPERATURE) return likeliest;

    const maxLogit = adjusted[likeliest];
    const near = this.#draw(adjusted, maxLogit, sampling, choice, position, NEAR_NATS);
    return near === UNDECIDED ? this.#draw(adjusted, maxLogit, sampling, choice, position, RANGE_NATS) : near;
  }

  /**
   * The token that `sample` picks from the whole row, from those of its logits that are known. The row has no NaN and no +Infinity.
   * @param known loaded, with the logits as the model gave them; they are changed
   * @returns the token; `NO_TOKEN` when none is above −Infinity; `UNDECIDED` when it depends on hidden tokens
   */
  sampleKnown(
    known: KnownTokens,
    sampling: SamplingParameters,
    penalties: TokenPenalties | null,
    choice: number,
    position: number,
  ): number {
    const { logits, places, tokenIds, floor } = known;
    for (const [token, bias] of sampling.logitBias) if (places[token] >= 0) logits[places[token]] += bias;
    penalties?.apply(logits, places);
    const likeliest = known.likeliest();
    // The first of equals wins, and hidden ones may be equal to the floor.
    if (likeliest === NO_TOKEN) return floor === Number.NEGATIVE_INFINITY ? NO_TOKEN : UNDECIDED;
    const maxLogit = logits[likeliest];
    if (!(maxLogit > floor && maxLogit < Number.POSITIVE_INFINITY)) return UNDECIDED;
    const { temperature } = sampling;
    if (temperature < GREEDY_TEMPERATURE) return tokenIds[likeliest];

    const hidden = known.hidden(maxLogit, temperature);
    let place = this.#draw(logits, maxLogit, sampling, choice, position, NEAR_NATS, hidden);
    if (place === UNDECIDED) place = this.#draw(logits, maxLogit, sampling, choice, position, RANGE_NATS, hidden);
    return place === UNDECIDED ? UNDECIDED : tokenIds[place];
  }

  /**
   * How likely the model itself found a token and the `topCount` likeliest ones.
   * @param logits [vocabularySize] as the model gave them, at least one finite
   */
  logprob(logits: Float32Array, tokenId: number, topCount: number): TokenLogprob {
    this.#row.load(logits, logits[this.#kernels.argmax(logits)], 1, RANGE_NATS);
    return tokenLogprob(logits, this.#row, tokenId, topCount);
  }

  #draw(
    logits: Float32Array,
    maxLogit: number,
    sampling: SamplingParameters,
    choice: number,
    position: number,
    rangeNats: number,
    hidden: HiddenTokens | null = null,
  ): number {
    const { temperature, topK, topP, minP, seed } = sampling;
    const buckets = this.#buckets;
    buckets.load(logits, maxLogit, temperature, rangeNats);
    if (hidden !== null) buckets.hide(hidden, rangeNats);
    if (topK > 0 && !buckets.keepTopK(topK)) return UNDECIDED;
    if (topP < 1 && !buckets.keepTopP(topP)) return UNDECIDED;
    if (minP > 0 && !buckets.keepMinP(minP)) return UNDECIDED;
    return buckets.draw(uniformNoise(seed, choice, position, 1), uniformNoise(seed, choice, position, 0));
  }

  #adjust(
    logits: Float32Array,
    sampling: SamplingParameters,
    penalties: TokenPenalties | null,
    allowed: Int32Array | null,
  ): Float32Array {
    if (penalties === null && sampling.logitBias.length === 0 && allowed === null) return logits;
    const adjusted = this.#adjusted;
    if (allowed === null) adjusted.set(logits);
    else this.#kernels.mask(adjusted, logits, allowed);
    for (const [token, bias] of sampling.logitBias) adjusted[token] += bias;
    penalties?.apply(adjusted);
    return adjusted;
  }
}
