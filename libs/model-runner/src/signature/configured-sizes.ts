import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What the files beside a graph say of it where the graph itself does not. */
export interface ConfiguredSizes {
  readonly headSize: number | null;
  readonly maxPositions: number | null;
  /** Longest sequence for the first of two sets of rotary factors (LongRoPE); null where there is one set. */
  readonly shortRopePositions: number | null;
  /** Tokens that the exporter's own runtime keeps in the cache while the graph knows no window; null where it keeps all. */
  readonly cacheWindow: number | null;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads config.json and genai_config.json beside the ONNX file or, for hubs' `onnx/model.onnx`, in the folder above.
 * Files that are missing or broken tell nothing here; the model folder's reader complains about them.
 */
export async function configuredSizes(modelFile: string): Promise<ConfiguredSizes> {
  const folder = dirname(modelFile);
  const [config, genai] = await Promise.all(
    ['config.json', 'genai_config.json'].map(
      async (file) => (await fields(folder, file)) ?? (await fields(dirname(folder), file)),
    ),
  );
  const text = { ...config, ...objectAt(config, 'text_config') };
  const model = objectAt(genai, 'model');
  const [hidden, heads] = [numberAt(text, 'hidden_size'), numberAt(text, 'num_attention_heads')];
  return {
    headSize:
      numberAt(objectAt(model, 'decoder'), 'head_size') ??
      numberAt(text, 'head_dim') ??
      (hidden !== null && heads !== null ? hidden / heads : null),
    maxPositions: numberAt(text, 'max_position_embeddings') ?? numberAt(model, 'context_length'),
    cacheWindow: numberAt(objectAt(objectAt(model, 'decoder'), 'sliding_window'), 'window_size'),
    shortRopePositions: numberAt(text, 'original_max_position_embeddings'),
  };
}

async function fields(folder: string, file: string): Promise<Fields | null> {
  try {
    const value: unknown = JSON.parse(await readFile(join(folder, file), 'utf8'));
    return typeof value === 'object' && value !== null ? (value as Fields) : null;
  } catch {
    return null;
  }
}

function objectAt(from: Fields | null | undefined, name: string): Fields {
  const value = from?.[name];
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function numberAt(from: Fields, name: string): number | null {
  const value = from[name];
  return typeof value === 'number' ? value : null;
}
