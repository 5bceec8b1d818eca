import type { ModelSignature } from '../signature/model-signature.ts';

/** The keys and values of all slots, the parking slots behind the others: for each layer's key and value one buffer that lives as long as the runner. */
export class KvCache {
  /** In the order of `signature.cache`; each [slots + parkingSlots, kvHeads, slotTokens, headSize]. */
  readonly buffers: readonly Float32Array[];
  readonly slots: number;
  readonly parkingSlots: number;
  readonly slotTokens: number;
  readonly kvHeads: number;
  readonly headSize: number;

  constructor(signature: ModelSignature, slots: number, parkingSlots: number, slotTokens: number) {
    this.slots = slots;
    this.parkingSlots = parkingSlots;
    this.slotTokens = slotTokens;
    this.kvHeads = signature.kvHeads;
    this.headSize = signature.headSize;
    this.buffers = signature.cache.map(() => new Float32Array((slots + parkingSlots) * this.slotLength));
  }

  /** Floats of one slot in one buffer. */
  get slotLength(): number {
    return this.kvHeads * this.slotTokens * this.headSize;
  }

  get kvBytes(): number {
    return this.#bytesOf(this.slots + this.parkingSlots);
  }

  get parkingBytes(): number {
    return this.#bytesOf(this.parkingSlots);
  }

  /** Where a slot's head begins in each buffer: [slotTokens, headSize] from there. */
  headOffset(slot: number, head: number): number {
    return (slot * this.kvHeads + head) * this.slotTokens * this.headSize;
  }

  /** Some neighbouring slots of a buffer: [count, kvHeads, slotTokens, headSize]. */
  view(buffer: Float32Array, firstSlot: number, count: number): Float32Array {
    return buffer.subarray(firstSlot * this.slotLength, (firstSlot + count) * this.slotLength);
  }

  copySlot(from: number, to: number, tokens: number): void {
    for (const buffer of this.buffers)
      for (let head = 0; head < this.kvHeads; head++) {
        const source = this.headOffset(from, head);
        buffer.copyWithin(this.headOffset(to, head), source, source + tokens * this.headSize);
      }
  }

  #bytesOf(slots: number): number {
    return this.buffers.length * slots * this.slotLength * Float32Array.BYTES_PER_ELEMENT;
  }
}
