import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import onnxProto from 'onnx-proto';
import { isElementType } from '../element-type.ts';
import { ModelLoadError } from '../model-load-error.ts';
import { cacheInputs } from './cache-inputs.ts';
import { assertExternalData } from './external-data.ts';
import type { ModelSignature } from './model-signature.ts';
import { sideInputs } from './side-inputs.ts';
import { dimensions, elementTypeName, type Graph } from './value-info.ts';

/** Operators whose input of this index is a [positions, …] table of cosines. */
const COSINE_TABLES: Readonly<Record<string, number>> = { GroupQueryAttention: 7, RotaryEmbedding: 2 };

/**
 * Reads a decoder's inputs, outputs and sizes from its ONNX file and checks that its external data is complete.
 * Names are those of Hugging Face and onnxruntime-genai exports.
 * @throws ModelLoadError naming what is missing or not supported
 */
export async function inspectModel(modelFile: string): Promise<ModelSignature> {
  const graph = await readGraph(modelFile);
  await assertExternalData(modelFile, graph.initializer ?? []);

  const initializers = new Set((graph.initializer ?? []).map((tensor) => tensor.name));
  const inputs = (graph.input ?? []).filter((input) => !initializers.has(input.name));
  const tokenIds = inputs.find((input) => input.name === 'input_ids');
  if (tokenIds === undefined)
    throw new ModelLoadError(modelFile, 'it has no input "input_ids"; export a decoder (text-generation-with-past).');
  if (elementTypeName(tokenIds) !== 'int64')
    throw new ModelLoadError(modelFile, `input "input_ids" is ${elementTypeName(tokenIds)}; export it as int64.`);

  const caches = cacheInputs(modelFile, inputs, graph.output ?? []);
  const understood = new Set(['input_ids', ...caches.cache.map((pair) => pair.past)]);
  const layers = caches.cache.length / 2;
  const sharingNodes = (graph.node ?? []).filter((node) => node.opType === 'GroupQueryAttention');
  return {
    modelFile,
    ...logitsOutput(modelFile, graph),
    ...caches,
    layers,
    maxPositions: cosineRows(graph) ?? (await configuredPositions(modelFile)),
    sharesCache: sharingNodes.length === layers,
    sideInputs: sideInputs(
      modelFile,
      inputs.filter((input) => !understood.has(input.name ?? '')),
    ),
  };
}

async function readGraph(modelFile: string): Promise<Graph> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(modelFile);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const problem = missing ? 'the file does not exist; check the model folder.' : (cause as Error).message;
    throw new ModelLoadError(modelFile, problem, { cause });
  }
  let graph: Graph | null | undefined;
  try {
    graph = onnxProto.onnx.ModelProto.decode(bytes).graph;
  } catch (cause) {
    throw new ModelLoadError(modelFile, 'it is not a whole ONNX file; copy or download it again.', { cause });
  }
  if (graph?.node?.length) return graph;
  throw new ModelLoadError(modelFile, 'it holds no graph, so it is no ONNX model; copy or download it again.');
}

function logitsOutput(modelFile: string, graph: Graph): Pick<ModelSignature, 'vocabularySize' | 'logits'> {
  const output = (graph.output ?? []).find((value) => value.name === 'logits');
  if (output === undefined) throw new ModelLoadError(modelFile, 'it has no output "logits"; export a causal LM.');
  const type = elementTypeName(output);
  if (!isElementType(type))
    throw new ModelLoadError(
      modelFile,
      `output "logits" is ${type}; export the model with float32 or float16 outputs.`,
    );
  const dims = dimensions(output);
  const rank = dims.length;
  const vocabularySize = dims.at(-1);
  if ((rank !== 2 && rank !== 3) || typeof vocabularySize !== 'number')
    throw new ModelLoadError(
      modelFile,
      `output "logits" is [${dims.join(', ')}]; it must be [batch, sequence, vocabulary] with a fixed vocabulary.`,
    );
  return { vocabularySize, logits: { positions: rank === 2 || dims[1] === 1 ? 'last' : 'all', rank, type } };
}

function cosineRows(graph: Graph): number | null {
  const initializers = new Map((graph.initializer ?? []).map((tensor) => [tensor.name, tensor]));
  let fewest: number | null = null;
  for (const node of graph.node ?? []) {
    const table = initializers.get(node.input?.[COSINE_TABLES[node.opType ?? ''] ?? -1] ?? '');
    const rows = table?.dims?.[0];
    if (rows != null) fewest = Math.min(fewest ?? Number.POSITIVE_INFINITY, Number(rows));
  }
  return fewest;
}

async function configuredPositions(modelFile: string): Promise<number | null> {
  try {
    const config: unknown = JSON.parse(await readFile(join(dirname(modelFile), 'config.json'), 'utf8'));
    const positions = (config as { max_position_embeddings?: unknown }).max_position_embeddings;
    return typeof positions === 'number' ? positions : null;
  } catch {
    return null; // no config.json, or a broken one, about which the model folder's reader complains
  }
}
