import { KV_BLOCK_TOKENS } from '#contracts/ports';
import type { BoundTensor, DeviceAccess, DeviceBuffer, SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { bytesOfBlock } from './bytes-of-block.ts';
import { copyGraph } from './copy-graph.ts';
import { graphLayout } from './kv-layout.ts';
import { RowCopies } from './row-copies.ts';

/** Bounds what a run holds between reading and writing: 2 MiB of a buffer with 8 heads of 128 values in half precision. */
const MOST_TOKENS_OF_RUN = 1_024;

/** Whether a slot's tokens are in the slots' own buffers or in prefill's place. */
export type SlotMemory = 'slots' | 'place';

/** For each of `signature.cache` a buffer [slots, kvHeads, slotTokens, headSize]. */
interface SlotBuffers {
  readonly buffers: readonly DeviceBuffer[];
  readonly slots: number;
}

/** The two ways between blocks and some slots. */
interface BlockWays {
  readonly save: RowCopies;
  readonly load: RowCopies;
}

/**
 * Blocks of keys and values in a device's memory beside a cache's slots. Copies wait until others come that go another way,
 * or until `settle`, so that a prefix of many blocks is one run over all layers. Only numbers of rows cross to the device.
 */
export class DeviceKvBlocks {
  readonly count: number;
  readonly bytes: number;
  readonly #kvHeads: number;
  readonly #slotTokens: number;
  readonly #ways: Readonly<Record<SlotMemory, BlockWays>>;
  /** The copies that may be waiting. */
  #latest: RowCopies | null = null;

  /** @throws DeviceMemoryError */
  constructor(
    binding: SessionBinding,
    device: DeviceAccess,
    signature: ModelSignature,
    { count, slotTokens }: { readonly count: number; readonly slotTokens: number },
    memories: Readonly<Record<SlotMemory, SlotBuffers>>,
  ) {
    const { cache, cacheType, kvHeads, headSize } = signature;
    this.count = count;
    this.bytes = count * bytesOfBlock(signature, graphLayout(signature));
    this.#kvHeads = kvHeads;
    this.#slotTokens = slotTokens;
    // [count, kvHeads, KV_BLOCK_TOKENS, headSize] each
    const buffers = cache.map(() => device.allocate(this.bytes / cache.length));
    const tensors = (of: readonly DeviceBuffer[], rows: number): BoundTensor[] =>
      of.map((buffer) => buffer.tensor(cacheType, [rows, headSize]));
    const blocks = tensors(buffers, count * kvHeads * KV_BLOCK_TOKENS);
    const { model, inputNames, outputNames } = copyGraph(signature, headSize, 'both');
    const graph = device.openGraph(model, inputNames, outputNames);
    const mostRows = MOST_TOKENS_OF_RUN * kvHeads;
    const waysTo = (memory: SlotBuffers): BlockWays => {
      const slots = tensors(memory.buffers, memory.slots * kvHeads * slotTokens);
      return {
        save: new RowCopies(binding, graph, slots, blocks, mostRows),
        load: new RowCopies(binding, graph, blocks, slots, mostRows),
      };
    };
    this.#ways = { slots: waysTo(memories.slots), place: waysTo(memories.place) };
  }

  /** @param slot its number in that memory */
  save(memory: SlotMemory, slot: number, fromToken: number, block: number, tokens: number): void {
    const copies = this.#take(this.#ways[memory].save);
    this.#forEachHead(block, slot, fromToken, (inBlock, inSlot) => copies.add(inSlot, inBlock, tokens));
  }

  load(memory: SlotMemory, block: number, slot: number, toToken: number, tokens: number): void {
    const copies = this.#take(this.#ways[memory].load);
    this.#forEachHead(block, slot, toToken, (inBlock, inSlot) => copies.add(inBlock, inSlot, tokens));
  }

  /** Before anything else reads or writes the slots. */
  settle(): void {
    this.#latest?.make();
  }

  #take(copies: RowCopies): RowCopies {
    if (copies !== this.#latest) this.settle();
    this.#latest = copies;
    return copies;
  }

  #forEachHead(block: number, slot: number, token: number, add: (inBlock: number, inSlot: number) => void): void {
    for (let head = 0; head < this.#kvHeads; head++)
      add((block * this.#kvHeads + head) * KV_BLOCK_TOKENS, (slot * this.#kvHeads + head) * this.#slotTokens + token);
  }
}
