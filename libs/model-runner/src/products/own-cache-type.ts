import type { CpuChoices, KvType } from '#contracts';
import { cachesReadElsewhere } from '../signature/cache-readers.ts';
import type { CachePair } from '../signature/model-signature.ts';
import type { Graph } from '../signature/value-info.ts';
import { attentionNodes } from './attention-nodes.ts';
import { productLibrary } from './product-library.ts';

/**
 * What a graph's caches become where our own library computes attention; with `auto` what they are.
 * @returns null where it does not compute the attention of all layers, or others read their caches
 */
export function ownCacheType(
  graph: Graph,
  { cache, headSize }: { readonly cache: readonly CachePair[]; readonly headSize: number },
  asked: CpuChoices['kvType'],
): KvType | null {
  if (typeof productLibrary() === 'string') return null;
  const layers = attentionNodes(graph, headSize).length;
  if (layers === 0 || layers < cache.length / 2 || cachesReadElsewhere(graph, cache)) return null;
  return asked === 'auto' ? 'float32' : asked;
}
