import type { DecoderShape, ModelRunner, RunnerDescription } from '#contracts';
import type { SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';
import { assertBlockCopy, assertCopy, assertTrim, type RunnerLimits } from './call-arguments.ts';
import { decoderShape } from './decoder-shape.ts';
import type { InPlaceCache } from './in-place-cache.ts';
import { runnerDescription } from './runner-description.ts';

/** What runners share whatever their runs look like: sizes, and a cache of slots that callers copy, trim and keep blocks of. */
export abstract class SlotRunner<Cache extends InPlaceCache> implements ModelRunner {
  readonly description: RunnerDescription;
  readonly shape: DecoderShape;
  readonly slots: number;
  readonly parkingSlots: number;
  readonly slotTokens: number;
  readonly blocks: number;
  readonly logits: Float32Array;
  protected readonly binding: SessionBinding;
  protected readonly signature: ModelSignature;
  protected readonly cache: Cache;
  protected readonly limits: RunnerLimits;

  constructor(
    binding: SessionBinding,
    signature: ModelSignature,
    cache: Cache,
    { slots, parkingSlots, slotTokens }: CacheSize,
    kind: { readonly kvCache: RunnerDescription['kvCache']; readonly fallbacks: readonly string[] },
  ) {
    const { vocabularySize } = signature;
    const { memory, kvBytes, parkingBytes, blocks } = cache;
    this.binding = binding;
    this.signature = signature;
    this.cache = cache;
    this.slots = slots;
    this.parkingSlots = parkingSlots;
    this.slotTokens = slotTokens;
    this.blocks = blocks?.count ?? 0;
    this.limits = { slots, parkingSlots, slotTokens, blocks: this.blocks, vocabularySize };
    this.shape = decoderShape(signature, slotTokens);
    this.logits = new Float32Array(slots * vocabularySize);
    const { kvCache, fallbacks } = kind;
    this.description = runnerDescription(
      binding,
      signature,
      { kvCache, memory, kvBytes, parkingBytes, blocks },
      fallbacks,
    );
  }

  abstract prefill(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void>;
  abstract decode(rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void>;

  get interruptAddress(): bigint | null {
    return this.binding.interruptAddress;
  }

  get residentTokens(): number | null {
    return this.cache.residentTokens;
  }

  copySlot(from: number, to: number, tokens: number): void {
    assertCopy(this.limits, from, to, tokens);
    this.cache.copySlot(from, to, tokens);
  }

  moveSlot(from: number, to: number, tokens: number): void {
    assertCopy(this.limits, from, to, tokens);
    if (from !== to) this.cache.moveSlot(from, to, tokens);
  }

  trimSlot(slot: number, tokens: number): void {
    assertTrim(this.limits, slot, tokens);
    this.cache.trimSlot(slot, tokens);
  }

  saveBlock(slot: number, fromToken: number, block: number, tokens: number): void {
    assertBlockCopy(this.limits, { block, slot, firstToken: fromToken, tokens });
    this.cache.saveBlock(slot, fromToken, block, tokens);
  }

  loadBlock(block: number, slot: number, toToken: number, tokens: number): void {
    assertBlockCopy(this.limits, { block, slot, firstToken: toToken, tokens });
    this.cache.loadBlock(block, slot, toToken, tokens);
  }

  close(): void | Promise<void> {
    return this.binding.close();
  }
}
