import { inputsOf } from '../parts/layer-cuts.ts';
import type { CachePair } from './model-signature.ts';
import type { Graph } from './value-info.ts';

/** Of GroupQueryAttention's inputs the past keys and values. */
const PAST_INPUTS = [3, 4];

/**
 * True where caches are read by something else than one GroupQueryAttention node each: layers that share an earlier one's (Gemma 3n and Gemma 4 where they
 * are exported so), or shapes made of a past's length. Such a graph needs caches of just the tokens that there are, in its own order.
 */
export function cachesReadElsewhere({ node }: Graph, cache: readonly CachePair[]): boolean {
  const pasts = new Map(cache.map(({ past }) => [past, 0]));
  const presents = new Set(cache.map(({ present }) => present));
  for (const one of node ?? []) {
    for (const name of inputsOf(one)) {
      if (presents.has(name)) return true;
      const readers = pasts.get(name);
      if (readers === undefined) continue;
      const isPast = one.opType === 'GroupQueryAttention' && PAST_INPUTS.some((at) => one.input?.[at] === name);
      if (!isPast || readers > 0) return true;
      pasts.set(name, readers + 1);
    }
  }
  return false;
}
