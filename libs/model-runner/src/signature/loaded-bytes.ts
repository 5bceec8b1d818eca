import { type Graph, integerAttribute, type Node } from './value-info.ts';

/** By ONNX's TensorProto.DataType numbers; 4 bits are held as bytes. */
const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  2: 1,
  3: 1,
  4: 2,
  5: 2,
  7: 8,
  9: 1,
  10: 2,
  11: 8,
  12: 4,
  13: 8,
  16: 2,
};
const FLOAT_BYTES = 4;

/** A value that is the same in every run: an initializer, or what follows from them alone. */
interface Constant {
  readonly elements: number;
  readonly elementBytes: number;
}

/** Which of a node's inputs is packed for its kernel, and the bytes that this takes. The constant itself is freed when nobody else reads it. */
type Packing = (node: Node, weights: Constant) => number;

const PACKINGS: Readonly<Record<string, Packing>> = {
  MatMulNBits: blockBytes,
  MatMul: (_, { elements }) => elements * FLOAT_BYTES,
  FusedMatMul: (_, { elements }) => elements * FLOAT_BYTES,
  Gemm: (_, { elements }) => elements * FLOAT_BYTES,
  MatMulInteger: (_, { elements }) => elements,
  MatMulIntegerToFloat: (_, { elements }) => elements,
  DynamicQuantizeMatMul: (_, { elements }) => elements,
};
const PACKED_INPUT = 1;

/**
 * What ONNX Runtime's CPU kernels hold of a graph's weights once it is loaded. It is not what the file has: blocks of few bits are packed
 * with their scales and sums in float32 beside them, and their scales are kept as well; halves are widened; an embedding that is the head
 * too is held twice; 4 bits that the graph makes 8 of (the shipped model) are held as 8. As MLAS packs on x64; elsewhere it is less.
 * @param own nodes whose weights our library has packed, and the bytes that it holds of each
 */
export function loadedBytes(graph: Graph, own: ReadonlyMap<Node, number> = new Map()): number {
  const constants = new Map<string, Constant>();
  for (const { name, dims, dataType } of graph.initializer ?? []) {
    const elements = (dims ?? []).reduce<number>((product, size) => product * Number(size), 1);
    constants.set(name ?? '', { elements, elementBytes: ELEMENT_BYTES[dataType ?? 0] ?? FLOAT_BYTES });
  }
  const held = new Set<string>();
  let packedBytes = 0;
  for (const node of nodesInOrder(graph.node ?? [])) {
    const inputs = (node.input ?? []).filter((name) => name !== '');
    const known = inputs.flatMap((name) => constants.get(name) ?? []);
    if (inputs.length > 0 && known.length === inputs.length) {
      for (const name of node.output ?? []) constants.set(name, folded(node, known));
      continue;
    }
    const ownBytes = own.get(node);
    if (ownBytes !== undefined) {
      packedBytes += ownBytes;
      continue;
    }
    const packing = PACKINGS[node.opType ?? ''];
    const weights = packing === undefined ? undefined : constants.get(node.input?.[PACKED_INPUT] ?? '');
    if (packing !== undefined && weights !== undefined) packedBytes += packing(node, weights);
    for (const [index, name] of (node.input ?? []).entries())
      if (constants.has(name) && !(weights !== undefined && index === PACKED_INPUT)) held.add(name);
  }
  return [...held].reduce((sum, name) => {
    const { elements, elementBytes } = constants.get(name) ?? { elements: 0, elementBytes: 0 };
    return sum + elements * elementBytes;
  }, packedBytes);
}

/** Blocks of few bits, for each a scale and a sum in float32. */
function blockBytes(node: Node): number {
  const [columns, rows, bits, block] = ['K', 'N', 'bits', 'block_size'].map(
    (name) => integerAttribute(node, name) ?? 0,
  );
  const blocks = rows * Math.ceil(columns / block);
  return (blocks * block * (bits || 4)) / 8 + blocks * 2 * FLOAT_BYTES;
}

function folded(node: Node, inputs: readonly Constant[]): Constant {
  const sizes = inputs.map(({ elements }) => elements);
  const elements = node.opType === 'Concat' ? sizes.reduce((sum, size) => sum + size, 0) : Math.max(...sizes);
  const castTo = node.opType === 'Cast' ? integerAttribute(node, 'to') : null;
  const largest = inputs.find((input) => input.elements === Math.max(...sizes));
  const elementBytes =
    castTo === null ? (largest?.elementBytes ?? FLOAT_BYTES) : (ELEMENT_BYTES[castTo] ?? FLOAT_BYTES);
  return { elements, elementBytes };
}

/** Those of branches where the node stands that has them. */
function* nodesInOrder(nodes: readonly Node[]): Generator<Node> {
  for (const node of nodes) {
    for (const { g } of node.attribute ?? []) yield* nodesInOrder(g?.node ?? []);
    yield node;
  }
}
