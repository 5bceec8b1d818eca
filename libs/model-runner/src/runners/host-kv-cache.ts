import type { KvType } from '#contracts';
import { KV_VALUE_BYTES, wholeBlocks } from '#contracts/ports';
import type { BoundTensor, SessionBinding } from '../binding/session-binding.ts';
import { type KvArray } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';
import { CAN_GIVE_BACK_MEMORY, giveBackMemory, pageAlignedArray } from './give-back-memory.ts';
import { HostKvBlocks } from './host-kv-blocks.ts';
import type { InPlaceCache } from './in-place-cache.ts';
import { type KvLayout, kvLayout, wholeTiles } from './kv-layout.ts';
import { canMovePages, movePages } from './move-pages.ts';

/** Each slot that was moved may be a region of its own to the system, which allows 65,530 in all (`vm.max_map_count`). */
const MOST_REGIONS = 16_384;

/** The cache in host memory: for each layer's key and value one array that lives as long as the runner. */
export class HostKvCache implements InPlaceCache {
  readonly memory = 'host';
  /** In the order of `signature.cache`; each [slots + parkingSlots, kvHeads, capacity, tokenLength]. */
  readonly buffers: readonly KvArray[];
  readonly #size: CacheSize;
  readonly kvHeads: number;
  readonly layout: KvLayout;
  readonly blocks: HostKvBlocks;
  /** Tokens of a slot in whole tiles. */
  readonly #capacity: number;
  readonly #binding: SessionBinding;
  readonly #movesPages: boolean;
  /** [slots + parkingSlots] most tokens that each held since it was trimmed, in whole blocks */
  readonly #touched: Int32Array;
  #residentTokens = 0;

  constructor(binding: SessionBinding, signature: ModelSignature, size: CacheSize) {
    this.#binding = binding;
    this.#size = size;
    this.kvHeads = signature.kvHeads;
    this.layout = kvLayout(binding, signature);
    this.#capacity = wholeTiles(this.layout, size.slotTokens);
    this.buffers = signature.cache.map(() =>
      pageAlignedArray(this.layout.type, (size.slots + size.parkingSlots) * this.slotLength),
    );
    this.#touched = new Int32Array(size.slots + size.parkingSlots);
    const regions = this.buffers.length * this.#touched.length;
    const slotBytes = this.slotLength * KV_VALUE_BYTES[this.layout.type];
    this.#movesPages = CAN_GIVE_BACK_MEMORY && regions <= MOST_REGIONS && canMovePages(slotBytes);
    this.blocks = new HostKvBlocks(signature, this.layout, size.blocks ?? 0);
  }

  /** Values of one slot in one buffer. */
  get slotLength(): number {
    return this.kvHeads * this.#capacity * this.layout.tokenLength;
  }

  get kvBytes(): number {
    return this.#bytesOf(this.#size.slots + this.#size.parkingSlots);
  }

  get parkingBytes(): number {
    return this.#bytesOf(this.#size.parkingSlots);
  }

  get kvType(): KvType {
    return this.layout.type;
  }

  /** Where a slot's head begins in each buffer: [capacity, tokenLength] from there. */
  headOffset(slot: number, head: number): number {
    return (slot * this.kvHeads + head) * this.#capacity * this.layout.tokenLength;
  }

  rowTensors(rows: number): BoundTensor[] {
    return this.#tensors(0, rows);
  }

  /** A slot's place is the slot. */
  placeTensors(slot: number): BoundTensor[] {
    return this.#tensors(slot, 1);
  }

  beginDecode(): void {}

  beginPrefill(slot: number): number {
    return slot;
  }

  get residentTokens(): number {
    return this.#residentTokens;
  }

  touch(slot: number, tokens: number): void {
    if (tokens > (this.#touched[slot] ?? 0)) this.#hold(slot, tokens);
  }

  trimSlot(slot: number, tokens: number): void {
    const before = this.#touched[slot] ?? 0;
    if (!CAN_GIVE_BACK_MEMORY || before <= tokens) return;
    for (const buffer of this.buffers)
      for (let head = 0; head < this.kvHeads; head++) {
        const offset = this.headOffset(slot, head);
        giveBackMemory(buffer, offset + this.#lengthOf(tokens), offset + this.#lengthOf(before));
      }
    this.#hold(slot, tokens);
  }

  copySlot(from: number, to: number, tokens: number): void {
    this.touch(to, tokens);
    for (const buffer of this.buffers)
      for (let head = 0; head < this.kvHeads; head++) {
        const source = this.headOffset(from, head);
        buffer.copyWithin(this.headOffset(to, head), source, source + this.#lengthOf(tokens));
      }
  }

  /** By pages; where that is not possible buffer by buffer, so that no more than one buffer's share is in memory twice. */
  moveSlot(from: number, to: number, tokens: number): void {
    if (!CAN_GIVE_BACK_MEMORY) {
      this.copySlot(from, to, tokens);
      return;
    }
    const left = this.#touched[from] ?? 0;
    const [source, target] = [this.headOffset(from, 0), this.headOffset(to, 0)];
    for (const buffer of this.buffers)
      if (!this.#movesPages || !movePages(buffer, source, target, this.slotLength))
        this.#moveByCopy(buffer, from, to, tokens);
    this.#hold(from, 0);
    if (this.#movesPages) this.#hold(to, left);
    else this.touch(to, tokens);
  }

  /** Of so many tokens of one head, in whole tiles. */
  #lengthOf(tokens: number): number {
    return wholeTiles(this.layout, tokens) * this.layout.tokenLength;
  }

  #moveByCopy(buffer: KvArray, from: number, to: number, tokens: number): void {
    const left = this.#touched[from] ?? 0;
    for (let head = 0; head < this.kvHeads; head++) {
      const source = this.headOffset(from, head);
      buffer.copyWithin(this.headOffset(to, head), source, source + this.#lengthOf(tokens));
      giveBackMemory(buffer, source, source + this.#lengthOf(left));
    }
  }

  #hold(slot: number, tokens: number): void {
    const held = wholeBlocks(tokens);
    this.#residentTokens += held - (this.#touched[slot] ?? 0);
    this.#touched[slot] = held;
  }

  saveBlock(slot: number, fromToken: number, block: number, tokens: number): void {
    this.blocks.save(this, slot, fromToken, block, tokens);
  }

  loadBlock(block: number, slot: number, toToken: number, tokens: number): void {
    this.touch(slot, toToken + tokens);
    this.blocks.load(this, block, slot, toToken, tokens);
  }

  #bytesOf(slots: number): number {
    return this.buffers.length * slots * this.slotLength * KV_VALUE_BYTES[this.layout.type];
  }

  #tensors(firstSlot: number, count: number): BoundTensor[] {
    const [from, to] = [firstSlot * this.slotLength, (firstSlot + count) * this.slotLength];
    const dims = [count, this.kvHeads, this.#capacity, this.layout.tokenLength];
    return this.buffers.map((buffer) => this.#binding.tensor(buffer.subarray(from, to), dims));
  }
}
