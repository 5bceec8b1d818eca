import { KV_BLOCK_TOKENS, KV_VALUE_BYTES } from '#contracts/ports';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { KvLayout } from './kv-layout.ts';

/** Of one block of keys and values, in all buffers, and of the states that it has room for. */
export function bytesOfBlock({ cache, kvHeads, stateBytes }: ModelSignature, { type, tokenLength }: KvLayout): number {
  return cache.length * kvHeads * KV_BLOCK_TOKENS * tokenLength * KV_VALUE_BYTES[type] + stateBytes;
}
