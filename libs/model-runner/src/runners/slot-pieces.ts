import type { ModelSignature } from '../signature/model-signature.ts';

/** A slot's numbers cross to the device with each copy: 64 KiB at most. */
const MOST_PIECES = 8192;

/** How a slot of a cache buffer is cut for copying. */
export interface SlotPieces {
  /** For how many tokens a slot has to have room, so that pieces are of equal size: a few more than were asked for. */
  readonly slotTokens: number;
  readonly count: number;
  /** Values of one. */
  readonly size: number;
}

/**
 * Pieces of as many tokens of a head each as make few enough of them. ScatterND copies what one number names in one thread of a GPU, so a slot
 * that one number named would take seconds.
 */
export function slotPieces({ kvHeads, headSize }: ModelSignature, slotTokens: number): SlotPieces {
  let tokens = 1;
  while (kvHeads * Math.ceil(slotTokens / tokens) > MOST_PIECES) tokens *= 2;
  const ofHead = Math.ceil(slotTokens / tokens);
  return { slotTokens: ofHead * tokens, count: kvHeads * ofHead, size: tokens * headSize };
}
