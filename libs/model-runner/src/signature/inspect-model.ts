import type { CpuChoices } from '#contracts';
import { EMBEDS } from '../edits/embedding-connections.ts';
import type { GraphEdit } from '../edits/graph-edit.ts';
import { joinedModel } from '../edits/joined-model.ts';
import { decodedModel, readModel } from '../edits/read-model.ts';
import { isElementType } from '../element-type.ts';
import { ModelLoadError } from '../model-load-error.ts';
import { ownCacheType } from '../products/own-cache-type.ts';
import { ownProductBytes } from '../products/own-product-bytes.ts';
import { cacheInputs } from './cache-inputs.ts';
import { cachesReadElsewhere } from './cache-readers.ts';
import { type ConfiguredSizes, configuredSizes } from './configured-sizes.ts';
import { assertExternalData } from './external-data.ts';
import {
  cosineRows,
  keepsRings,
  mixesExperts,
  rotaryChoice,
  sharesActivationScales,
  slidingWindow,
} from './graph-traits.ts';
import { type LastGathers, lastGathers } from './last-gathers.ts';
import { lastPosition } from './last-position.ts';
import { loadedBytes } from './loaded-bytes.ts';
import { maskLengths } from './mask-lengths.ts';
import type { ModelSignature, SideInput } from './model-signature.ts';
import { sideInputs } from './side-inputs.ts';
import { stateBytesOf, stateInputs } from './state-inputs.ts';
import { dimensions, elementTypeName, type Graph } from './value-info.ts';

export interface InspectModelOptions extends Partial<CpuChoices> {
  /** Of an export in two graphs the one from tokens to embeddings, in the folder of the other; null by default. */
  readonly embeddingFile?: string | null;
}

/**
 * Reads a decoder's inputs, outputs and sizes from its ONNX file and checks that its external data is complete.
 * Names are those of Hugging Face and onnxruntime-genai exports.
 * @param options how it is to be computed on the CPU (`openModelRunner`), which decides what it takes in memory; and what else belongs to it
 * @throws ModelLoadError naming what is missing or not supported
 */
export async function inspectModel(
  modelFile: string,
  { products = 'auto', kvType = 'auto', embeddingFile = null }: InspectModelOptions = {},
): Promise<ModelSignature> {
  const bytes = embeddingFile === null ? await readModel(modelFile) : await joinedModel(modelFile, embeddingFile);
  const { graph } = decodedModel(modelFile, bytes);
  const fileBytes = bytes.byteLength;
  const externalBytes = await assertExternalData(modelFile, graph.initializer ?? []);

  const initializers = new Set((graph.initializer ?? []).map((tensor) => tensor.name));
  const inputs = (graph.input ?? []).filter((input) => !initializers.has(input.name));
  const tokenIds = inputs.find((input) => input.name === 'input_ids');
  if (tokenIds === undefined)
    throw new ModelLoadError(
      modelFile,
      inputs.some(({ name }) => name === EMBEDS)
        ? `it has an input "${EMBEDS}" and no "input_ids": it is the decoder of an export in two graphs, and the other one, from tokens to ` +
            'embeddings (embed_tokens.onnx), is not there; copy it into the same folder.'
        : 'it has no input "input_ids"; export a decoder (text-generation-with-past).',
    );
  if (elementTypeName(tokenIds) !== 'int64')
    throw new ModelLoadError(modelFile, `input "input_ids" is ${elementTypeName(tokenIds)}; export it as int64.`);

  const configured = await configuredSizes(modelFile);
  const caches = cacheInputs(modelFile, inputs, graph.output ?? [], configured.headSize);
  const states = stateInputs(modelFile, inputs, graph.output ?? []);
  const kept = [...caches.cache, ...states].map((pair) => pair.past);
  const understood = new Set(['input_ids', 'use_cache_branch', ...kept]);
  const branches = inputs.some(({ name }) => name === 'use_cache_branch');
  const branchEdits: GraphEdit[] = branches ? [{ kind: 'cache-branch', past: caches.cache[0]?.past ?? '' }] : [];
  const layers = caches.cache.length / 2;
  const sharingNodes = (graph.node ?? []).filter((node) => node.opType === 'GroupQueryAttention');
  const side = sideInputs(
    modelFile,
    inputs.filter((input) => !understood.has(input.name ?? '')),
  );
  const { vocabularySize, logits } = logitsOutput(modelFile, graph);
  const keepsLast = side.inputs.some(({ kind }) => kind === 'num_logits_to_keep');
  const last = logits.positions === 'last' || keepsLast ? null : lastPosition(graph);
  const lengths = maskLengths(graph);
  const rowsShareScales = sharesActivationScales(graph);
  const windows = windowEdits(graph, configured, sharingNodes.length === layers);
  const lengthEdits: GraphEdit[] = lengths === null ? [] : [{ kind: 'lengths', ...lengths }];
  const joinEdits: GraphEdit[] = embeddingFile === null ? [] : [{ kind: 'embedding', file: embeddingFile }];
  const rowsEdits: GraphEdit[] = side.positionRows === null ? [] : [{ kind: 'position-rows', rows: side.positionRows }];
  const edits = [...joinEdits, ...branchEdits, ...rowsEdits, ...windows.edits, ...lengthEdits];
  const lastEdit = last === null ? null : ({ kind: 'last-position', ...last } as const);
  const gathers = logits.positions === 'all' ? null : lastGathers(graph);
  const mayOwn = products === 'auto';
  return {
    modelFile,
    weightBytes: fileBytes + externalBytes,
    loadedBytes: loadedBytes(graph, mayOwn ? ownProductBytes(graph) : undefined),
    vocabularySize,
    logits: keepsLast || last !== null ? { ...logits, positions: 'last' } : logits,
    ...caches,
    states,
    stateBytes: stateBytesOf(states),
    layers,
    ownCache: mayOwn ? ownCacheType(graph, caches, kvType) : null,
    ...positions(modelFile, graph, windows.bound, configured),
    edits: lastEdit === null ? edits : [...edits, lastEdit],
    lastGathers: gathers,
    countedEdits: countedEdits(edits, lastEdit, gathers, keepsLast || logits.positions === 'all'),
    slidingWindow: windows.slidingWindow,
    rowsShareScales,
    rowsRunAlone: rowsShareScales || mixesExperts(graph),
    sharesCache: sharingNodes.length === layers && !cachesReadElsewhere(graph, caches.cache),
    sideInputs: lengths === null ? side.inputs : side.inputs.flatMap((input) => lengthsFor(input, lengths.rank)),
  };
}

/** What the graph wants to be told when lengths take the mask's place. */
function lengthsFor(input: SideInput, rank: 0 | 1): SideInput[] {
  return input.kind === 'attention_mask' ? [{ kind: 'seqlens_k' }, { kind: 'total_sequence_length', rank }] : [input];
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

/** Null where the graph gives the last position's logits only and is not known well enough to give those of others. */
function countedEdits(
  edits: readonly GraphEdit[],
  lastEdit: GraphEdit | null,
  gathers: LastGathers | null,
  counts: boolean,
): readonly GraphEdit[] | null {
  if (lastEdit?.kind === 'last-position') return [...edits, { ...lastEdit, counted: true }];
  if (gathers !== null) return [...edits, { kind: 'sliced-positions', ...gathers, counted: true }];
  return counts ? edits : null;
}

/**
 * Sliding windows as a cache of the whole past needs them: in attention itself. A window that only the configuration tells,
 * of a graph that cannot be changed so, bounds what is exact: up to it nothing has slid yet.
 */
function windowEdits(graph: Graph, { cacheWindow }: ConfiguredSizes, sharesCache: boolean) {
  const edits: GraphEdit[] = keepsRings(graph) ? [{ kind: 'whole-cache' }] : [];
  const inGraph = slidingWindow(graph);
  if (inGraph !== null || cacheWindow === null) return { edits, slidingWindow: inGraph, bound: null };
  const { tokens, layers, ofAttention } = cacheWindow;
  if (!ofAttention || !sharesCache) return { edits, slidingWindow: null, bound: tokens };
  return { edits: [...edits, { kind: 'window', tokens, layers } as const], slidingWindow: tokens, bound: null };
}

/**
 * How far the graph computes what the model does. Two rotary tables are chosen by the longest row of a step, so only the
 * first one's length is exact; or the second one's, if that is taken always.
 */
function positions(modelFile: string, graph: Graph, windowBound: number | null, configured: ConfiguredSizes) {
  const bounds = [cosineRows(graph) ?? configured.maxPositions, windowBound];
  const choice = rotaryChoice(graph);
  if (choice === null) return { maxPositions: least(bounds), longRotary: null };
  const { shortRows, longRows, output, longCondition } = choice;
  if (shortRows === 0 && configured.shortRopePositions === null)
    throw new ModelLoadError(
      modelFile,
      'it has two rotary tables (LongRoPE), and neither they nor original_max_position_embeddings of a config.json beside ' +
        'it tell up to which length the first one holds; copy the config.json of the model into the folder.',
    );
  const long = shortRows === 0 ? null : least([...bounds, longRows]);
  const edit: GraphEdit = { kind: 'rotary-table', output, condition: longCondition };
  return {
    maxPositions: least([...bounds, shortRows || configured.shortRopePositions]),
    longRotary: long === null ? null : { maxPositions: long, edit },
  };
}

function least(bounds: readonly (number | null)[]): number | null {
  const known = bounds.filter((bound) => bound !== null);
  return known.length === 0 ? null : Math.min(...known);
}
