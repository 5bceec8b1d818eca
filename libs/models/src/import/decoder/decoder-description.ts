import type { GgufFile } from '../gguf/gguf-file.ts';
import type { GgufValue } from '../gguf/gguf-header.ts';
import { ModelImportError } from '../model-import-error.ts';

export type Architecture = 'llama' | 'qwen2' | 'qwen3';
export const ARCHITECTURES: readonly Architecture[] = ['llama', 'qwen2', 'qwen3'];

export interface RopeScaling {
  readonly type: 'none' | 'linear' | 'yarn';
  readonly factor: number;
  readonly originalPositions: number;
  readonly attentionFactor: number;
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

/** @throws ModelImportError naming the metadata field that is missing or has a value that is not supported */
export function describeDecoder(file: GgufFile): DecoderDescription {
  const fields = new MetadataFields(file.path, file.metadata);
  const architecture = ARCHITECTURES.find((known) => known === fields.text('general.architecture'));
  if (architecture === undefined)
    throw new ModelImportError(
      file.path,
      `general.architecture is ${fields.text('general.architecture')}, supported are ${ARCHITECTURES.join(', ')}`,
      'take an ONNX export of the model instead (millrace models pull), or another model',
    );
  const number = (name: string, fallback?: number) => fields.number(`${architecture}.${name}`, fallback);
  const experts = number('expert_count', 0);
  if (experts > 0)
    throw new ModelImportError(
      file.path,
      `${architecture}.expert_count is ${experts}: mixtures of experts are not supported`,
      'take a dense model',
    );
  const hidden = number('embedding_length');
  const heads = number('attention.head_count');
  const headSize = number('attention.key_length', hidden / heads);
  for (const name of ['attention.value_length', 'rope.dimension_count']) {
    const size = number(name, headSize);
    if (size !== headSize)
      throw new ModelImportError(
        file.path,
        `${architecture}.${name} is ${size} where heads have ${headSize}; it must be the same`,
        'take an ONNX export of the model instead',
      );
  }
  const positions = number('context_length');
  return {
    architecture,
    name: fields.text('general.name', 'imported'),
    layers: number('block_count'),
    hidden,
    feedForward: number('feed_forward_length'),
    heads,
    kvHeads: number('attention.head_count_kv', heads),
    headSize,
    positions,
    normEpsilon: asWritten(number('attention.layer_norm_rms_epsilon')),
    ropeTheta: asWritten(number('rope.freq_base', 10_000)),
    ropeScaling: ropeScaling(file.path, architecture, fields, positions),
  };
}

function ropeScaling(path: string, architecture: string, fields: MetadataFields, positions: number): RopeScaling {
  const prefix = `${architecture}.rope.scaling`;
  const factor = fields.number(`${prefix}.factor`, fields.number(`${architecture}.rope.scale_linear`, 1));
  const type = fields.text(`${prefix}.type`, factor === 1 ? 'none' : 'linear');
  if (type !== 'none' && type !== 'linear' && type !== 'yarn')
    throw new ModelImportError(
      path,
      `${prefix}.type is ${type}, supported are none, linear and yarn`,
      'take another model',
    );
  return {
    type,
    factor,
    originalPositions: fields.number(`${prefix}.original_context_length`, positions),
    attentionFactor: fields.number(`${prefix}.attn_factor`, 1),
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

/** Typed access to a GGUF's metadata. */
export class MetadataFields {
  readonly #path: string;
  readonly #metadata: ReadonlyMap<string, GgufValue>;

  constructor(path: string, metadata: ReadonlyMap<string, GgufValue>) {
    this.#path = path;
    this.#metadata = metadata;
  }

  has(name: string): boolean {
    return this.#metadata.has(name);
  }

  number(name: string, fallback?: number): number {
    const value = this.#metadata.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
    throw this.#wrong(name, 'a number');
  }

  text(name: string, fallback?: string): string {
    const value = this.#metadata.get(name);
    if (value === undefined && fallback !== undefined) return fallback;
    if (typeof value === 'string') return value;
    throw this.#wrong(name, 'text');
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.#metadata.get(name);
    return typeof value === 'boolean' ? value : fallback;
  }

  list<Type extends 'string' | 'number'>(name: string, type: Type): (Type extends 'string' ? string : number)[] {
    const value = this.#metadata.get(name);
    if (!Array.isArray(value) || value.some((entry) => typeof entry !== type))
      throw this.#wrong(name, `a list of ${type}s`);
    return value as (Type extends 'string' ? string : number)[];
  }

  #wrong(name: string, wanted: string): ModelImportError {
    const value = this.#metadata.get(name);
    const found = value === undefined ? 'is missing' : `is ${typeof value}`;
    return new ModelImportError(
      this.#path,
      `metadata field ${name} ${found}, it must be ${wanted}`,
      'convert the model again with a current llama.cpp, or take another file',
    );
  }
}
