import { BUCKETS_PER_NAT, NEAR_NATS } from '#contracts/ports';

/** Further below the likeliest token a token has less than 1.3e-14 of its probability and counts as impossible. */
export const RANGE_NATS = 32;

export const BUCKETS = RANGE_NATS * BUCKETS_PER_NAT;

/** Few tokens are nearer to the likeliest one, and the others together rarely matter: they are looked at only when a draw depends on them. */
export const NEAR_BUCKETS = NEAR_NATS * BUCKETS_PER_NAT;

/** [BUCKETS] */
export const EXP_OF_BUCKET = Float64Array.from({ length: BUCKETS }, (_, bucket) => Math.exp(-bucket / BUCKETS_PER_NAT));

/**
 * exp(x) for −RANGE_NATS < x ≤ 0 from a table and a short series: with b = ⌊−x · BUCKETS_PER_NAT⌋ and
 * r = x + b / BUCKETS_PER_NAT in (−1/64, 0], exp(x) = table[b] · exp(r), where 1 + r + r²/2 + r³/6 leaves a relative
 * error below 3e-9. Three times as fast as Math.exp, and the bucket b sorts tokens by probability on the way.
 * @param x in (−RANGE_NATS, 0]
 */
export function expOfNegative(x: number): number {
  const bucket = (-x * BUCKETS_PER_NAT) | 0;
  const rest = x + bucket / BUCKETS_PER_NAT;
  return EXP_OF_BUCKET[bucket] * (1 + rest * (1 + rest * (1 / 2 + rest * (1 / 6))));
}
