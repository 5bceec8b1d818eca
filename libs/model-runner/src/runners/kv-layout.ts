import type { KvType } from '#contracts';
import { KV_BLOCK_TOKENS, KV_VALUE_BYTES, kvBytesOfHead } from '#contracts/ports';
import type { SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';

/** How a head's tokens lie in a buffer of keys or values. */
export interface KvLayout {
  readonly type: KvType;
  /** Elements of one head of one token. */
  readonly tokenLength: number;
  /** Tokens that lie in one piece, and are copied together: 1 in ONNX Runtime's order, more where attention is ours (native/attention.h). */
  readonly tileTokens: number;
}

/** `CACHE_TILE` of native/attention.h. */
const TILE_TOKENS = KV_BLOCK_TOKENS;

export function kvLayout({ ownCache }: SessionBinding, signature: ModelSignature): KvLayout {
  if (ownCache === null) return graphLayout(signature);
  return { type: ownCache, tokenLength: ownTokenLength(ownCache, signature.headSize), tileTokens: TILE_TOKENS };
}

/** As ONNX Runtime's attention has them. */
export function graphLayout({ headSize, cacheType }: ModelSignature): KvLayout {
  return { type: cacheType, tokenLength: headSize, tileTokens: 1 };
}

/** Elements of one head of one token in a cache of our own attention. */
export function ownTokenLength(type: KvType, headSize: number): number {
  return kvBytesOfHead(headSize, type) / KV_VALUE_BYTES[type];
}

/** Up to whole tiles. */
export function wholeTiles({ tileTokens }: KvLayout, tokens: number): number {
  return Math.ceil(tokens / tileTokens) * tileTokens;
}
