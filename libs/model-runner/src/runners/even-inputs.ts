import type { BoundTensor, SessionBinding } from '../binding/session-binding.ts';
import type { ModelSignature, SideInput } from '../signature/model-signature.ts';
import { Int64Buffer } from './int64-buffer.ts';

export interface EvenStep {
  readonly rows: number;
  readonly tokensPerRow: number;
  /** [rows, tokensPerRow] */
  readonly tokenIds: Int32Array;
  /** Tokens that every row already holds. */
  readonly pastTokens: number;
  /** Last positions of each row whose logits are wanted, where the graph can be told; 1 by default. */
  readonly logitsPositions?: number;
}

/**
 * Tensors for the inputs before the cache, for a step whose rows all have the same past: tokens, then the side inputs in
 * the signature's order. The caller releases them.
 */
export function evenInputs(binding: SessionBinding, signature: ModelSignature, step: EvenStep): BoundTensor[] {
  const { rows, tokensPerRow, pastTokens, logitsPositions = 1 } = step;
  const total = pastTokens + tokensPerRow;
  const tokens = new Int64Buffer(rows * tokensPerRow);
  for (let i = 0; i < rows * tokensPerRow; i++) tokens.set(i, step.tokenIds[i] ?? 0);
  const side = (input: SideInput): BoundTensor => {
    if (input.kind === 'attention_mask') return binding.tensor(onesOf(rows * total), [rows, total]);
    if (input.kind === 'seqlens_k') return binding.tensor(new Int32Array(rows).fill(total - 1), [rows]);
    if (input.kind === 'total_sequence_length')
      return binding.tensor(Int32Array.of(total), input.rank === 0 ? [] : [1]);
    if (input.kind === 'num_logits_to_keep')
      return binding.tensor(BigInt64Array.of(BigInt(logitsPositions)), input.rank === 0 ? [] : [1]);
    const positions = new Int64Buffer(rows * tokensPerRow);
    for (let i = 0; i < rows * tokensPerRow; i++) positions.set(i, pastTokens + (i % tokensPerRow));
    return binding.tensor(positions.values, [rows, tokensPerRow]);
  };
  return [binding.tensor(tokens.values, [rows, tokensPerRow]), ...signature.sideInputs.map(side)];
}

/** Runs only read them, so all share them. */
let ones = new BigInt64Array(0);

/** A new array for each run would be garbage of another size each time, which tears holes into the C library's heap. */
function onesOf(length: number): BigInt64Array {
  if (ones.length < length) ones = new BigInt64Array(Math.max(length, 2 * ones.length)).fill(1n);
  return ones.subarray(0, length);
}
