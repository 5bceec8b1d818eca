import { BUCKETS_PER_NAT, type LogitsKernels } from '#contracts/ports';
import { productLibrary } from './product-library.ts';

/** Loops over rows of logits in our library, or null where it is not to be had. */
export function nativeLogitsKernels(): LogitsKernels | null {
  const library = productLibrary();
  if (typeof library === 'string') return null;
  const { largestLogit, maskLogits, weighLogits, tokensOfBucket, sortTokens } = library;
  return {
    argmax: (logits) => largestLogit(logits, logits.length),
    mask: (to, logits, allowed) => maskLogits(to, logits, allowed, logits.length),
    weigh: (logits, { largest, temperature, rangeNats }, { tokens, buckets, mass, counts, exps }) =>
      weighLogits(
        logits,
        logits.length,
        largest,
        1 / temperature,
        // Rounding loses no token to a quick look.
        largest - rangeNats * temperature * 1.000001,
        rangeNats * BUCKETS_PER_NAT,
        exps,
        tokens,
        buckets,
        mass,
        counts,
      ),
    tokensOf: (bucket, { tokens, buckets, counts }, count, to) =>
      tokensOfBucket(tokens, buckets, count, bucket, counts[bucket] ?? 0, to),
    sort: sortTokens,
  };
}
