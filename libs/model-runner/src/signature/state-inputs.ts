import { bytesPerElement, isElementType } from '../element-type.ts';
import { ModelLoadError } from '../model-load-error.ts';
import type { StatePair } from './model-signature.ts';
import { dimensions, elementTypeName, type ValueInfo } from './value-info.ts';

/**
 * As onnxruntime-genai's builder names them since 0.16 (`past.3.conv`), and as it did before and onnx-community does
 * (`past_conv.3`; `past_ssm` of Granite 4 and Falcon H1, `past_recurrent` of Qwen3-Next and Qwen3.5; `past_conv.3.key` of OLMo Hybrid).
 */
const PAST = /^past(?:\.\d+\.(?:conv|recurrent)|_(?:conv|ssm|recurrent)\.\d+(?:\.(?:key|value|query))?)$/;

/** For messages. */
export const STATE_NAMES = 'past.N.conv, past.N.recurrent, past_conv, past_ssm, past_recurrent';

/**
 * Finds the states of a fixed size that layers keep in the place of keys and values or beside them: [batch, sizes…] in float32 or float16.
 * @throws ModelLoadError naming the input or output at fault
 */
export function stateInputs(
  modelFile: string,
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
): StatePair[] {
  return inputs
    .filter(({ name }) => PAST.test(name ?? ''))
    .map((input) => {
      const past = input.name ?? '';
      const present = past.replace('past', 'present');
      if (!outputs.some(({ name }) => name === present))
        throw new ModelLoadError(modelFile, `output "${present}" is missing; export it with its states.`);
      const type = elementTypeName(input);
      if (!isElementType(type))
        throw new ModelLoadError(modelFile, `input "${past}" is ${type}; export its states in float32 or float16.`);
      const [batch, ...sizes] = dimensions(input);
      const fixed = sizes.filter((size) => typeof size === 'number');
      if (typeof batch === 'number' || fixed.length === 0 || fixed.length < sizes.length)
        throw new ModelLoadError(
          modelFile,
          `input "${past}" is [${dimensions(input).join(', ')}]; it must be [batch, sizes…] with fixed sizes, one state for a row: export it without a window of states.`,
        );
      return { past, present, sizes: fixed, type };
    });
}

/** Of the states of one sequence. */
export function stateBytesOf(states: readonly StatePair[]): number {
  return states.reduce((sum, { sizes, type }) => sum + sizes.reduce((n, size) => n * size, bytesPerElement(type)), 0);
}
