import { KV_BLOCK_TOKENS } from '#contracts/ports';
import { type ElementType, type FloatArray, floatArray } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';

/** Where a slot's head begins in each of the buffers that blocks are copied from and to. */
export interface BlockPeer {
  readonly buffers: readonly FloatArray[];
  headOffset(slot: number, head: number): number;
}

/**
 * Blocks of keys and values in host memory beside a cache's slots. Their memory is reserved at once and taken by the system
 * when a block is first written.
 */
export class HostKvBlocks {
  readonly count: number;
  /** In the order of `signature.cache`; each [count, kvHeads, KV_BLOCK_TOKENS, headSize]. */
  readonly #buffers: readonly FloatArray[];
  readonly #kvHeads: number;
  readonly #headSize: number;
  readonly #type: ElementType;

  constructor(signature: ModelSignature, count: number) {
    this.count = count;
    this.#kvHeads = signature.kvHeads;
    this.#headSize = signature.headSize;
    this.#type = signature.cacheType;
    this.#buffers = signature.cache.map(() =>
      floatArray(this.#type, count * this.#kvHeads * KV_BLOCK_TOKENS * this.#headSize),
    );
  }

  get bytes(): number {
    return this.#buffers.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  save(peer: BlockPeer, slot: number, fromToken: number, block: number, tokens: number): void {
    this.#forEachHead(peer, slot, fromToken, block, tokens, (own, ownOffset, other, otherOffset, length) => {
      own.set(other.subarray(otherOffset, otherOffset + length), ownOffset);
    });
  }

  load(peer: BlockPeer, block: number, slot: number, toToken: number, tokens: number): void {
    this.#forEachHead(peer, slot, toToken, block, tokens, (own, ownOffset, other, otherOffset, length) => {
      other.set(own.subarray(ownOffset, ownOffset + length), otherOffset);
    });
  }

  #forEachHead(
    peer: BlockPeer,
    slot: number,
    token: number,
    block: number,
    tokens: number,
    copy: (own: FloatArray, ownOffset: number, other: FloatArray, otherOffset: number, length: number) => void,
  ): void {
    const [kvHeads, headSize] = [this.#kvHeads, this.#headSize];
    for (let i = 0; i < this.#buffers.length; i++) {
      const [own, other] = [this.#buffers[i], peer.buffers[i]];
      if (own === undefined || other === undefined) return;
      for (let head = 0; head < kvHeads; head++) {
        const ownOffset = (block * kvHeads + head) * KV_BLOCK_TOKENS * headSize;
        copy(own, ownOffset, other, peer.headOffset(slot, head) + token * headSize, tokens * headSize);
      }
    }
  }
}
