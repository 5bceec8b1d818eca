/** Widest multiple that every query tile is one of; the tile itself depends on the head size and the processor's cache. */
const TILE_DIVISOR = 32;

/**
 * How many of a chunk's tokens go into its first run, so that the chunk's bits do not depend on how the prompt was cut:
 * all of them, or all but the last two.
 *
 * ONNX Runtime's attention takes the queries of a run in tiles (of 2 × headSize where the cache allows), and a last tile of
 * a single query is computed by other kernels than a tile of several, as decode is: such a row differs in its last bits from
 * the same row in another chunking, by up to 0.4 in a logit once int8 activations have rounded differently. So no run may
 * leave one query over.
 */
export function firstRunTokens(chunkTokens: number, headSize: number): number {
  const tile = Math.min(TILE_DIVISOR, 2 * headSize);
  return chunkTokens > 1 && chunkTokens % tile === 1 ? chunkTokens - 2 : chunkTokens;
}
