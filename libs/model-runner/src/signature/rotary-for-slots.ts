import type { ModelSignature } from './model-signature.ts';

/**
 * Slots that are longer than the shorter of two rotary tables take the longer one for all their rows (LongRoPE), so that a
 * row's keys are all turned by one table, and never by what else is in the batch.
 */
export function rotaryForSlots(signature: ModelSignature, slotTokens: number): ModelSignature {
  const { maxPositions, longRotary, edits } = signature;
  if (longRotary === null || maxPositions === null || slotTokens <= maxPositions) return signature;
  return { ...signature, maxPositions: longRotary.maxPositions, edits: [...edits, longRotary.edit] };
}
