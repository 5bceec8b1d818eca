/**
 * How the blocks of a tensor hold weights. `dense`: numbers. `symmetric`: w = delta · (q − middle). `affine4`:
 * w = delta · q + minimum with q in 0 … 15 for each 32 weights. `other`: quantized so that 8 bits hold it nearly exactly.
 */
export type TensorForm = 'dense' | 'symmetric4' | 'symmetric8' | 'affine4' | 'other';

export interface TensorType {
  readonly name: string;
  /** Weights of one block. */
  readonly blockElements: number;
  readonly blockBytes: number;
  readonly form: TensorForm;
  /** Scales are float16 in the file, and taken over as such. */
  readonly halfScales: boolean;
}

const type = (
  name: string,
  blockElements: number,
  blockBytes: number,
  form: TensorForm,
  halfScales = false,
): TensorType => ({
  name,
  blockElements,
  blockBytes,
  form,
  halfScales,
});

/** The tensor types that are imported, by their number in a GGUF (ggml.h, `enum ggml_type`). */
export const TENSOR_TYPES: ReadonlyMap<number, TensorType> = new Map([
  [0, type('F32', 1, 4, 'dense')],
  [1, type('F16', 1, 2, 'dense')],
  [2, type('Q4_0', 32, 18, 'symmetric4', true)],
  [3, type('Q4_1', 32, 20, 'affine4', true)],
  [6, type('Q5_0', 32, 22, 'symmetric8', true)],
  [7, type('Q5_1', 32, 24, 'other')],
  [8, type('Q8_0', 32, 34, 'symmetric8', true)],
  [12, type('Q4_K', 256, 144, 'affine4')],
  [13, type('Q5_K', 256, 176, 'other')],
  [14, type('Q6_K', 256, 210, 'other')],
  [30, type('BF16', 1, 2, 'dense')],
]);

/** Names of the types that are not imported, for messages. */
export const OTHER_TYPE_NAMES: Readonly<Record<number, string>> = {
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
};
