import type { KvType } from '#contracts';
import type { BoundTensor } from '../binding/session-binding.ts';

/** Blocks that keys and values of slots are copied to and from, in the same memory as the slots. */
export interface KvBlocks {
  readonly count: number;
  readonly bytes: number;
}

/**
 * The keys and values of all slots as an in-place runner sees them: tensors that are past and present at once.
 * Decode runs over the first rows of every buffer; prefill over a place, which is a slot's own memory or stands for it.
 */
export interface InPlaceCache {
  readonly memory: 'host' | 'device';
  /** What keys and values are kept as. */
  readonly kvType: KvType;
  /** All of it, parking slots too. */
  readonly kvBytes: number;
  readonly parkingBytes: number;
  /** Buffer by buffer in the order of `signature.cache`: [rows, kvHeads, capacity, length of a token's head]. Lasting. */
  rowTensors(rows: number): readonly BoundTensor[];
  /** Buffer by buffer, the same of one. Lasting. */
  placeTensors(place: number): readonly BoundTensor[];
  /** Before a run over `rowTensors(rows)`: the rows hold what prefill left there. */
  beginDecode(rows: number): void;
  /** Before a run over the slot's place, whose number it returns: the place holds the slot's first `pastTokens` tokens. */
  beginPrefill(slot: number, pastTokens: number): number;
  copySlot(from: number, to: number, tokens: number): void;
  moveSlot(from: number, to: number, tokens: number): void;
  /** Tokens that slots have memory of the system for; null where all of it was taken at the start. */
  readonly residentTokens: number | null;
  /** The slot's first `tokens` tokens are about to have been written. */
  touch(slot: number, tokens: number): void;
  trimSlot(slot: number, tokens: number): void;
  /** Null where there are none. */
  readonly blocks: KvBlocks | null;
  saveBlock(slot: number, fromToken: number, block: number, tokens: number): void;
  loadBlock(block: number, slot: number, toToken: number, tokens: number): void;
}
