import { KV_BLOCK_TOKENS } from '#contracts/ports';
import { type KvArray, kvArray } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { type KvLayout, wholeTiles } from './kv-layout.ts';

/** Where a slot's head begins in each of the buffers that blocks are copied from and to. */
export interface BlockPeer {
  readonly buffers: readonly KvArray[];
  headOffset(slot: number, head: number): number;
}

/**
 * Blocks of keys and values in host memory beside a cache's slots. Their memory is reserved at once and taken by the system
 * when a block is first written.
 */
export class HostKvBlocks {
  readonly count: number;
  /** In the order of `signature.cache`; each [count, kvHeads, KV_BLOCK_TOKENS, tokenLength]. */
  readonly #buffers: readonly KvArray[];
  readonly #kvHeads: number;
  readonly #layout: KvLayout;

  constructor(signature: ModelSignature, layout: KvLayout, count: number) {
    this.count = count;
    this.#kvHeads = signature.kvHeads;
    this.#layout = layout;
    this.#buffers = signature.cache.map(() =>
      kvArray(layout.type, count * this.#kvHeads * KV_BLOCK_TOKENS * layout.tokenLength),
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
    copy: (own: KvArray, ownOffset: number, other: KvArray, otherOffset: number, length: number) => void,
  ): void {
    const [kvHeads, { tokenLength }] = [this.#kvHeads, this.#layout];
    const length = wholeTiles(this.#layout, tokens) * tokenLength;
    for (let i = 0; i < this.#buffers.length; i++) {
      const [own, other] = [this.#buffers[i], peer.buffers[i]];
      if (own === undefined || other === undefined) return;
      for (let head = 0; head < kvHeads; head++) {
        const ownOffset = (block * kvHeads + head) * KV_BLOCK_TOKENS * tokenLength;
        copy(own, ownOffset, other, peer.headOffset(slot, head) + token * tokenLength, length);
      }
    }
  }
}
