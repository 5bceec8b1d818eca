import type { MetadataFields } from '../gguf/metadata-fields.ts';

/** Fields that would change what is computed, with the values that change nothing. */
const NEUTRAL: Readonly<Record<string, readonly (number | boolean)[]>> = {
  expert_count: [0],
  use_parallel_residual: [false],
  logit_scale: [0, 1],
  residual_scale: [0, 1],
  embedding_scale: [0, 1],
  attn_logit_softcapping: [0],
  final_logit_softcapping: [0],
  'attention.causal': [true],
  'attention.clamp_kqv': [0],
  'attention.max_alibi_bias': [0],
  'attention.output_scale': [0, 1],
  'attention.temperature_scale': [0],
  'rope.scaling.yarn_attn_factor': [0, 1],
  'rope.scaling.yarn_ext_factor': [-1, 1],
  'rope.scaling.yarn_log_multiplier': [0],
  'rope.scaling.alpha': [0, 1],
};

/**
 * Refuses what the graph would leave out: other architectures use these fields, and llama.cpp lets any file have them.
 * @throws ModelImportError naming the field and its value
 */
export function refuseUnsupported(
  fields: MetadataFields,
  architecture: string,
  { headSize, positions }: { readonly headSize: number; readonly positions: number },
): void {
  const neutral: typeof NEUTRAL = { ...NEUTRAL, 'attention.scale': [0, Math.fround(1 / Math.sqrt(headSize))] };
  for (const [name, values] of Object.entries(neutral)) {
    const key = `${architecture}.${name}`;
    if (!fields.has(key)) continue;
    const value = typeof values[0] === 'boolean' ? fields.flag(key, values[0]) : fields.number(key);
    if (!values.includes(value))
      throw fields.refusal(key, value, 'which is not supported', 'take an ONNX export of the model instead');
  }
  const window = fields.count(`${architecture}.attention.sliding_window`, 0, 0);
  if (window > 0 && window < positions)
    throw fields.refusal(
      `${architecture}.attention.sliding_window`,
      window,
      'attention in windows is not imported',
      `give --positions ${window}, up to which it changes nothing, or take an ONNX export of the model`,
    );
}
