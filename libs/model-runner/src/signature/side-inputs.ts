import { ModelLoadError } from '../model-load-error.ts';
import type { SideInput } from './model-signature.ts';
import { STATE_NAMES } from './state-inputs.ts';
import { dimensions, elementTypeName, type ValueInfo } from './value-info.ts';

const ELEMENT_TYPES = {
  attention_mask: 'int64',
  position_ids: 'int64',
  seqlens_k: 'int32',
  total_sequence_length: 'int32',
  num_logits_to_keep: 'int64',
} as const;

export interface SideInputs {
  readonly inputs: SideInput[];
  /** Of positions of [rows, batch, sequence], as models have them that see images; null where they are [batch, sequence]. */
  readonly positionRows: number | null;
}

/**
 * Understands the inputs other than the tokens and the cache.
 * @throws ModelLoadError naming an input that no runner can fill
 */
export function sideInputs(modelFile: string, inputs: readonly ValueInfo[]): SideInputs {
  const positions = inputs.find(({ name }) => name === 'position_ids');
  return { inputs: knownInputs(modelFile, inputs), positionRows: positions ? rowsOf(modelFile, positions) : null };
}

function rowsOf(modelFile: string, positions: ValueInfo): number | null {
  const dims = dimensions(positions);
  if (dims.length <= 2) return null;
  const [rows] = dims;
  if (dims.length === 3 && typeof rows === 'number') return rows;
  throw new ModelLoadError(
    modelFile,
    `input "position_ids" is [${dims.join(', ')}]; it must be [batch, sequence], or [rows, batch, sequence] with a fixed number of rows.`,
  );
}

function knownInputs(modelFile: string, inputs: readonly ValueInfo[]): SideInput[] {
  return inputs.map((input): SideInput => {
    const name = input.name ?? '';
    if (!isKnown(name))
      throw new ModelLoadError(
        modelFile,
        `input "${name}" [${dimensions(input).join(', ')}] is not known; besides input_ids, past_key_values and states of a fixed size ` +
          `(${STATE_NAMES}) a decoder may have ${Object.keys(ELEMENT_TYPES).join(', ')}. ` +
          "Export it for text generation with past, by onnxruntime-genai's builder or as onnx-community does.",
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
