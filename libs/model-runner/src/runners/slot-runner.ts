import type { DecoderShape, LogitsKernels, ModelRunner, RunnerDescription, Verification } from '#contracts';
import type { SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';
import { assertBlockCopy, assertCopy, assertTrim, assertVerification, type RunnerLimits } from './call-arguments.ts';
import { decoderShape } from './decoder-shape.ts';
import type { InPlaceCache } from './in-place-cache.ts';
import { runnerDescription } from './runner-description.ts';
import { SlotStates } from './slot-states.ts';

/** What runners share whatever their runs look like: sizes, a cache of slots that callers copy, trim and keep blocks of, and the slots' states. */
export abstract class SlotRunner<Cache extends InPlaceCache> implements ModelRunner {
  readonly description: RunnerDescription;
  readonly shape: DecoderShape;
  readonly slots: number;
  readonly parkingSlots: number;
  readonly slotTokens: number;
  readonly blocks: number;
  readonly logits: Float32Array;
  readonly logitsKernels: LogitsKernels | null;
  readonly verification: Verification | null;
  protected readonly binding: SessionBinding;
  protected readonly signature: ModelSignature;
  protected readonly cache: Cache;
  readonly states: SlotStates;
  protected readonly limits: RunnerLimits;

  constructor(
    binding: SessionBinding,
    signature: ModelSignature,
    cache: Cache,
    { slots, parkingSlots, slotTokens }: CacheSize,
    kind: {
      readonly kvCache: RunnerDescription['kvCache'];
      readonly fallbacks: readonly string[];
      /** Most tokens of one slot that are verified at a time; 0 for none. */
      readonly verifyTokens: number;
      /** Most rows of a decode run that is captured; 0 for none. */
      readonly capturedRows: number;
      readonly runInvariant: boolean;
      readonly logitsKernels: LogitsKernels | null;
    },
  ) {
    const { vocabularySize } = signature;
    const { memory, kvType, kvBytes, parkingBytes, blocks } = cache;
    this.binding = binding;
    this.signature = signature;
    this.cache = cache;
    this.states = new SlotStates(binding, signature, { slots, parkingSlots, blocks: blocks?.count });
    this.slots = slots;
    this.parkingSlots = parkingSlots;
    this.slotTokens = slotTokens;
    this.blocks = blocks?.count ?? 0;
    this.limits = { slots, parkingSlots, slotTokens, blocks: this.blocks, vocabularySize };
    this.shape = decoderShape(signature, slotTokens);
    const { kvCache, verifyTokens, logitsKernels } = kind;
    this.logitsKernels = logitsKernels;
    this.logits = new Float32Array(Math.max(slots, verifyTokens) * vocabularySize);
    this.verification = verifyTokens === 0 ? null : this.#verification(verifyTokens);
    this.description = runnerDescription(
      binding,
      signature,
      { kvCache, memory, kvType, kvBytes, parkingBytes, blocks, states: this.states },
      kind,
    );
  }

  abstract prefill(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void>;
  abstract decode(rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void>;
  /** Like `prefill`, with the logits behind each token; the arguments are checked. */
  protected abstract verify(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void>;

  #verification(maxTokens: number): Verification {
    return {
      maxTokens,
      run: (slot, tokenIds, pastTokens) => {
        assertVerification(this.limits, maxTokens, slot, tokenIds, pastTokens);
        return this.verify(slot, tokenIds, pastTokens);
      },
    };
  }

  get interruptAddress(): bigint | null {
    return this.binding.interruptAddress;
  }

  get transferredBytes(): number | null {
    return this.cache.memory === 'device' ? (this.binding.device?.transferredBytes ?? null) : null;
  }

  get residentTokens(): number | null {
    return this.cache.residentTokens;
  }

  copySlot(from: number, to: number, tokens: number): void {
    assertCopy(this.limits, from, to, tokens);
    this.states.copy(from, to, tokens);
    this.cache.copySlot(from, to, tokens);
  }

  moveSlot(from: number, to: number, tokens: number): void {
    assertCopy(this.limits, from, to, tokens);
    if (from === to) return;
    this.states.copy(from, to, tokens);
    this.cache.moveSlot(from, to, tokens);
  }

  trimSlot(slot: number, tokens: number): void {
    assertTrim(this.limits, slot, tokens);
    this.cache.trimSlot(slot, tokens);
  }

  saveBlock(slot: number, fromToken: number, block: number, tokens: number): void {
    assertBlockCopy(this.limits, { block, slot, firstToken: fromToken, tokens });
    this.cache.saveBlock(slot, fromToken, block, tokens);
    this.states.saveBlock(slot, block, fromToken + tokens);
  }

  loadBlock(block: number, slot: number, toToken: number, tokens: number): void {
    assertBlockCopy(this.limits, { block, slot, firstToken: toToken, tokens });
    this.cache.loadBlock(block, slot, toToken, tokens);
    this.states.loadBlock(block, slot, toToken + tokens);
  }

  close(): void | Promise<void> {
    return this.binding.close();
  }
}
