import { ModelLoadError } from '../model-load-error.ts';
import type { SideInput } from './model-signature.ts';
import { dimensions, elementTypeName, type ValueInfo } from './value-info.ts';

const ELEMENT_TYPES = {
  attention_mask: 'int64',
  position_ids: 'int64',
  seqlens_k: 'int32',
  total_sequence_length: 'int32',
  num_logits_to_keep: 'int64',
} as const;

/**
 * Understands the inputs other than the tokens and the cache.
 * @throws ModelLoadError naming an input that no runner can fill
 */
export function sideInputs(modelFile: string, inputs: readonly ValueInfo[]): SideInput[] {
  return inputs.map((input): SideInput => {
    const name = input.name ?? '';
    if (!isKnown(name))
      throw new ModelLoadError(
        modelFile,
        `input "${name}" is not known; besides input_ids and past_key_values a decoder may have ` +
          `${Object.keys(ELEMENT_TYPES).join(', ')}. Export it for text generation with past.`,
      );
    const type = elementTypeName(input);
    if (type !== ELEMENT_TYPES[name])
      throw new ModelLoadError(modelFile, `input "${name}" is ${type}; export it as ${ELEMENT_TYPES[name]}.`);
    if (name !== 'total_sequence_length' && name !== 'num_logits_to_keep') return { kind: name };
    return { kind: name, rank: dimensions(input).length === 0 ? 0 : 1 };
  });
}

function isKnown(name: string): name is keyof typeof ELEMENT_TYPES {
  return Object.hasOwn(ELEMENT_TYPES, name);
}
