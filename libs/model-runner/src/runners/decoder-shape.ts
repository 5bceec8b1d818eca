import type { DecoderShape } from '#contracts';
import type { ModelSignature } from '../signature/model-signature.ts';

/** The sizes a runner tells; where the model does not say how far its positions go, as far as the slots do. */
export function decoderShape(signature: ModelSignature, slotTokens: number): DecoderShape {
  const { vocabularySize, layers, kvHeads, headSize } = signature;
  return { vocabularySize, layers, kvHeads, headSize, maxPositions: signature.maxPositions ?? slotTokens };
}
