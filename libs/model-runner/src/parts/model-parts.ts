import onnxProto from 'onnx-proto';
import { encodedField, GRAPH, GRAPH_NAME, INITIALIZER, INPUT, NODE, OUTPUT, protoFields } from '#onnx-file';
import type { ChangedModel } from '../binding/session-binding.ts';
import { type ElementType, onnxTypeOf } from '../element-type.ts';
import type { Graph } from '../signature/value-info.ts';
import { inputsOf, type LayerPart, layerParts, outputsOf } from './layer-cuts.ts';

const { GraphProto, NodeProto, TensorProto, ValueInfoProto } = onnxProto.onnx;

/** A model of its own: some layers of another one. */
export interface ModelPart {
  readonly model: ChangedModel;
  /** Of the whole model's inputs and outputs, those that this part has. */
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Further inputs and outputs: hidden states from the part before and for the part behind. */
  readonly takes: readonly string[];
  readonly leaves: readonly string[];
}

/**
 * Cuts a model between layers (`layerParts`). Nodes and weights are copied byte by byte; weights outside the file stay there.
 * @param hiddenType of the values between layers
 * @returns null where the graph cannot be cut so
 */
export function modelParts(whole: ChangedModel, count: number, hiddenType: ElementType): ModelPart[] | null {
  const graphField = [...protoFields(whole.bytes)].find(({ number }) => number === GRAPH);
  if (graphField === undefined) return null;
  const graphBytes = whole.bytes.subarray(graphField.valueStart, graphField.end);
  const graph = GraphProto.decode(graphBytes);
  const parts = layerParts(graph, count);
  const hiddenSize = parts === null ? null : normalizedSize(graph, parts[0]?.leaves ?? []);
  if (parts === null || hiddenSize === null) return null;
  return parts.map((part) => {
    const { bytes, inputNames, outputNames } = partGraph(graphBytes, part, { type: hiddenType, size: hiddenSize });
    const fields = [...protoFields(whole.bytes)].flatMap(({ number, start, end }) =>
      number === GRAPH ? encodedField(GRAPH, bytes) : [whole.bytes.subarray(start, end)],
    );
    const { takes, leaves } = part;
    return { model: { ...whole, bytes: Buffer.concat(fields) }, inputNames, outputNames, takes, leaves };
  });
}

/** Of the values between layers: a norm of one of them has a weight for each element. */
function normalizedSize(graph: Graph, values: readonly string[]): number | null {
  const sizes = new Map((graph.initializer ?? []).map(({ name, dims }) => [name ?? '', dims ?? []]));
  for (const node of graph.node ?? []) {
    const inputs = inputsOf(node);
    if (!node.opType?.endsWith('Normalization') || !inputs.some((name) => values.includes(name))) continue;
    const weight = inputs.map((name) => sizes.get(name)).find((dims) => dims?.length === 1);
    if (weight !== undefined) return Number(weight[0]);
  }
  return null;
}

interface Hidden {
  readonly type: ElementType;
  readonly size: number;
}

function partGraph(graph: Uint8Array, { nodes, takes, leaves }: LayerPart, { type, size }: Hidden) {
  const made = new Set(nodes.flatMap(outputsOf));
  const read = new Set(nodes.flatMap(inputsOf));
  const inputNames: string[] = [];
  const outputNames: string[] = [];
  const kept: Uint8Array[] = [];
  const keep = (number: number, value: Uint8Array) => kept.push(...encodedField(number, value));
  for (const { number, start, valueStart, end } of protoFields(graph)) {
    const value = graph.subarray(valueStart, end);
    if (number === NODE) {
      // Names of results are unique in a graph, so the first tells which node it is.
      const [first] = outputsOf(NodeProto.decode(value));
      if (first !== undefined && made.has(first)) keep(NODE, value);
    } else if (number === INITIALIZER) {
      if (read.has(TensorProto.decode(value).name ?? '')) keep(INITIALIZER, value);
    } else if (number === INPUT || number === OUTPUT) {
      const { name } = ValueInfoProto.decode(value);
      if (name == null || !(number === INPUT ? read : made).has(name)) continue;
      (number === INPUT ? inputNames : outputNames).push(name);
      keep(number, value);
    } else if (number === GRAPH_NAME) kept.push(graph.subarray(start, end));
  }
  // [batch, sequence, hidden]: inference of shapes behind it goes wrong where less is known.
  const shape = { dim: [{}, {}, { dimValue: size }] };
  const hidden = (name: string) =>
    ValueInfoProto.encode({ name, type: { tensorType: { elemType: onnxTypeOf(type), shape } } }).finish();
  for (const name of takes) keep(INPUT, hidden(name));
  for (const name of leaves) keep(OUTPUT, hidden(name));
  return { bytes: Buffer.concat(kept), inputNames, outputNames };
}
