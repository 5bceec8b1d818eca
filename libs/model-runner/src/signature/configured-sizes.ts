import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { textConfig } from '#contracts/ports';

/** What the files beside a graph say of it where the graph itself does not. */
export interface ConfiguredSizes {
  readonly headSize: number | null;
  readonly maxPositions: number | null;
  /** Longest sequence for the first of two sets of rotary factors (LongRoPE); null where there is one set. */
  readonly shortRopePositions: number | null;
  /** The window that the exporter's own runtime is told of; null where there is none. */
  readonly cacheWindow: CacheWindow | null;
}

export interface CacheWindow {
  readonly tokens: number;
  /** Layers that have it; null for all. */
  readonly layers: readonly number[] | null;
  /** True where it is the model's attention that sees no further, rather than a runtime that cuts prompts into such pieces. */
  readonly ofAttention: boolean;
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
  const text = { ...config, ...objectOf(textConfig(config ?? {})) };
  const model = objectAt(genai, 'model');
  const [hidden, heads] = [sizeAt(text, 'hidden_size'), sizeAt(text, 'num_attention_heads')];
  return {
    headSize:
      sizeAt(objectAt(model, 'decoder'), 'head_size') ??
      sizeAt(text, 'head_dim') ??
      (hidden !== null && heads !== null && hidden % heads === 0 ? hidden / heads : null),
    maxPositions: sizeAt(text, 'max_position_embeddings') ?? sizeAt(model, 'context_length'),
    cacheWindow: cacheWindow(objectAt(objectAt(model, 'decoder'), 'sliding_window')),
    shortRopePositions: sizeAt(text, 'original_max_position_embeddings'),
  };
}

function cacheWindow(window: Fields): CacheWindow | null {
  const tokens = sizeAt(window, 'window_size');
  if (tokens === null) return null;
  // The builder leaves the list empty where the model's configuration names no layers: then all have the window.
  const layers = Array.isArray(window.layers) ? window.layers.filter((layer) => typeof layer === 'number') : [];
  return { tokens, layers: layers.length === 0 ? null : layers, ofAttention: window.slide_inputs === false };
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
  return objectOf(from?.[name]);
}

function objectOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** Null for what can be no size, as if nothing were told. */
function sizeAt(from: Fields, name: string): number | null {
  const value = from[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : null;
}
