import type { RowCandidates } from '#contracts';
import { BUCKETS_PER_NAT, MASS_TOLERANCE, NEAR_NATS } from '#contracts/ports';
import { expOfNegative, RANGE_NATS } from './exp-table.ts';
import type { ListedTokens } from './listed-tokens.ts';
import { NO_TOKEN } from './plain-kernels.ts';
import type { HiddenTokens } from './probability-buckets.ts';

/** What a device told of a row for one choice. */
export interface SelectedRow {
  readonly candidates: RowCandidates;
  /** The tokens whose logits it was asked for beside the largest. */
  readonly listed: ListedTokens;
}

/**
 * The tokens of a row whose logits came over from a device, in ascending order, as the whole row has them. All others are hidden: their logits
 * are not above `floor`, and nothing raises them. One instance serves all rows of an engine, one at a time.
 */
export class KnownTokens {
  readonly #vocabularySize: number;
  /** [vocabularySize] place of each token among those known; −1 for the others. */
  readonly #places: Int32Array;
  /** [vocabularySize] by token; valid for the known ones. */
  readonly #rawOfToken: Float32Array;
  #tokenIds = new Int32Array(0);
  #raw = new Float32Array(0);
  #logits = new Float32Array(0);
  #selected: SelectedRow | null = null;
  #count = 0;

  constructor(vocabularySize: number) {
    this.#vocabularySize = vocabularySize;
    this.#places = new Int32Array(vocabularySize).fill(-1);
    this.#rawOfToken = new Float32Array(vocabularySize);
  }

  /** @param allowed as the candidates were selected with; null for all */
  load(selected: SelectedRow, allowed: Int32Array | null): void {
    for (const token of this.tokenIds) this.#places[token] = -1;
    const { candidates } = selected;
    const listed = selected.listed.tokenIds;
    this.#reserve(candidates.tokenIds.length + listed.length);
    this.#selected = selected;
    let count = 0;
    const take = (token: number, logit: number): void => {
      if (this.#places[token] >= 0) return;
      this.#places[token] = 0;
      this.#rawOfToken[token] = logit;
      this.#tokenIds[count++] = token;
    };
    for (let i = 0; i < candidates.tokenIds.length; i++) take(candidates.tokenIds[i], candidates.logits[i]);
    for (let i = 0; i < listed.length; i++)
      if (allowed === null || (allowed[listed[i] >>> 5] & (1 << (listed[i] & 31))) !== 0)
        take(listed[i], candidates.listedLogits[i]);
    this.#count = count;
    const { tokenIds } = this;
    tokenIds.sort();
    for (let place = 0; place < count; place++) {
      this.#places[tokenIds[place]] = place;
      this.#raw[place] = this.#rawOfToken[tokenIds[place]];
    }
    this.#logits.set(this.#raw.subarray(0, count));
  }

  /** [count] ascending */
  get tokenIds(): Int32Array {
    return this.#tokenIds.subarray(0, this.#count);
  }

  /** [count] as the model gave them, to be changed by bias and penalties. */
  get logits(): Float32Array {
    return this.#logits.subarray(0, this.#count);
  }

  /** [vocabularySize] where in `logits` a token is; −1 for hidden ones. */
  get places(): Int32Array {
    return this.#places;
  }

  /** As the model gave it. @param token a known one */
  rawLogit(token: number): number {
    return this.#rawOfToken[token];
  }

  /** No hidden token's logit is above it. */
  get floor(): number {
    const { candidates } = this.#row;
    return candidates.complete ? Number.NEGATIVE_INFINITY : (candidates.logits.at(-1) ?? Number.POSITIVE_INFINITY);
  }

  /** The place of the largest logit; `NO_TOKEN` when none is above −Infinity. */
  likeliest(): number {
    let best = NO_TOKEN;
    let bestLogit = Number.NEGATIVE_INFINITY;
    for (let place = 0; place < this.#count; place++) {
      if (this.#logits[place] <= bestLogit) continue;
      bestLogit = this.#logits[place];
      best = place;
    }
    return best;
  }

  /** What is known of the hidden tokens beside a likeliest one of `maxLogit`. */
  hidden(maxLogit: number, temperature: number): HiddenTokens {
    const inverseTemperature = 1 / temperature;
    const { mass, logits } = this.#row.candidates;
    const { othersLowered } = this.#row.listed;
    const largest = logits[0];
    let known = 0;
    let knownNear = 0;
    for (let place = 0; place < this.#count; place++) {
      const x = (this.#raw[place] - largest) * inverseTemperature;
      if (x <= -RANGE_NATS) continue;
      const weight = expOfNegative(x);
      known += weight;
      if (x > -NEAR_NATS) knownNear += weight;
    }
    // Of the hidden tokens, by what the device found to be the likeliest one.
    const allLow = mass.all * (1 - MASS_TOLERANCE) - known;
    const allHigh = mass.all * (1 + MASS_TOLERANCE) - known;
    const nearLow = mass.nearLow * (1 - MASS_TOLERANCE) - knownNear;
    const nearHigh = mass.nearHigh * (1 + MASS_TOLERANCE) - knownNear;
    // Bias and penalties may have made another one the likeliest: weights are relative to it, and it moves what is near.
    const scale = Math.exp((largest - maxLogit) * inverseTemperature);
    const floor = (this.floor - maxLogit) * inverseTemperature;
    return {
      count: this.#vocabularySize - this.#count,
      bucket: floor > -RANGE_NATS ? (-floor * BUCKETS_PER_NAT) | 0 : Number.POSITIVE_INFINITY,
      nearLow: (maxLogit <= largest && !othersLowered ? nearLow : -MASS_TOLERANCE) * scale,
      nearHigh: (maxLogit < largest ? allHigh : nearHigh) * scale,
      allLow: (othersLowered ? -MASS_TOLERANCE : allLow) * scale,
      allHigh: allHigh * scale,
    };
  }

  get #row(): SelectedRow {
    if (this.#selected === null) throw new Error('no row is loaded');
    return this.#selected;
  }

  #reserve(count: number): void {
    if (this.#tokenIds.length >= count) return;
    const room = 2 ** Math.ceil(Math.log2(count));
    this.#tokenIds = new Int32Array(room);
    this.#raw = new Float32Array(room);
    this.#logits = new Float32Array(room);
    this.#count = 0;
  }
}
