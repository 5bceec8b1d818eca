import { dirname } from 'node:path';
import onnxProto from 'onnx-proto';
import {
  encodedField,
  encodedNumber,
  FUNCTION,
  GRAPH,
  INITIALIZER,
  INPUT,
  IR_VERSION,
  NODE,
  protoFields,
  TENSOR_NAME,
} from '#onnx-file';
import { ModelLoadError } from '../model-load-error.ts';
import type { Graph, Node } from '../signature/value-info.ts';
import { type Connection, connectionsOf, inputsOf, isFloat, typeOf } from './embedding-connections.ts';
import { embeddingOpsets } from './embedding-opsets.ts';
import { type DecodedModel, decodedModel, readModel } from './read-model.ts';
import { renameValues } from './rename-values.ts';
import { withoutFeatures } from './without-features.ts';

const { AttributeProto, NodeProto, TensorProto, ValueInfoProto } = onnxProto.onnx;

/** In front of names of the embedding that the decoder has too. */
const PREFIX = 'millrace.embedding.';

interface ModelBytes extends DecodedModel {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly graphBytes: Uint8Array;
}

/**
 * One graph of an export in two, as multimodal models have them: the embedding, from `input_ids` to `inputs_embeds` and whatever else has the name of
 * an input of the decoder, stands in front of the decoder, and a Cast between them where their floats differ. Features of images or sounds
 * that the embedding would put in the place of tokens are never given (`withoutFeatures`). Weights stay in the files (`readModel`), which must be in one folder.
 * @throws ModelLoadError naming the file, and the value or the operator set that does not agree
 */
export async function joinedModel(decoderFile: string, embeddingFile: string): Promise<Uint8Array> {
  if (dirname(decoderFile) !== dirname(embeddingFile))
    throw new ModelLoadError(embeddingFile, `its decoder is in another folder, ${decoderFile}; put both in one.`);
  const [decoder, embedding] = await Promise.all([decoderFile, embeddingFile].map(opened));
  const opsets = embeddingOpsets(embedding, decoder, embeddingFile);
  const connections = connectionsOf(embedding, decoder);
  const graph = Buffer.concat([
    ...embeddingFields(embedding, decoder, connections),
    ...decoderFields(decoder, connections),
  ]);
  const irVersion = Math.max(...[decoder, embedding].map(({ model }) => Number(model.irVersion)));
  return Buffer.concat([
    encodedNumber(IR_VERSION, irVersion),
    ...[...protoFields(decoder.bytes)].flatMap(({ number, start, end }) => {
      if (number === IR_VERSION) return [];
      return number === GRAPH ? encodedField(GRAPH, graph) : [decoder.bytes.subarray(start, end)];
    }),
    ...opsets,
    ...[...protoFields(embedding.bytes)]
      .filter(({ number }) => number === FUNCTION)
      .map(({ start, end }) => embedding.bytes.subarray(start, end)),
  ]);
}

async function opened(file: string): Promise<ModelBytes> {
  const bytes = await readModel(file);
  const decoded = decodedModel(file, bytes);
  const field = [...protoFields(bytes)].find(({ number }) => number === GRAPH);
  return { ...decoded, file, bytes, graphBytes: bytes.subarray(field?.valueStart, field?.end) };
}

/** The embedding's part of the graph: its nodes in front of all others, its weights, and the inputs that the decoder does not have. */
function embeddingFields(
  { graph, graphBytes, file }: ModelBytes,
  decoder: ModelBytes,
  connections: readonly Connection[],
): Uint8Array[] {
  const own = inputsOf(graph);
  const inputs = new Set(own.map(({ name }) => name ?? ''));
  const shared = new Set((decoder.graph.input ?? []).map(({ name }) => name ?? ''));
  const names = namesFor(graph, decoder.graph, inputs, connections);
  const features = new Set(
    own.filter((input) => isFloat(input) && !shared.has(input.name ?? '')).map(({ name }) => name ?? ''),
  );
  const rows = withoutFeatures(graph, features);
  const missing = connections.find(({ output }) => rows.lost.has(output.name ?? ''));
  if (missing !== undefined)
    throw new ModelLoadError(
      file,
      `output "${missing.output.name}" can not be had without ${[...features].join(', ')}, in a way that is not known here; take an export whose ` +
        'embedding takes input_ids alone.',
    );
  const parts: Uint8Array[] = [];
  for (const { number, start, valueStart, end } of protoFields(graphBytes)) {
    const value = graphBytes.subarray(valueStart, end);
    if (number === NODE) {
      const instead = rows.nodes.get(NodeProto.decode(value).output?.[0] ?? '');
      if (instead !== null) parts.push(...encodedField(NODE, renamedNode(instead ?? value, names)));
    }
    if (number === INITIALIZER) {
      const name = names.get(TensorProto.decode(value).name ?? '');
      parts.push(...encodedField(INITIALIZER, name === undefined ? value : renamedTensor(value, name)));
    }
    if (number !== INPUT) continue;
    const { name } = ValueInfoProto.decode(value);
    if (inputs.has(name ?? '') && !shared.has(name ?? '') && !features.has(name ?? ''))
      parts.push(graphBytes.subarray(start, end));
  }
  for (const { output, input } of connections)
    if (typeOf(output) !== typeOf(input))
      parts.push(...encodedField(NODE, cast(names.get(output.name ?? '') ?? '', input.name ?? '', typeOf(input))));
  return parts;
}

/** The decoder's part: all of it but the inputs that are values now. */
function decoderFields({ graphBytes }: ModelBytes, connections: readonly Connection[]): Uint8Array[] {
  const connected = new Set(connections.map(({ input }) => input.name));
  return [...protoFields(graphBytes)].flatMap(({ number, start, valueStart, end }) => {
    if (number === INPUT && connected.has(ValueInfoProto.decode(graphBytes.subarray(valueStart, end)).name ?? ''))
      return [];
    return [graphBytes.subarray(start, end)];
  });
}

/** What values of the embedding are called in the joined graph, where it is something else. */
function namesFor(
  graph: Graph,
  decoder: Graph,
  inputs: ReadonlySet<string>,
  connections: readonly Connection[],
): Map<string, string> {
  const taken = namesIn(decoder);
  const names = new Map<string, string>();
  for (const name of namesIn(graph))
    if (name !== '' && taken.has(name) && !inputs.has(name)) names.set(name, PREFIX + name);
  for (const { output, input } of connections) {
    const [given, wanted] = [output.name ?? '', input.name ?? ''];
    if (typeOf(output) !== typeOf(input)) names.set(given, PREFIX + given);
    else if (given === wanted) names.delete(given);
    else names.set(given, wanted);
  }
  return names;
}

/** Of everything in a graph that has one, branches too. */
function namesIn({ input, initializer, node }: Graph): Set<string> {
  const ofNodes = (nodes: readonly Node[]): string[] =>
    nodes.flatMap(({ input: read, output, attribute }) => [
      ...(read ?? []),
      ...(output ?? []),
      ...(attribute ?? []).flatMap(({ g }) => (g ? [...namesIn(g)] : [])),
    ]);
  return new Set([...[...(input ?? []), ...(initializer ?? [])].map(({ name }) => name ?? ''), ...ofNodes(node ?? [])]);
}

function renamedNode(encoded: Uint8Array, names: ReadonlyMap<string, string>): Uint8Array {
  const node = NodeProto.decode(encoded);
  return renameValues(node, names) ? NodeProto.encode(node).finish() : encoded;
}

function renamedTensor(tensor: Uint8Array, name: string): Uint8Array {
  const others = [...protoFields(tensor)].filter(({ number }) => number !== TENSOR_NAME);
  const parts = others.map(({ start, end }) => tensor.subarray(start, end));
  return Buffer.concat([...parts, ...encodedField(TENSOR_NAME, Buffer.from(name))]);
}

function cast(from: string, to: string, type: number): Uint8Array {
  const attribute = [{ name: 'to', i: type, type: AttributeProto.AttributeType.INT }];
  return NodeProto.encode({ opType: 'Cast', name: to, input: [from], output: [to], attribute }).finish();
}
