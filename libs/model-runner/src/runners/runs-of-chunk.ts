import { firstRunTokens } from './first-run-tokens.ts';

/**
 * The lengths of the runs that a chunk is computed in: none longer than `maxRunTokens`, and none that leaves a single
 * query to other kernels (see `firstRunTokens`) unless the chunk is one token long.
 */
export function runsOfChunk(chunkTokens: number, headSize: number, maxRunTokens: number): number[] {
  const lengths: number[] = [];
  for (let left = chunkTokens; left > 0; ) {
    // A run of all but one token would leave that one alone.
    const wanted = left > maxRunTokens && left - maxRunTokens === 1 ? maxRunTokens - 1 : Math.min(left, maxRunTokens);
    const length = firstRunTokens(wanted, headSize);
    lengths.push(length);
    left -= length;
  }
  return lengths;
}
