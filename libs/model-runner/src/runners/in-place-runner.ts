import type { DecoderShape, ModelRunner, RunnerDescription } from '#contracts';
import { finallyAfter, forEachInTurn } from '../binding/in-turn.ts';
import type { BoundRun, BoundTensor, SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { assertCopy, assertDecode, assertPrefill } from './call-arguments.ts';
import { DecodeInputs } from './decode-inputs.ts';
import { decoderShape } from './decoder-shape.ts';
import { evenInputs } from './even-inputs.ts';
import { firstRunTokens } from './first-run-tokens.ts';
import { KvCache } from './kv-cache.ts';

/**
 * A decoder of GroupQueryAttention layers whose past and present are the same memory: each step writes the new tokens'
 * keys and values into the slots and touches nothing else. Decode runs over the first rows of every buffer, prefill over
 * one slot's part of it, so the cache never moves. Tensors over those views are made once for each number of rows and each
 * slot.
 */
export class InPlaceRunner implements ModelRunner {
  readonly description: RunnerDescription;
  readonly shape: DecoderShape;
  readonly slots: number;
  readonly parkingSlots: number;
  readonly slotTokens: number;
  readonly logits: Float32Array;
  readonly #binding: SessionBinding;
  readonly #signature: ModelSignature;
  readonly #limits: { slots: number; parkingSlots: number; slotTokens: number; vocabularySize: number };
  readonly #cache: KvCache;
  readonly #decodeInputs: DecodeInputs;
  readonly #decodeRuns: BoundRun[] = [];
  readonly #prefillRuns: BoundRun[] = [];
  /** [chunkTokens, vocabulary] of the longest chunk so far, for graphs that give every position's logits. */
  #chunkLogits: Float32Array;

  constructor(
    binding: SessionBinding,
    signature: ModelSignature,
    size: {
      readonly slots: number;
      readonly parkingSlots?: number;
      readonly slotTokens: number;
      readonly maxChunkTokens: number;
    },
  ) {
    const { slots, parkingSlots = 0, slotTokens } = size;
    const { vocabularySize } = signature;
    this.#chunkLogits = new Float32Array(
      signature.logits.positions === 'all' ? size.maxChunkTokens * vocabularySize : 0,
    );
    this.#binding = binding;
    this.#signature = signature;
    this.slots = slots;
    this.parkingSlots = parkingSlots;
    this.slotTokens = slotTokens;
    this.#limits = { slots, parkingSlots, slotTokens, vocabularySize };
    this.shape = decoderShape(signature, slotTokens);
    this.logits = new Float32Array(slots * vocabularySize);
    this.#cache = new KvCache(signature, slots, parkingSlots, slotTokens);
    this.#decodeInputs = new DecodeInputs(binding, signature, slots, slotTokens);
    this.description = {
      provider: 'cpu',
      binding: binding.kind,
      kvCache: 'in-place',
      runtimeVersion: binding.runtimeVersion,
      kvBytes: this.#cache.kvBytes,
      parkingBytes: this.#cache.parkingBytes,
    };
  }

  get interruptAddress(): bigint | null {
    return this.#binding.interruptAddress;
  }

  /** The cache itself, for the self-test. */
  get cacheBuffers(): readonly Float32Array[] {
    return this.#cache.buffers;
  }

  decode(rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void> {
    assertDecode(this.#limits, rows, tokenIds, pastTokens);
    const run = this.#decodeRuns[rows] ?? this.#newDecodeRun(rows);
    this.#decodeInputs.fill(run, rows, tokenIds, pastTokens);
    return run.run();
  }

  prefill(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void> {
    assertPrefill(this.#limits, slot, tokenIds, pastTokens);
    const firstTokens = firstRunTokens(tokenIds.length, this.#signature.headSize);
    const runs =
      firstTokens === tokenIds.length
        ? [tokenIds]
        : [tokenIds.subarray(0, firstTokens), tokenIds.subarray(firstTokens)];
    return forEachInTurn(runs, (part) =>
      this.#prefillRun(slot, part, pastTokens + (part === runs[0] ? 0 : firstTokens)),
    );
  }

  #prefillRun(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void> {
    const run = this.#prefillRuns[slot] ?? this.#newPrefillRun(slot);
    const step = { rows: 1, tokensPerRow: tokenIds.length, tokenIds, pastTokens };
    const inputs = evenInputs(this.#binding, this.#signature, step);
    inputs.forEach((tensor, i) => {
      run.setInput(i, tensor);
    });
    const logits = this.#chunkLogitsTensor(tokenIds.length);
    if (logits !== null) run.setOutput(0, logits);
    const release = () => {
      for (const tensor of inputs) tensor.release();
      logits?.release();
    };
    return finallyAfter(
      () => run.run(),
      release,
      () => {
        if (logits !== null) this.#keepLastRow(tokenIds.length);
      },
    );
  }

  copySlot(from: number, to: number, tokens: number): void {
    assertCopy(this.#limits, from, to, tokens);
    this.#cache.copySlot(from, to, tokens);
  }

  close(): void | Promise<void> {
    return this.#binding.close();
  }

  #newDecodeRun(rows: number): BoundRun {
    const run = this.#binding.newRun();
    this.#decodeInputs.attach(run, rows);
    this.#attachCache(run, 0, rows);
    run.setOutput(0, this.#logitsTensor(rows));
    this.#decodeRuns[rows] = run;
    return run;
  }

  #newPrefillRun(slot: number): BoundRun {
    const run = this.#binding.newRun();
    this.#attachCache(run, slot, 1);
    if (this.#signature.logits.positions === 'last') run.setOutput(0, this.#logitsTensor(1));
    this.#prefillRuns[slot] = run;
    return run;
  }

  #attachCache(run: BoundRun, firstSlot: number, count: number): void {
    const firstInput = 1 + this.#signature.sideInputs.length;
    const { kvHeads, headSize } = this.#signature;
    this.#cache.buffers.forEach((buffer, i) => {
      const view = this.#cache.view(buffer, firstSlot, count);
      const tensor = this.#binding.tensor(view, [count, kvHeads, this.slotTokens, headSize]);
      run.setInput(firstInput + i, tensor);
      run.setOutput(1 + i, tensor);
    });
  }

  #logitsTensor(rows: number): BoundTensor {
    const { vocabularySize, logits } = this.#signature;
    const dims = logits.rank === 2 ? [rows, vocabularySize] : [rows, 1, vocabularySize];
    return this.#binding.tensor(this.logits.subarray(0, rows * vocabularySize), dims);
  }

  #chunkLogitsTensor(chunkTokens: number): BoundTensor | null {
    const { vocabularySize, logits } = this.#signature;
    if (logits.positions === 'last') return null;
    const length = chunkTokens * vocabularySize;
    if (this.#chunkLogits.length < length) this.#chunkLogits = new Float32Array(length);
    return this.#binding.tensor(this.#chunkLogits.subarray(0, length), [1, chunkTokens, vocabularySize]);
  }

  #keepLastRow(chunkTokens: number): void {
    const { vocabularySize } = this.#signature;
    this.logits.set(this.#chunkLogits.subarray((chunkTokens - 1) * vocabularySize, chunkTokens * vocabularySize));
  }
}
