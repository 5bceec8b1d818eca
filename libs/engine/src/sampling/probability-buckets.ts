import { BUCKETS, BUCKETS_PER_NAT, EXP_OF_BUCKET, expOfNegative, RANGE_NATS } from './exp-table.ts';

const OUT_OF_RANGE = BUCKETS;

/**
 * Draws a token after top-k, top-p and min-p without sorting the vocabulary.
 *
 * One pass puts every token into a bucket by its distance to the likeliest token in nats (1/64 nat each) and sums the
 * weights per bucket. All three filters keep the first tokens of one order, likeliest first and lower id first among
 * equals, so what they keep is some whole buckets (the head) and the first tokens of one more (the boundary). Only
 * boundary buckets are ever sorted. The draw walks the buckets, then the tokens of the one that it fell into. Reuses its
 * arrays; O(vocabulary).
 */
export class ProbabilityBuckets {
  /** [vocabularySize] */
  readonly #bucketOfToken: Uint16Array;
  /** [BUCKETS] */
  readonly #mass = new Float64Array(BUCKETS);
  /** [BUCKETS] */
  readonly #count = new Int32Array(BUCKETS);
  /** [vocabularySize] tokens of the bucket in hand, the first `#memberCount` are valid */
  readonly #members: Int32Array;
  #memberCount = 0;

  #logits: Float32Array = new Float32Array(0);
  #maxLogit = 0;
  #inverseTemperature = 1;

  #boundary = 0;
  #boundaryKept = 0;
  #boundaryMass = 0;
  #headMass = 0;

  constructor(vocabularySize: number) {
    this.#bucketOfToken = new Uint16Array(vocabularySize);
    this.#members = new Int32Array(vocabularySize);
  }

  /**
   * @param logits [vocabularySize], read until the draw; none NaN
   * @param maxLogit the largest of them, finite
   * @param temperature > 0
   */
  load(logits: Float32Array, maxLogit: number, temperature: number): void {
    this.#logits = logits;
    this.#maxLogit = maxLogit;
    this.#inverseTemperature = 1 / temperature;
    const bucketOfToken = this.#bucketOfToken;
    const mass = this.#mass.fill(0);
    const count = this.#count.fill(0);
    const inverseTemperature = this.#inverseTemperature;
    let total = 0;
    for (let token = 0; token < logits.length; token++) {
      const x = (logits[token] - maxLogit) * inverseTemperature;
      if (x > -RANGE_NATS) {
        const bucket = (-x * BUCKETS_PER_NAT) | 0;
        const rest = x + bucket / BUCKETS_PER_NAT;
        const weight = EXP_OF_BUCKET[bucket] * (1 + rest * (1 + rest * (1 / 2 + rest * (1 / 6))));
        bucketOfToken[token] = bucket;
        mass[bucket] += weight;
        count[bucket]++;
        total += weight;
      } else {
        bucketOfToken[token] = OUT_OF_RANGE;
      }
    }
    this.#headMass = total;
    this.#boundary = BUCKETS;
    this.#boundaryKept = 0;
    this.#boundaryMass = 0;
  }

  /** Keeps the `k` likeliest tokens. */
  keepTopK(k: number): void {
    let seen = 0;
    let headMass = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.#count[bucket];
      if (seen + count >= k) {
        this.#setBoundary(bucket, k - seen, headMass);
        return;
      }
      seen += count;
      headMass += this.#mass[bucket];
    }
  }

  /** Keeps the smallest set of likeliest tokens with at least the share `p` of what is kept so far. */
  keepTopP(p: number): void {
    const target = p * (this.#headMass + this.#boundaryMass);
    let headMass = 0;
    for (let bucket = 0; bucket < this.#boundary; bucket++) {
      const mass = this.#mass[bucket];
      if (mass > 0 && headMass + mass >= target) {
        this.#setBoundary(bucket, this.#countUntilMass(bucket, this.#count[bucket], target - headMass), headMass);
        return;
      }
      headMass += mass;
    }
    if (this.#boundaryKept > 0) {
      const kept = this.#countUntilMass(this.#boundary, this.#boundaryKept, target - headMass);
      this.#setBoundary(this.#boundary, kept, headMass);
    }
  }

  /** Keeps tokens with at least `p` times the probability of the likeliest one. */
  keepMinP(p: number): void {
    const lowest = Math.log(p);
    if (lowest <= -RANGE_NATS) return;
    const bucket = (-lowest * BUCKETS_PER_NAT) | 0;
    if (bucket > this.#boundary) return;
    this.#sortMembers(bucket);
    const most = bucket === this.#boundary ? this.#boundaryKept : this.#memberCount;
    let kept = 0;
    while (kept < most && this.#distance(this.#members[kept]) >= lowest) kept++;
    let headMass = 0;
    for (let earlier = 0; earlier < bucket; earlier++) headMass += this.#mass[earlier];
    this.#setBoundary(bucket, kept, headMass);
  }

  /** @param uniform in [0, 1) */
  draw(uniform: number): number {
    const target = uniform * (this.#headMass + this.#boundaryMass);
    let reached = 0;
    let lastBucket = 0;
    for (let bucket = 0; bucket < this.#boundary; bucket++) {
      if (this.#count[bucket] === 0) continue;
      lastBucket = bucket;
      if (reached + this.#mass[bucket] > target) {
        this.#gatherMembers(bucket);
        return this.#walkMembers(this.#memberCount, target - reached);
      }
      reached += this.#mass[bucket];
    }
    if (this.#boundaryKept > 0) {
      this.#sortMembers(this.#boundary);
      return this.#walkMembers(this.#boundaryKept, target - reached);
    }
    // The sums were rounded so that the target lies a hair behind the last token.
    this.#gatherMembers(lastBucket);
    return this.#members[this.#memberCount - 1];
  }

  #setBoundary(bucket: number, kept: number, headMass: number): void {
    this.#boundary = bucket;
    this.#boundaryKept = kept;
    this.#headMass = headMass;
    if (kept === this.#count[bucket]) {
      this.#boundaryMass = this.#mass[bucket];
      return;
    }
    this.#sortMembers(bucket);
    this.#boundaryMass = 0;
    for (let member = 0; member < kept; member++) this.#boundaryMass += this.#weight(this.#members[member]);
  }

  /** How many of the bucket's likeliest tokens, of `most`, it takes to weigh `mass`. At least one. */
  #countUntilMass(bucket: number, most: number, mass: number): number {
    this.#sortMembers(bucket);
    let sum = 0;
    for (let member = 0; member < most; member++) {
      sum += this.#weight(this.#members[member]);
      if (sum >= mass) return member + 1;
    }
    return most;
  }

  #walkMembers(count: number, mass: number): number {
    let sum = 0;
    for (let member = 0; member < count - 1; member++) {
      sum += this.#weight(this.#members[member]);
      if (sum > mass) return this.#members[member];
    }
    return this.#members[count - 1];
  }

  #gatherMembers(bucket: number): void {
    const bucketOfToken = this.#bucketOfToken;
    const wanted = this.#count[bucket];
    let found = 0;
    for (let token = 0; found < wanted; token++) {
      if (bucketOfToken[token] === bucket) this.#members[found++] = token;
    }
    this.#memberCount = found;
  }

  #sortMembers(bucket: number): void {
    this.#gatherMembers(bucket);
    const logits = this.#logits;
    this.#members.subarray(0, this.#memberCount).sort((a, b) => logits[b] - logits[a] || a - b);
  }

  #distance(token: number): number {
    return (this.#logits[token] - this.#maxLogit) * this.#inverseTemperature;
  }

  #weight(token: number): number {
    return expOfNegative(this.#distance(token));
  }
}
