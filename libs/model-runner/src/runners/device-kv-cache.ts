import type { KvType } from '#contracts';
import type { BoundRun, BoundTensor, DeviceAccess, DeviceBuffer, SessionBinding } from '../binding/session-binding.ts';
import { bytesPerElement } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';
import { copyGraph } from './copy-graph.ts';
import { DeviceKvBlocks } from './device-kv-blocks.ts';
import type { InPlaceCache } from './in-place-cache.ts';
import { Int64Buffer } from './int64-buffer.ts';
import { type SlotPieces, slotPieces } from './slot-pieces.ts';
import type { SmallGraph } from './small-graph.ts';

/** Prefill has one place, whichever slot it works on. */
const THE_PLACE = 0;

/**
 * The cache in the provider's memory. A tensor there begins at a buffer's beginning (WebGPU knows no offsets), so decode
 * runs over the first rows of each buffer, and prefill over a place of its own, one slot large. Small graphs on the same
 * device move a slot into the place and back; nothing of it crosses to the host. Blocks are copied from and to wherever a
 * slot's latest tokens are.
 */
export class DeviceKvCache implements InPlaceCache {
  readonly memory = 'device';
  readonly blocks: DeviceKvBlocks | null;
  readonly residentTokens = null;
  readonly #signature: ModelSignature;
  readonly #size: CacheSize;
  readonly #buffers: readonly DeviceBuffer[];
  readonly #place: readonly DeviceBuffer[];
  readonly #pieces: SlotPieces;
  /** Of the pieces of the slot that is copied. */
  readonly #numbers: Int64Buffer;
  readonly #readSlot: BoundRun;
  readonly #writeSlot: BoundRun;
  /** The slot whose tokens the place holds; null when it holds none that are up to date. */
  #placed: number | null = null;
  /** The place is ahead of its slot. */
  #isAhead = false;

  /** @throws DeviceMemoryError */
  get kvType(): KvType {
    return this.#signature.cacheType;
  }

  constructor(binding: SessionBinding, device: DeviceAccess, signature: ModelSignature, size: CacheSize) {
    this.#signature = signature;
    this.#size = size;
    const pieces = slotPieces(signature, size.slotTokens);
    this.#pieces = pieces;
    const { slotTokens } = pieces;
    const slots = size.slots + size.parkingSlots;
    const slotBytes = this.#slotBytes;
    this.#buffers = signature.cache.map(() => device.allocate(slots * slotBytes));
    this.#place = signature.cache.map(() => device.allocate(slotBytes));

    this.#numbers = new Int64Buffer(pieces.count);
    const { values } = this.#numbers;
    const inPieces = (buffers: readonly DeviceBuffer[], of: number) =>
      buffers.map((buffer) => buffer.tensor(signature.cacheType, [of * pieces.count, pieces.size]));
    const caches = inPieces(this.#buffers, slots);
    const parts = inPieces(this.#place, 1);
    this.#readSlot = graphRun(device, copyGraph(signature, pieces.size, 'from'), caches, parts);
    this.#readSlot.setInput(0, binding.tensor(values, [pieces.count]));
    this.#writeSlot = graphRun(device, copyGraph(signature, pieces.size, 'to'), [...parts, ...caches], caches);
    this.#writeSlot.setInput(0, binding.tensor(values, [pieces.count, 1]));

    const { blocks: count = 0 } = size;
    const memories = { slots: { buffers: this.#buffers, slots }, place: { buffers: this.#place, slots: 1 } };
    this.blocks = count === 0 ? null : new DeviceKvBlocks(binding, device, signature, { count, slotTokens }, memories);
  }

  get kvBytes(): number {
    return [...this.#buffers, ...this.#place].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get parkingBytes(): number {
    return this.#buffers.length * this.#size.parkingSlots * this.#slotBytes;
  }

  rowTensors(rows: number): BoundTensor[] {
    return this.#tensors(this.#buffers, rows);
  }

  placeTensors(): BoundTensor[] {
    return this.#tensors(this.#place, 1);
  }

  beginDecode(rows: number): void {
    this.blocks?.settle();
    if (this.#placed === null || this.#placed >= rows) return;
    this.#writeBack();
    this.#placed = null; // decode is about to write to the slot
  }

  beginPrefill(slot: number, pastTokens: number): number {
    this.blocks?.settle();
    if (this.#placed !== slot) {
      this.#writeBack();
      if (pastTokens > 0) this.#read(slot);
      this.#placed = slot;
    }
    this.#isAhead = true;
    return THE_PLACE;
  }

  copySlot(from: number, to: number): void {
    this.blocks?.settle();
    if (this.#placed !== from) {
      this.#writeBack();
      this.#read(from);
      this.#placed = from;
    }
    this.#write(to);
  }

  moveSlot(from: number, to: number): void {
    this.copySlot(from, to);
  }

  touch(): void {}

  trimSlot(): void {}

  saveBlock(slot: number, fromToken: number, block: number, tokens: number): void {
    if (this.#placed === slot) this.blocks?.save('place', THE_PLACE, fromToken, block, tokens);
    else this.blocks?.save('slots', slot, fromToken, block, tokens);
  }

  loadBlock(block: number, slot: number, toToken: number, tokens: number): void {
    if (this.#placed === slot) {
      this.blocks?.load('place', block, THE_PLACE, toToken, tokens);
      this.#isAhead = true;
    } else this.blocks?.load('slots', block, slot, toToken, tokens);
  }

  /** Of one buffer. */
  get #slotBytes(): number {
    const { kvHeads, headSize, cacheType } = this.#signature;
    return kvHeads * this.#pieces.slotTokens * headSize * bytesPerElement(cacheType);
  }

  #writeBack(): void {
    if (this.#isAhead && this.#placed !== null) this.#write(this.#placed);
    this.#isAhead = false;
  }

  #read(slot: number): void {
    this.#number(slot);
    void this.#readSlot.run();
  }

  #write(slot: number): void {
    this.#number(slot);
    void this.#writeSlot.run();
  }

  #number(slot: number): void {
    const { count } = this.#pieces;
    for (let piece = 0; piece < count; piece++) this.#numbers.set(piece, slot * count + piece);
  }

  #tensors(buffers: readonly DeviceBuffer[], rows: number): BoundTensor[] {
    const { cacheType, kvHeads, headSize } = this.#signature;
    const { slotTokens } = this.#pieces;
    return buffers.map((buffer) => buffer.tensor(cacheType, [rows, kvHeads, slotTokens, headSize]));
  }
}

/** A run whose inputs after the numbers of the slot's pieces, and whose outputs, are these. */
function graphRun(
  device: DeviceAccess,
  graph: SmallGraph,
  inputs: readonly BoundTensor[],
  outputs: readonly BoundTensor[],
): BoundRun {
  const run = device.openGraph(graph.model, graph.inputNames, graph.outputNames).newRun();
  inputs.forEach((tensor, i) => {
    run.setInput(1 + i, tensor);
  });
  outputs.forEach((tensor, i) => {
    run.setOutput(i, tensor);
  });
  return run;
}
