import type { BoundRun, BoundTensor, SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { DecodeRunInputs } from './decode-runs.ts';
import { Int64Buffer } from './int64-buffer.ts';

/**
 * The mask is this much wider than the longest row needs at most. So it changes its shape, and with it its tensor and
 * every row's place in it, once in so many steps; attention reads the rows' true lengths from the ones in it.
 */
const MASK_STEP_TOKENS = 64;

/**
 * The inputs before the cache for decode steps, one new token for each of the rows 0 … rows−1 with pasts of any length.
 * Buffers and tensors are kept, so a step allocates nothing (but a mask tensor now and then).
 */
export class DecodeInputs implements DecodeRunInputs {
  readonly #binding: SessionBinding;
  readonly #signature: ModelSignature;
  readonly #slotTokens: number;
  readonly #tokens: Int64Buffer;
  readonly #positions: Int64Buffer;
  /** [slots] the newest token's position: tokens after this step minus one. */
  readonly #lengths: Int32Array;
  readonly #total = new Int32Array(1);
  readonly #mask: BigInt64Array;
  readonly #maskInput: number;
  #maskShape: { rows: number; width: number; tensor: BoundTensor } | undefined;
  /** Ones in each row of the mask as it stands. */
  readonly #maskOnes: Int32Array;

  constructor(binding: SessionBinding, signature: ModelSignature, slots: number, slotTokens: number) {
    this.#binding = binding;
    this.#signature = signature;
    this.#slotTokens = slotTokens;
    this.#tokens = new Int64Buffer(slots);
    this.#positions = new Int64Buffer(slots);
    this.#lengths = new Int32Array(slots);
    this.#maskInput = 1 + signature.sideInputs.findIndex((input) => input.kind === 'attention_mask');
    this.#mask = new BigInt64Array(this.#maskInput === 0 ? 0 : slots * slotTokens);
    this.#maskOnes = new Int32Array(slots);
  }

  attach(run: BoundRun, rows: number): void {
    run.setInput(0, this.#binding.tensor(this.#tokens.values.subarray(0, rows), [rows, 1]));
    this.#signature.sideInputs.forEach((input, i) => {
      if (input.kind === 'position_ids')
        run.setInput(1 + i, this.#binding.tensor(this.#positions.values.subarray(0, rows), [rows, 1]));
      if (input.kind === 'seqlens_k')
        run.setInput(1 + i, this.#binding.tensor(this.#lengths.subarray(0, rows), [rows]));
      if (input.kind === 'total_sequence_length')
        run.setInput(1 + i, this.#binding.tensor(this.#total, input.rank === 0 ? [] : [1]));
      if (input.kind === 'num_logits_to_keep')
        run.setInput(1 + i, this.#binding.tensor(BigInt64Array.of(1n), input.rank === 0 ? [] : [1]));
    });
  }

  fill(run: BoundRun, rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void {
    let longest = 0;
    for (let row = 0; row < rows; row++) {
      const past = pastTokens[row] ?? 0;
      this.#tokens.set(row, tokenIds[row] ?? 0);
      this.#positions.set(row, past);
      this.#lengths[row] = past;
      longest = Math.max(longest, past + 1);
    }
    const width = Math.min(this.#slotTokens, Math.ceil(longest / MASK_STEP_TOKENS) * MASK_STEP_TOKENS);
    this.#total[0] = width;
    if (this.#maskInput > 0) run.setInput(this.#maskInput, this.#fillMask(rows, width, pastTokens));
  }

  #fillMask(rows: number, width: number, pastTokens: Int32Array): BoundTensor {
    if (this.#maskShape?.rows !== rows || this.#maskShape.width !== width) {
      this.#maskShape?.tensor.release();
      const mask = this.#mask.subarray(0, rows * width).fill(0n);
      this.#maskShape = { rows, width, tensor: this.#binding.tensor(mask, [rows, width]) };
      this.#maskOnes.fill(0);
    }
    for (let row = 0; row < rows; row++) {
      const ones = (pastTokens[row] ?? 0) + 1;
      const before = this.#maskOnes[row] ?? 0;
      if (ones > before) this.#mask.fill(1n, row * width + before, row * width + ones);
      else if (ones < before) this.#mask.fill(0n, row * width + ones, row * width + before);
      this.#maskOnes[row] = ones;
    }
    return this.#maskShape.tensor;
  }
}
