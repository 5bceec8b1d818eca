import { type ElementType, isElementType } from '../element-type.ts';
import { ModelLoadError } from '../model-load-error.ts';
import type { CachePair } from './model-signature.ts';
import { dimensions, elementTypeName, type ValueInfo } from './value-info.ts';

const PAST = /^past_key_values\.(\d+)\.(?:key|value)$/;

/**
 * Finds the layers' caches, which must be [batch, kvHeads, past, headSize] in float32 or float16, the same in every layer that has one.
 * @param configuredHeadSize where the graph gives only a name for it, as onnxruntime-genai's builder does since 0.18
 * @throws ModelLoadError naming the input or output at fault
 */
export function cacheInputs(
  modelFile: string,
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  configuredHeadSize: number | null,
): { cache: CachePair[]; cacheType: ElementType; kvHeads: number; headSize: number } {
  const byName = new Map(inputs.map((input) => [input.name ?? '', input]));
  const outputNames = new Set(outputs.map((output) => output.name ?? ''));
  const layers = new Set([...byName.keys()].flatMap((name) => PAST.exec(name)?.[1] ?? []).map(Number));
  if (layers.size === 0)
    throw new ModelLoadError(modelFile, 'it has no inputs "past_key_values.0.key"…; export it with its KV cache.');

  const cache: CachePair[] = [];
  let first: CacheShape | undefined;
  for (const layer of [...layers].sort((a, b) => a - b)) {
    for (const part of ['key', 'value']) {
      const past = `past_key_values.${layer}.${part}`;
      const present = `present.${layer}.${part}`;
      const input = byName.get(past);
      if (input === undefined) throw new ModelLoadError(modelFile, `input "${past}" is missing; export it again.`);
      if (!outputNames.has(present))
        throw new ModelLoadError(modelFile, `output "${present}" is missing; export it with its KV cache.`);
      const shape = shapeOf(modelFile, past, input, configuredHeadSize);
      first ??= shape;
      if (shape.kvHeads !== first.kvHeads || shape.headSize !== first.headSize)
        throw new ModelLoadError(
          modelFile,
          `input "${past}" has ${shape.kvHeads} heads of ${shape.headSize}, the first layer ${first.kvHeads} of ` +
            `${first.headSize}; layers of different shapes are not supported, choose another model.`,
        );
      if (shape.cacheType !== first.cacheType)
        throw new ModelLoadError(
          modelFile,
          `input "${past}" is ${shape.cacheType}, the first layer ${first.cacheType}; export all layers alike.`,
        );
      cache.push({ past, present });
    }
  }
  return {
    cache,
    cacheType: first?.cacheType ?? 'float32',
    kvHeads: first?.kvHeads ?? 0,
    headSize: first?.headSize ?? 0,
  };
}

interface CacheShape {
  readonly cacheType: ElementType;
  readonly kvHeads: number;
  readonly headSize: number;
}

function shapeOf(modelFile: string, name: string, input: ValueInfo, configuredHeadSize: number | null): CacheShape {
  const cacheType = elementTypeName(input);
  if (!isElementType(cacheType))
    throw new ModelLoadError(
      modelFile,
      `input "${name}" is ${cacheType}; export the model with a KV cache in float32 or float16.`,
    );
  const dims = dimensions(input);
  const kvHeads = dims[1];
  const headSize = typeof dims[3] === 'number' ? dims[3] : configuredHeadSize;
  if (dims.length === 4 && typeof kvHeads === 'number' && headSize !== null) return { cacheType, kvHeads, headSize };
  throw new ModelLoadError(
    modelFile,
    `input "${name}" is [${dims.join(', ')}]; it must be [batch, kvHeads, past, headSize] with fixed heads, or ` +
      'config.json or genai_config.json beside it must give head_dim or head_size.',
  );
}
