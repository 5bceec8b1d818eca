import onnxProto from 'onnx-proto';
import type { CpuChoices, KvType } from '#contracts';
import { encodedField, GRAPH, INITIALIZER, INPUT, NODE, OPSET_IMPORT, OUTPUT, protoFields } from '#onnx-file';
import type { ChangedModel } from '../binding/session-binding.ts';
import { ONNX_FLOAT16, ONNX_FLOAT32, ONNX_UINT8 } from '../element-type.ts';
import { ModelLoadError } from '../model-load-error.ts';
import { inputsOf, outputsOf } from '../parts/layer-cuts.ts';
import { ownTokenLength } from '../runners/kv-layout.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { Graph } from '../signature/value-info.ts';
import { attentionNodes, ownAttention } from './attention-nodes.ts';
import { blockProductNodes, ownProduct } from './block-product-nodes.ts';
import { ownCacheType } from './own-cache-type.ts';
import { DOMAIN, encodedNode, type OwnNode } from './own-node.ts';
import { PackedProducts } from './packed-products.ts';
import { productLibrary } from './product-library.ts';

const { GraphProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto } = onnxProto.onnx;

const ONNX_TYPES = { float32: ONNX_FLOAT32, float16: ONNX_FLOAT16, int8: ONNX_UINT8 } as const;

/** A model with the library's operators, whose weights are packed: for who releases `products` when sessions have it. */
export interface ModelWithProducts extends ChangedModel {
  readonly products: PackedProducts;
  /** What caches are where all layers' attention is the library's; null where none's is. */
  readonly ownCache: KvType | null;
}

/**
 * The model with the library's operators in the place of those MatMulNBits and GroupQueryAttention nodes that it can compute. What is changed is written anew,
 * everything else is copied byte by byte; what nobody reads any more is left out.
 * @param kvType what keys and values become where attention is the library's; null leaves attention as it is
 * @returns null where it stays as it is: there is no library here, or no such node
 * @throws ModelLoadError
 */
export async function withProducts(
  { file, bytes }: ChangedModel,
  caches: Pick<ModelSignature, 'cache' | 'headSize'>,
  kvType: CpuChoices['kvType'] | null,
): Promise<ModelWithProducts | null> {
  const library = productLibrary();
  if (typeof library === 'string') return null;
  const graphField = [...protoFields(bytes)].find(({ number }) => number === GRAPH);
  if (graphField === undefined) return null;
  const graphBytes = bytes.subarray(graphField.valueStart, graphField.end);
  const graph = GraphProto.decode(graphBytes);
  const nodes = blockProductNodes(graph);
  const ownCache = kvType === null ? null : ownCacheType(graph, caches, kvType);
  const attention = ownCache === null ? [] : attentionNodes(graph, caches.headSize);
  if (nodes.length === 0 && attention.length === 0) return null;
  const products = await PackedProducts.pack(library, file, nodes).catch((cause: unknown) => {
    throw new ModelLoadError(file, `its weights can not be packed: ${(cause as Error).message}.`, { cause });
  });
  const own = [
    ...Array.from(products.nodes, (product) => ownProduct(product, products.address(product))),
    ...attention.map((node) => ownAttention(node, ownCache ?? 'float32')),
  ];
  const changed = ownCache === null ? new Map<string, Uint8Array>() : ownCaches(graph, caches, ownCache);
  const parts = [...protoFields(bytes)].flatMap(({ number, start, end }) =>
    number === GRAPH
      ? encodedField(GRAPH, changedGraph(graphBytes, graph, own, changed))
      : [bytes.subarray(start, end)],
  );
  parts.push(...encodedField(OPSET_IMPORT, OperatorSetIdProto.encode({ domain: DOMAIN, version: 1 }).finish()));
  return { file, bytes: Buffer.concat(parts), products, ownCache };
}

/** The caches' inputs and outputs as the library's attention has them, encoded, by name. */
function ownCaches(
  { input, output }: Graph,
  { cache, headSize }: Pick<ModelSignature, 'cache' | 'headSize'>,
  type: KvType,
): ReadonlyMap<string, Uint8Array> {
  const names = new Set(cache.flatMap(({ past, present }) => [past, present]));
  const infos = [...(input ?? []), ...(output ?? [])].filter(({ name }) => names.has(name ?? ''));
  return new Map(
    infos.map((info) => {
      const dim = [
        ...(info.type?.tensorType?.shape?.dim ?? []).slice(0, -1),
        { dimValue: ownTokenLength(type, headSize) },
      ];
      const tensorType = { elemType: ONNX_TYPES[type], shape: { dim } };
      return [info.name ?? '', ValueInfoProto.encode({ ...info, type: { tensorType } }).finish()];
    }),
  );
}

function changedGraph(
  bytes: Uint8Array,
  graph: Graph,
  own: readonly OwnNode[],
  caches: ReadonlyMap<string, Uint8Array>,
): Uint8Array {
  const replaced = new Map(own.map((one) => [one.node.output?.[0] ?? '', one]));
  const read = namesRead(graph, replaced);
  const parts: Uint8Array[] = [];
  for (const { number, start, valueStart, end } of protoFields(bytes)) {
    const value = bytes.subarray(valueStart, end);
    if (number === INITIALIZER && !read.has(TensorProto.decode(value).name ?? '')) continue;
    const cache =
      number === INPUT || number === OUTPUT ? caches.get(ValueInfoProto.decode(value).name ?? '') : undefined;
    if (cache !== undefined) {
      parts.push(...encodedField(number, cache));
      continue;
    }
    const outputs = number === NODE ? outputsOf(NodeProto.decode(value)) : [];
    if (number === NODE && !outputs.some((name) => read.has(name))) continue;
    const ownNode = replaced.get(outputs[0] ?? '');
    if (ownNode === undefined) parts.push(bytes.subarray(start, end));
    else parts.push(...encodedField(NODE, encodedNode(ownNode)));
  }
  return Buffer.concat(parts);
}

/** What the graph's outputs need. Nodes stand in order. */
function namesRead({ node, output }: Graph, replaced: ReadonlyMap<string, OwnNode>): ReadonlySet<string> {
  const read = new Set((output ?? []).map(({ name }) => name ?? ''));
  for (const one of (node ?? []).toReversed()) {
    if (!outputsOf(one).some((name) => read.has(name))) continue;
    for (const name of replaced.get(one.output?.[0] ?? '')?.input ?? inputsOf(one)) read.add(name);
  }
  return read;
}
