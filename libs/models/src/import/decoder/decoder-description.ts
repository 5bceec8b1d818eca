import type { GgufFile } from '../gguf/gguf-file.ts';
import { MetadataFields } from '../gguf/metadata-fields.ts';
import { ModelImportError } from '../model-import-error.ts';
import { refuseUnsupported } from './unsupported-fields.ts';

export type Architecture = 'llama' | 'qwen2' | 'qwen3';
const ARCHITECTURES: readonly Architecture[] = ['llama', 'qwen2', 'qwen3'];

const TAKE_ONNX = 'take an ONNX export of the model instead (millrace models pull), or another model';
/** What GroupQueryAttention takes. */
const HEAD_SIZE_STEP = 8;
const MOST_ROTARY_BYTES = 2 ** 30;
/** What the self-test at the start of a worker takes. */
const LEAST_POSITIONS = 8;

export interface RopeScaling {
  readonly type: 'none' | 'linear' | 'yarn';
  readonly factor: number;
  readonly originalPositions: number;
  readonly attentionFactor: number;
  /** YaRN: dimensions that turn more often than this within the original positions are kept as they are. */
  readonly betaFast: number;
  /** YaRN: those that turn less often are interpolated. */
  readonly betaSlow: number;
}

/** A decoder's sizes, from a GGUF's metadata. */
export interface DecoderDescription {
  readonly architecture: Architecture;
  readonly name: string;
  readonly layers: number;
  readonly hidden: number;
  readonly feedForward: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly positions: number;
  readonly normEpsilon: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling;
}

/**
 * @param mostPositions of the longest sequence wanted; the model's own when it has fewer
 * @throws ModelImportError naming the metadata field that is missing or has a value that is not supported
 */
export function describeDecoder(
  file: Pick<GgufFile, 'path' | 'metadata'>,
  mostPositions = Number.POSITIVE_INFINITY,
): DecoderDescription {
  const fields = new MetadataFields(file.path, file.metadata);
  const architecture = architectureOf(file.path, fields);
  const key = (name: string) => `${architecture}.${name}`;
  const hidden = fields.count(key('embedding_length'));
  const heads = fields.count(key('attention.head_count'));
  const kvHeads = fields.count(key('attention.head_count_kv'), heads);
  if (heads % kvHeads !== 0)
    throw fields.refusal(
      key('attention.head_count_kv'),
      kvHeads,
      `which does not divide the ${heads} heads of queries`,
    );
  const headSize = fields.count(key('attention.key_length'), hidden / heads);
  if (headSize % HEAD_SIZE_STEP !== 0)
    throw fields.refusal(
      key('attention.key_length'),
      headSize,
      `heads must have a multiple of ${HEAD_SIZE_STEP} dimensions`,
      TAKE_ONNX,
    );
  for (const name of ['attention.value_length', 'rope.dimension_count']) {
    const size = fields.count(key(name), headSize);
    if (size !== headSize)
      throw fields.refusal(key(name), size, `where heads have ${headSize}; it must be the same`, TAKE_ONNX);
  }
  const trained = fields.count(key('context_length'), undefined, LEAST_POSITIONS);
  if (mostPositions < LEAST_POSITIONS)
    throw new ModelImportError(
      file.path,
      `--positions is ${mostPositions}, the least is ${LEAST_POSITIONS}`,
      'give a longer length, or leave it out',
    );
  const positions = Math.min(trained, mostPositions);
  const rotaryBytes = positions * headSize * Float32Array.BYTES_PER_ELEMENT;
  if (rotaryBytes > MOST_ROTARY_BYTES)
    throw fields.refusal(
      key('context_length'),
      trained,
      `for which the rotary tables take ${Math.round(rotaryBytes / 2 ** 20)} MiB, at most ${MOST_ROTARY_BYTES / 2 ** 20} are made`,
      'say with --positions how long the longest sequence shall be',
    );
  refuseUnsupported(fields, architecture, { headSize, positions });
  return {
    architecture,
    name: fields.text('general.name', 'imported'),
    layers: fields.count(key('block_count')),
    hidden,
    feedForward: fields.count(key('feed_forward_length')),
    heads,
    kvHeads,
    headSize,
    positions,
    normEpsilon: asWritten(fields.positive(key('attention.layer_norm_rms_epsilon'))),
    ropeTheta: asWritten(fields.positive(key('rope.freq_base'), 10_000)),
    ropeScaling: ropeScaling(fields, architecture, trained),
  };
}

function architectureOf(path: string, fields: MetadataFields): Architecture {
  const named = fields.text('general.architecture');
  const architecture = ARCHITECTURES.find((known) => known === named);
  if (architecture === undefined)
    throw new ModelImportError(
      path,
      `general.architecture is ${named}, supported are ${ARCHITECTURES.join(', ')}`,
      TAKE_ONNX,
    );
  const type = fields.text('general.type', 'model');
  if (type !== 'model')
    throw fields.refusal('general.type', type, 'it must be model', 'give the file of the model that it belongs to');
  return architecture;
}

function ropeScaling(fields: MetadataFields, architecture: string, trained: number): RopeScaling {
  const prefix = `${architecture}.rope.scaling`;
  const written = fields.number(`${prefix}.factor`, fields.number(`${architecture}.rope.scale_linear`, 1));
  const factor = written === 0 ? 1 : written; // llama.cpp reads 0 as none
  if (factor < 0) throw fields.refusal(`${prefix}.factor`, factor, 'it must not be below 0');
  const type = fields.text(`${prefix}.type`, factor === 1 ? 'none' : 'linear');
  if (type !== 'none' && type !== 'linear' && type !== 'yarn')
    throw fields.refusal(`${prefix}.type`, type, 'supported are none, linear and yarn', TAKE_ONNX);
  return {
    type,
    factor,
    originalPositions: fields.count(`${prefix}.original_context_length`, trained),
    attentionFactor: fields.positive(`${prefix}.attn_factor`, 1),
    betaFast: fields.positive(`${prefix}.yarn_beta_fast`, 32),
    betaSlow: fields.positive(`${prefix}.yarn_beta_slow`, 1),
  };
}

/** GGUFs keep decimals as float32: the shortest decimal that is the same float32 is what people wrote. */
function asWritten(value: number): number {
  for (let digits = 1; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}
