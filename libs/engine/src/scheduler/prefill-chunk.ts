import { KV_BLOCK_TOKENS } from '#contracts/ports';

/** Smallest chunk budget for which no prompt needs a last chunk of one token. */
export const MIN_PREFILL_CHUNK_TOKENS = 3;

/**
 * Size of a prompt's next chunk. How a prompt is cut changes no bit, as long as no chunk leaves a single token behind:
 * attention computes one token on another path than several, and the last bits would differ.
 *
 * @param remainingTokens what is not computed yet, ≥ 1
 * @param chunkTokens largest chunk, ≥ MIN_PREFILL_CHUNK_TOKENS
 */
export function nextPrefillChunk(remainingTokens: number, chunkTokens: number): number {
  if (remainingTokens <= chunkTokens) return remainingTokens;
  return remainingTokens - chunkTokens === 1 ? chunkTokens - 1 : chunkTokens;
}

/**
 * A chunk that is not a prompt's last, so that it ends with a block, where states behind it can be kept; as it is where it reaches no block's end.
 */
export function endOnBlock(chunkTokens: number, computedTokens: number): number {
  const whole = chunkTokens - ((computedTokens + chunkTokens) % KV_BLOCK_TOKENS);
  return whole < 2 ? chunkTokens : whole;
}
