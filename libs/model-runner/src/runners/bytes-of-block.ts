import { KV_BLOCK_TOKENS } from '#contracts/ports';
import { bytesPerElement } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';

/** Of one block of keys and values, in all buffers. */
export function bytesOfBlock({ cache, kvHeads, headSize, cacheType }: ModelSignature): number {
  return cache.length * kvHeads * KV_BLOCK_TOKENS * headSize * bytesPerElement(cacheType);
}
