import { readFile, stat } from 'node:fs/promises';
import onnxProto from 'onnx-proto';
import type { ChangedModel, SessionOptions } from '../binding/session-binding.ts';
import { GRAPH, INITIALIZER, NODE, OPSET_IMPORT } from '../edits/onnx-fields.ts';
import { encodedField, protoFields } from '../edits/proto-fields.ts';
import { ModelLoadError } from '../model-load-error.ts';
import { inputsOf, outputsOf } from '../parts/layer-cuts.ts';
import { MOST_BYTES_CHANGED } from '../signature/inspect-model.ts';
import type { Graph, Node } from '../signature/value-info.ts';
import { type BlockProductNode, blockProductNodes } from './block-product-nodes.ts';
import { PackedProducts } from './packed-products.ts';
import { type MatrixForm, productLibrary } from './product-library.ts';

const { AttributeProto, GraphProto, NodeProto, OperatorSetIdProto, TensorProto } = onnxProto.onnx;
const DOMAIN = 'millrace';

/** A model with the library's products, whose weights are packed: for who releases `products` when sessions have it. */
export interface ModelWithProducts extends ChangedModel {
  readonly products: PackedProducts;
}

/**
 * The model with the library's products in the place of those MatMulNBits nodes that it can compute. What is changed is written anew,
 * everything else is copied byte by byte; what nobody reads any more is left out.
 * @returns null where it stays as it is: there is no library here, or no such node
 * @throws ModelLoadError
 */
export async function withProducts(model: SessionOptions['model']): Promise<ModelWithProducts | null> {
  const library = productLibrary();
  if (typeof library === 'string' || model instanceof Uint8Array) return null;
  if (typeof model === 'string' && (await stat(model)).size > MOST_BYTES_CHANGED) return null;
  const { file, bytes } = typeof model === 'string' ? { file: model, bytes: await readFile(model) } : model;
  const graphField = [...protoFields(bytes)].find(({ number }) => number === GRAPH);
  if (graphField === undefined) return null;
  const graphBytes = bytes.subarray(graphField.valueStart, graphField.end);
  const graph = GraphProto.decode(graphBytes);
  const nodes = blockProductNodes(graph);
  if (nodes.length === 0) return null;
  const products = await PackedProducts.pack(library, file, nodes).catch((cause: unknown) => {
    throw new ModelLoadError(file, `its weights can not be packed: ${(cause as Error).message}.`, { cause });
  });
  const parts = [...protoFields(bytes)].flatMap(({ number, start, end }) =>
    number === GRAPH ? encodedField(GRAPH, changedGraph(graphBytes, graph, products)) : [bytes.subarray(start, end)],
  );
  parts.push(...encodedField(OPSET_IMPORT, OperatorSetIdProto.encode({ domain: DOMAIN, version: 1 }).finish()));
  return { file, bytes: Buffer.concat(parts), products };
}

function changedGraph(bytes: Uint8Array, graph: Graph, products: PackedProducts): Uint8Array {
  const replaced = new Map([...products.nodes].map((product) => [product.node.output?.[0] ?? '', product]));
  const read = namesRead(graph, (node) => replaced.has(node.output?.[0] ?? ''));
  const parts: Uint8Array[] = [];
  for (const { number, start, valueStart, end } of protoFields(bytes)) {
    const value = bytes.subarray(valueStart, end);
    if (number === INITIALIZER && !read.has(TensorProto.decode(value).name ?? '')) continue;
    const outputs = number === NODE ? outputsOf(NodeProto.decode(value)) : [];
    if (number === NODE && !outputs.some((name) => read.has(name))) continue;
    const product = replaced.get(outputs[0] ?? '');
    if (product === undefined) parts.push(bytes.subarray(start, end));
    else parts.push(...encodedField(NODE, productNode(product, products.address(product))));
  }
  return Buffer.concat(parts);
}

/** What the graph's outputs need, when products read nothing but their first input. Nodes stand in order. */
function namesRead({ node, output }: Graph, isProduct: (node: Node) => boolean): ReadonlySet<string> {
  const read = new Set((output ?? []).map(({ name }) => name ?? ''));
  for (const one of (node ?? []).toReversed()) {
    if (!outputsOf(one).some((name) => read.has(name))) continue;
    for (const name of isProduct(one) ? inputsOf(one).slice(0, 1) : inputsOf(one)) read.add(name);
  }
  return read;
}

function productNode({ node, form }: BlockProductNode, address: bigint): Uint8Array {
  const attribute = Object.entries(attributesOf(form, address)).map(([name, i]) => ({
    name,
    i,
    type: AttributeProto.AttributeType.INT,
  }));
  const { name, input, output } = node;
  return NodeProto.encode({
    name,
    opType: 'BlockProduct',
    domain: DOMAIN,
    input: (input ?? []).slice(0, 1),
    output,
    attribute,
  }).finish();
}

function attributesOf(form: MatrixForm, address: bigint): Record<string, number> {
  return {
    // Addresses of processes are below 2^53.
    address: Number(address),
    K: form.inputs,
    N: form.outputs,
    bits: form.bits,
    spread: Number(form.spread),
    half_scales: Number(form.halfScales),
    zero_points: Number(form.zeroPoints),
  };
}
