import { BUCKETS_PER_NAT, NEAR_NATS } from '#contracts/ports';
import { BUCKETS, EXP_OF_BUCKET, expOfNegative, NEAR_BUCKETS } from './exp-table.ts';
import type { WeighedRow } from './weighed-row.ts';

/** What a draw answers when far or hidden tokens must be loaded first. */
export const UNDECIDED = -2;

/** What is known of tokens whose logits are not at hand. Weights are those of the likeliest token, 1, and below. */
export interface HiddenTokens {
  readonly count: number;
  /** None is in a bucket before this one. */
  readonly bucket: number;
  /** What those within NEAR_NATS weigh together is between these; may be a little below 0, as what rounding allows for. */
  readonly nearLow: number;
  readonly nearHigh: number;
  /** What all of them weigh together is between these. */
  readonly allLow: number;
  readonly allHigh: number;
}

/**
 * Draws a token after top-k, top-p and min-p without sorting the vocabulary.
 *
 * Tokens go into buckets by their distance to the likeliest token in nats (1/64 nat each), with the sum of their weights
 * per bucket. All three filters keep the first tokens of one order, likeliest first and lower id first among equals, so
 * what they keep is some whole buckets (the head) and the first tokens of one more (the boundary). Only boundary buckets
 * are ever sorted. The draw walks the buckets, then the tokens of the one that it fell into.
 *
 * Usually only near tokens are loaded (within NEAR_NATS), a few hundred. What the far ones weigh together is known within
 * [0, `#farBound`]; a filter or draw whose outcome is the same for all of that range is decided, any other answers
 * `false` or `UNDECIDED` and the caller loads all tokens. Reuses its arrays; O(vocabulary).
 *
 * Of a row that lies on a device only the largest logits are loaded (`hide`). The buckets before the first hidden token's are then as they were
 * with the whole row, bit for bit, and what lies in them at both ends of what the hidden ones may weigh does so in between: only such an outcome
 * is one.
 */
export class ProbabilityBuckets {
  readonly #row: WeighedRow;
  /** Most that the tokens not loaded can weigh; 0 when they are filtered out or all are loaded. */
  #farBound = 0;
  /** The first bucket that hidden tokens may be in; BUCKETS where there are none before the far ones. */
  #hiddenBucket = BUCKETS;
  #hiddenAllLow = 0;
  #hiddenLow = 0;
  #hiddenHigh = 0;
  #logits: Float32Array = new Float32Array(0);
  #maxLogit = 0;
  #inverseTemperature = 1;

  #boundary = 0;
  #boundaryKept = 0;
  #boundaryMass = 0;
  #headMass = 0;

  /** @param row loaded by `load` */
  constructor(row: WeighedRow) {
    this.#row = row;
  }

  /**
   * @param logits [vocabularySize], read until the draw; none NaN
   * @param maxLogit the largest of them, finite
   * @param temperature > 0
   * @param rangeNats NEAR_NATS, or RANGE_NATS for all tokens that can be drawn at all
   */
  load(logits: Float32Array, maxLogit: number, temperature: number, rangeNats: number): void {
    this.#logits = logits;
    this.#maxLogit = maxLogit;
    this.#inverseTemperature = 1 / temperature;
    this.#row.load(logits, maxLogit, temperature, rangeNats);
    this.#farBound = rangeNats === NEAR_NATS ? (logits.length - this.#row.count) * EXP_OF_BUCKET[NEAR_BUCKETS] : 0;
    this.#hiddenBucket = BUCKETS;
    this.#hiddenLow = 0;
    this.#hiddenHigh = 0;
    this.#uncut(this.#row.total());
  }

  /** Tells of tokens that others were loaded without. Call it after `load`, with its range. */
  hide({ count, bucket, nearLow, nearHigh, allLow, allHigh }: HiddenTokens, rangeNats: number): void {
    const isNear = rangeNats === NEAR_NATS;
    const unloaded = this.#logits.length - this.#row.count;
    if (isNear) this.#farBound = (unloaded + count) * EXP_OF_BUCKET[NEAR_BUCKETS];
    if (bucket >= rangeNats * BUCKETS_PER_NAT) return;
    // Of all tokens together, near and far ones, only what needs no sums is decided without the hidden ones.
    this.#farBound = isNear ? unloaded * EXP_OF_BUCKET[NEAR_BUCKETS] + allHigh : Number.POSITIVE_INFINITY;
    this.#hiddenBucket = bucket;
    this.#hiddenAllLow = allLow;
    this.#hiddenLow = nearLow;
    this.#hiddenHigh = nearHigh;
  }

  /** Nothing that is not loaded matters any more. */
  #forgetOthers(): void {
    this.#farBound = 0;
    this.#hiddenBucket = BUCKETS;
  }

  /** Keeps the `k` likeliest tokens. False when that depends on far tokens. */
  keepTopK(k: number): boolean {
    if (k > this.#row.count) return this.#farBound === 0;
    let seen = 0;
    let headMass = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#row.counts[bucket];
      if (seen + count >= k) {
        if (bucket >= this.#hiddenBucket) return false;
        this.#setBoundary(bucket, k - seen, headMass);
        break;
      }
      seen += count;
      headMass += this.#row.mass[bucket];
    }
    this.#forgetOthers();
    return true;
  }

  /**
   * Keeps the smallest set of likeliest tokens with at least the share `p` of what is kept so far. False when that
   * depends on far tokens.
   */
  keepTopP(p: number): boolean {
    const mass = this.#headMass + this.#boundaryMass;
    if (this.#farBound > 0) {
      if (this.#hiddenBucket < BUCKETS) return this.#keepHiddenTopP(p);
      if (p * (mass + this.#farBound) > mass) return false;
      const total = this.#headMass;
      this.#cutAtMass(p * (mass + this.#farBound));
      const { boundary, boundaryKept } = { boundary: this.#boundary, boundaryKept: this.#boundaryKept };
      this.#uncut(total);
      this.#cutAtMass(p * mass);
      if (boundary !== this.#boundary || boundaryKept !== this.#boundaryKept) return false;
      this.#forgetOthers();
      return true;
    }
    this.#cutAtMass(p * mass);
    return true;
  }

  /**
   * The same where tokens are hidden: the cut is known, or all that is known of it is that it is behind the complete buckets. Then what is kept
   * weighs the share of all, and the last token that is kept with it.
   */
  #keepHiddenTopP(p: number): boolean {
    const mass = this.#headMass;
    if (!Number.isFinite(this.#farBound)) return false;
    const [least, most] = [p * (mass + this.#hiddenAllLow), p * (mass + this.#farBound)];
    this.#cutAtMass(least);
    const { boundary, boundaryKept } = { boundary: this.#boundary, boundaryKept: this.#boundaryKept };
    this.#uncut(mass);
    if (boundary < this.#hiddenBucket) {
      this.#cutAtMass(most);
      if (boundary !== this.#boundary || boundaryKept !== this.#boundaryKept) return false;
      this.#forgetOthers();
      return true;
    }
    const kept = most + EXP_OF_BUCKET[this.#hiddenBucket];
    this.#hiddenLow = Math.min(least - mass, this.#hiddenLow);
    this.#hiddenHigh = Math.min(kept - mass, this.#hiddenHigh);
    this.#farBound = kept - mass;
    return true;
  }

  #uncut(mass: number): void {
    this.#boundary = BUCKETS;
    this.#boundaryKept = 0;
    this.#boundaryMass = 0;
    this.#headMass = mass;
  }

  /** Keeps the smallest set of likeliest tokens that weighs `target`. */
  #cutAtMass(target: number): void {
    let headMass = 0;
    for (let bucket = 0; bucket < this.#boundary; bucket++) {
      const mass = this.#row.mass[bucket];
      if (mass > 0 && headMass + mass >= target) {
        this.#setBoundary(bucket, this.#countUntilMass(bucket, this.#row.counts[bucket], target - headMass), headMass);
        return;
      }
      headMass += mass;
    }
    if (this.#boundaryKept > 0) {
      const kept = this.#countUntilMass(this.#boundary, this.#boundaryKept, target - headMass);
      this.#setBoundary(this.#boundary, kept, headMass);
    }
  }

  /** Keeps tokens with at least `p` times the probability of the likeliest one. False when that depends on far tokens. */
  keepMinP(p: number): boolean {
    const lowest = Math.log(p);
    if (lowest <= -NEAR_NATS && this.#farBound > 0) return false;
    const bucket = (-lowest * BUCKETS_PER_NAT) | 0;
    if (bucket >= this.#hiddenBucket && this.#hiddenBucket < BUCKETS) return false;
    this.#forgetOthers();
    if (bucket >= BUCKETS || bucket > this.#boundary) return true;
    const members = this.#row.sorted(bucket);
    const most = bucket === this.#boundary ? this.#boundaryKept : this.#row.counts[bucket];
    let kept = 0;
    while (kept < most && this.#distance(members[kept]) >= lowest) kept++;
    this.#setBoundary(bucket, kept, this.#row.total(bucket));
    return true;
  }

  /**
   * The first number decides between near and far tokens, the second the token among those.
   * @param side in [0, 1)
   * @param uniform in [0, 1)
   * @returns the token, or `UNDECIDED` when it depends on far tokens
   */
  draw(side: number, uniform: number): number {
    const mass = this.#headMass + this.#boundaryMass;
    if (this.#farBound > 0 || this.#hiddenBucket < BUCKETS) {
      const [low, high] = [mass + this.#hiddenLow, mass + this.#hiddenHigh];
      if (!(side * (mass + this.#farBound) < low)) return UNDECIDED;
      const token = this.#tokenAt(uniform * low);
      return low === high || this.#tokenAt(uniform * high) === token ? token : UNDECIDED;
    }
    let nearMass = mass;
    if (this.#boundary >= NEAR_BUCKETS) {
      nearMass = 0;
      for (let bucket = 0; bucket < NEAR_BUCKETS; bucket++) nearMass += this.#row.mass[bucket];
    }
    const isNear = side * mass < nearMass;
    return this.#tokenAt(isNear ? uniform * nearMass : nearMass + uniform * (mass - nearMass));
  }

  /**
   * The token at a place in the order of buckets; `UNDECIDED` where hidden tokens are before it.
   * @param target ≥ 0 and below the mass that is kept
   */
  #tokenAt(target: number): number {
    let reached = 0;
    let lastBucket = 0;
    const complete = Math.min(this.#boundary, this.#hiddenBucket);
    for (let bucket = 0; bucket < complete; bucket++) {
      if (this.#row.counts[bucket] === 0) continue;
      lastBucket = bucket;
      if (reached + this.#row.mass[bucket] > target) {
        return this.#walk(this.#row.members(bucket), this.#row.counts[bucket], target - reached);
      }
      reached += this.#row.mass[bucket];
    }
    if (this.#hiddenBucket < BUCKETS) return UNDECIDED;
    if (this.#boundaryKept > 0) {
      return this.#walk(this.#row.sorted(this.#boundary), this.#boundaryKept, target - reached);
    }
    // The sums were rounded so that the target lies a hair behind the last token.
    return this.#row.members(lastBucket)[this.#row.counts[lastBucket] - 1];
  }

  #setBoundary(bucket: number, kept: number, headMass: number): void {
    this.#boundary = bucket;
    this.#boundaryKept = kept;
    this.#headMass = headMass;
    if (kept === this.#row.counts[bucket]) {
      this.#boundaryMass = this.#row.mass[bucket];
      return;
    }
    const members = this.#row.sorted(bucket);
    this.#boundaryMass = 0;
    for (let member = 0; member < kept; member++) this.#boundaryMass += this.#weight(members[member]);
  }

  /** How many of the bucket's likeliest tokens, of `most`, it takes to weigh `mass`. At least one. */
  #countUntilMass(bucket: number, most: number, mass: number): number {
    const members = this.#row.sorted(bucket);
    let sum = 0;
    for (let member = 0; member < most; member++) {
      sum += this.#weight(members[member]);
      if (sum >= mass) return member + 1;
    }
    return most;
  }

  #walk(tokens: Int32Array, count: number, mass: number): number {
    let sum = 0;
    for (let place = 0; place < count - 1; place++) {
      sum += this.#weight(tokens[place]);
      if (sum > mass) return tokens[place];
    }
    return tokens[count - 1];
  }

  #distance(token: number): number {
    return (this.#logits[token] - this.#maxLogit) * this.#inverseTemperature;
  }

  #weight(token: number): number {
    return expOfNegative(this.#distance(token));
  }
}
