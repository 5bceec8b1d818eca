import { CONTRIB, ELEMENT, type FloatType, OnnxGraph } from '../onnx/onnx-graph.ts';
import type { DecoderDescription } from './decoder-description.ts';
import { type DecoderWeights, MANY_TOKENS } from './decoder-weights.ts';
import type { RotaryTables } from './rotary-tables.ts';

/** GroupQueryAttention rotates heads of a multiple of so many dimensions; others are rotated in front of it. */
const ROTATED_HEAD_STEP = 16;
const POSITIONS = 'position_ids';

/** What a graph asks of weights, however they are held and wherever they are from. */
export type GraphWeights = Pick<
  DecoderWeights,
  'vocabulary' | 'hasPrefillProducts' | 'has' | 'vector' | 'embed' | 'project' | 'head'
>;

/**
 * A decoder with GroupQueryAttention (rotary inside, past and present in one buffer) and logits of each row's last real
 * position. Inputs and outputs are named as in Hugging Face's exports; tools/models/gqa_decoder.py has the same in Python.
 * @param floatType of everything between the token ids and the logits, the cache included
 */
export function decoderGraph(
  decoder: DecoderDescription,
  weights: GraphWeights,
  rotary: RotaryTables,
  floatType: FloatType = 'float32',
): OnnxGraph {
  const graph = new OnnxGraph(decoder.name, floatType);
  const { kvHeads, headSize, positions } = decoder;
  const ids = graph.input('input_ids', 'int64', ['batch_size', 'sequence_length']);
  const mask = graph.input('attention_mask', 'int64', ['batch_size', 'total_sequence_length']);
  if (rotatesApart(decoder)) graph.input(POSITIONS, 'int64', ['batch_size', 'sequence_length']);
  for (const name of cacheNames(decoder, 'past_key_values'))
    graph.input(name, floatType, ['batch_size', kvHeads, 'past_sequence_length', headSize]);
  const lengths = addLengths(graph, mask);
  graph.floats('cos_cache', [positions, headSize / 2], rotary.cosine);
  graph.floats('sin_cache', [positions, headSize / 2], rotary.sine);

  if (weights.hasPrefillProducts) {
    const one = graph.int64('one', [1], true);
    const tokens = graph.node('Gather', [graph.node('Shape', [ids]), one], { axis: 0 });
    graph.node('Greater', [tokens, one], {}, MANY_TOKENS);
  }

  let residual = weights.embed(graph, ids);
  let branch: string | null = null; // what the last block adds to the residual; the next norm adds it
  for (let layer = 0; layer < decoder.layers; layer++) {
    const prefix = `layers.${layer}`;
    let normed: string;
    [normed, residual] = addNorm(graph, decoder, weights, `${prefix}.input`, residual, branch);
    let attended = addAttention(graph, decoder, weights, layer, normed, lengths);
    if (layer === decoder.layers - 1) {
      // Behind the last attention only each row's last real position is read: the others are dropped here.
      const last = lastIndex(graph, ids, lengths);
      attended = graph.node('GatherND', [attended, last], { batch_dims: 1 });
      residual = graph.node('GatherND', [residual, last], { batch_dims: 1 });
    }
    branch = weights.project(graph, `${prefix}.o`, attended);
    [normed, residual] = addNorm(graph, decoder, weights, `${prefix}.post_attention`, residual, branch);
    branch = weights.project(graph, `${prefix}.down`, addGated(graph, weights, prefix, normed));
  }
  const [normed] = addNorm(graph, decoder, weights, 'final', residual, branch, true);
  graph.node('Identity', [weights.head(graph, normed)], {}, 'logits');
  graph.output('logits', floatType, ['batch_size', 1, weights.vocabulary]);
  for (const name of cacheNames(decoder, 'present'))
    graph.output(name, floatType, ['batch_size', kvHeads, 'capacity', headSize]);
  return graph;
}

function rotatesApart({ headSize }: DecoderDescription): boolean {
  return headSize % ROTATED_HEAD_STEP !== 0;
}

interface Lengths {
  /** int32 [batch], a row's length minus one. */
  readonly seqlensK: string;
  /** int32 scalar, tokens of the longest row. */
  readonly total: string;
}

function cacheNames({ layers }: DecoderDescription, prefix: string): string[] {
  return Array.from({ length: layers }, (_, layer) => [`${prefix}.${layer}.key`, `${prefix}.${layer}.value`]).flat();
}

function addLengths(graph: OnnxGraph, mask: string): Lengths {
  const one = graph.int64('one', [1], true);
  const ones = graph.node('ReduceSum', [mask, graph.int64('axis_1', [1])], { keepdims: 0 });
  const seqlensK = graph.node('Cast', [graph.node('Sub', [ones, one])], { to: ELEMENT.int32 }, 'seqlens_k');
  const length = graph.node('Gather', [graph.node('Shape', [mask]), one], { axis: 0 });
  return { seqlensK, total: graph.node('Cast', [length], { to: ELEMENT.int32 }, 'total_sequence_length') };
}

/**
 * Index of each row's last real position, clamp(seqlens_k − (total − sequence), 0, sequence − 1): right-padded first
 * prompts, later chunks of one row, and ragged decode rows all come out right.
 */
function lastIndex(graph: OnnxGraph, ids: string, { seqlensK, total }: Lengths): string {
  const zero = graph.constant('zero_i32', 'int32', [], Int32Array.of(0));
  const one = graph.constant('one_i32', 'int32', [], Int32Array.of(1));
  const shape = graph.node('Gather', [graph.node('Shape', [ids]), graph.int64('one', [1], true)], { axis: 0 });
  const sequence = graph.node('Cast', [shape], { to: ELEMENT.int32 });
  const past = graph.node('Sub', [total, sequence]);
  const above = graph.node('Max', [graph.node('Sub', [seqlensK, past]), zero]);
  const index = graph.node('Min', [above, graph.node('Sub', [sequence, one])]);
  const wide = graph.node('Cast', [index], { to: ELEMENT.int64 });
  return graph.node('Reshape', [wide, graph.int64('last_index_shape', [-1, 1, 1])]);
}

/** RMS norm of residual (+ branch). Returns the normed value and the new residual. */
function addNorm(
  graph: OnnxGraph,
  { hidden, normEpsilon }: DecoderDescription,
  weights: GraphWeights,
  name: string,
  residual: string,
  branch: string | null,
  isLast = false,
): [string, string] {
  const weight = graph.floats(`${name}.norm`, [hidden], weights.vector(`${name}.norm`));
  if (branch === null) {
    const attributes = { axis: -1, epsilon: normEpsilon, stash_type: 1 };
    return [graph.node('SimplifiedLayerNormalization', [residual, weight], attributes), residual];
  }
  const outputs = isLast ? [`${name}.normed`] : [`${name}.normed`, '', '', `${name}.residual`];
  graph.append('SkipSimplifiedLayerNormalization', CONTRIB, [residual, branch, weight], outputs, {
    epsilon: normEpsilon,
  });
  return [`${name}.normed`, outputs.at(-1) ?? ''];
}

function addAttention(
  graph: OnnxGraph,
  decoder: DecoderDescription,
  weights: GraphWeights,
  layer: number,
  normed: string,
  { seqlensK, total }: Lengths,
): string {
  const prefix = `layers.${layer}`;
  const { heads, kvHeads, headSize } = decoder;
  const past = ['key', 'value'].map((part) => `past_key_values.${layer}.${part}`);
  const apart = rotatesApart(decoder);
  const tables = apart ? [] : ['cos_cache', 'sin_cache'];
  graph.append(
    'GroupQueryAttention',
    CONTRIB,
    [...attentionInputs(graph, decoder, weights, prefix, normed), ...past, seqlensK, total, ...tables],
    [`${prefix}.attended`, `present.${layer}.key`, `present.${layer}.value`],
    {
      num_heads: heads,
      kv_num_heads: kvHeads,
      do_rotary: apart ? 0 : 1,
      rotary_interleaved: 0,
      scale: 1 / Math.sqrt(headSize),
    },
  );
  return `${prefix}.attended`;
}

function attentionInputs(
  graph: OnnxGraph,
  decoder: DecoderDescription,
  weights: GraphWeights,
  prefix: string,
  normed: string,
): [string, string, string] {
  const { heads, kvHeads, headSize } = decoder;
  const hasNorm = weights.has(`${prefix}.q.norm`);
  const apart = rotatesApart(decoder);
  let parts: [string, string, string];
  if (weights.has(`${prefix}.qkv`)) {
    const packed = weights.project(graph, `${prefix}.qkv`, normed);
    if (!hasNorm && !apart) return [packed, '', ''];
    parts = [`${prefix}.q`, `${prefix}.k`, `${prefix}.v`];
    const widths = graph.int64('qkv_widths', [heads * headSize, kvHeads * headSize, kvHeads * headSize]);
    graph.append('Split', '', [packed, widths], parts, { axis: -1 });
  } else {
    const project = (part: string) => weights.project(graph, `${prefix}.${part}`, normed);
    parts = [project('q'), project('k'), project('v')];
  }
  let [query, key, value] = parts;
  if (hasNorm) {
    query = addHeadNorm(graph, decoder, weights, `${prefix}.q.norm`, query, heads);
    key = addHeadNorm(graph, decoder, weights, `${prefix}.k.norm`, key, kvHeads);
  }
  if (apart) [query, key] = [addRotation(graph, query), addRotation(graph, key)];
  return [query, key, value];
}

/** Rotates each head of [batch, sequence, heads × headSize]; the tables tell how large heads are. */
function addRotation(graph: OnnxGraph, value: string): string {
  return graph.contrib('RotaryEmbedding', [value, POSITIONS, 'cos_cache', 'sin_cache'], { interleaved: 0 });
}

/** RMS norm over each head of [batch, sequence, heads × headSize]. */
function addHeadNorm(
  graph: OnnxGraph,
  { headSize, normEpsilon }: DecoderDescription,
  weights: GraphWeights,
  name: string,
  value: string,
  heads: number,
): string {
  const weight = graph.floats(name, [headSize], weights.vector(name));
  const apart = graph.node('Reshape', [value, graph.int64(`heads_apart_${heads}`, [0, 0, heads, headSize])]);
  const attributes = { axis: -1, epsilon: normEpsilon, stash_type: 1 };
  const normed = graph.node('SimplifiedLayerNormalization', [apart, weight], attributes);
  return graph.node('Reshape', [normed, graph.int64(`heads_together_${heads}`, [0, 0, heads * headSize])]);
}

/** SiLU(gate) × up. */
function addGated(graph: OnnxGraph, weights: GraphWeights, prefix: string, normed: string): string {
  let gate = `${prefix}.gate`;
  let up = `${prefix}.up`;
  if (weights.has(`${prefix}.gate_up`)) {
    const both = weights.project(graph, `${prefix}.gate_up`, normed);
    [gate, up] = [`${gate}.half`, `${up}.half`];
    graph.append('Split', '', [both], [gate, up], { axis: -1, num_outputs: 2 });
  } else {
    [gate, up] = [weights.project(graph, gate, normed), weights.project(graph, up, normed)];
  }
  const activated = graph.contrib('QuickGelu', [gate], { alpha: 1 }); // x · sigmoid(x): SiLU in one node
  return graph.node('Mul', [activated, up]);
}
