import { attentionLayer } from './graph-traits.ts';
import type { Graph, Node } from './value-info.ts';

/** Where a graph that gives every position's logits can go on with each row's last position only. */
export interface LastPosition {
  /** Values of [batch, sequence, hidden] of which only the last position is needed. */
  readonly values: readonly string[];
  /** First outputs of the nodes that read these values and need no other position of them, in the graph's order. */
  readonly readers: readonly string[];
}

/** Operators that leave each position's logits where they are. */
const POINTWISE = new Set(['Identity', 'Cast', 'Add', 'Mul', 'Div', 'Tanh']);
const PRODUCTS = new Set(['MatMul', 'MatMulNBits']);
const NORMS = new Set([
  'SimplifiedLayerNormalization',
  'LayerNormalization',
  'SkipSimplifiedLayerNormalization',
  'SkipLayerNormalization',
]);
/** Of a layer behind its attention, beside products and norms: each position for itself. */
const POSITIONWISE = new Set([...POINTWISE, 'Sub', 'Sigmoid', 'Gelu', 'FastGelu', 'QuickGelu', 'Relu']);
/** What the last layer takes over besides its attention comes from these: the residual stream, or a norm of it. */
const CARRIERS = new Set([...NORMS, 'Add']);

/**
 * Behind the last attention nothing looks at other positions, so its products, the norms and the head need the last one only; where the
 * graph is not known so well, the product with the vocabulary alone. Null where even that is done in another way.
 */
export function lastPosition(graph: Graph): LastPosition | null {
  const fixed = constants(graph);
  const product = vocabularyProduct(graph, fixed);
  if (product === null) return null;
  const node = (graph.node ?? []).find(({ output }) => output?.includes(product));
  return behindAttention(graph, product, fixed) ?? { values: [node?.input?.[0] ?? ''], readers: [product] };
}

/** Null unless all that hangs on the last attention is known to treat each position for itself. */
function behindAttention(graph: Graph, product: string, fixed: ReadonlySet<string>): LastPosition | null {
  const nodes = graph.node ?? [];
  const at = nodes.findLastIndex((node) => attentionLayer(node) !== null);
  const attended = nodes[at]?.output?.[0];
  if (attended === undefined) return null;
  // What is made behind the attention and does not hang on it is not looked into: it may not be read here.
  const carriers = nodes.slice(0, at).filter(({ opType }) => CARRIERS.has(opType ?? ''));
  const carried = new Set([attended, ...carriers.flatMap(({ output }) => output ?? [])]);
  const tail = new Set([attended]);
  const values = new Set([attended]);
  const readers: string[] = [];
  for (const node of nodes.slice(at + 1)) {
    const inputs = (node.input ?? []).filter((name) => name !== '' && !fixed.has(name));
    if (!inputs.some((name) => tail.has(name))) continue;
    const others = inputs.filter((name) => !tail.has(name) || name === attended);
    if (!isPositionwise(node, fixed) || !others.every((name) => carried.has(name))) return null;
    for (const name of others) values.add(name);
    if (others.length > 0) readers.push(node.output?.[0] ?? '');
    for (const name of node.output ?? []) if (name !== '') tail.add(name);
  }
  return tail.has(product) ? { values: [...values], readers } : null;
}

function isPositionwise(node: Node, fixed: ReadonlySet<string>): boolean {
  const { opType = '', input = [] } = node;
  if (opType === 'MatMul') return fixed.has(input?.[1] ?? '');
  if (opType === 'Split') return node.attribute?.some(({ name, i }) => name === 'axis' && Number(i) === -1) ?? false;
  return opType === 'MatMulNBits' || NORMS.has(opType ?? '') || POSITIONWISE.has(opType ?? '');
}

/** Names of what depends on the file alone. */
function constants(graph: Graph): Set<string> {
  const fixed = new Set((graph.initializer ?? []).map(({ name }) => name ?? ''));
  for (const { input, output, attribute } of graph.node ?? []) {
    if (attribute?.some(({ g }) => g) || !(input ?? []).every((name) => name === '' || fixed.has(name))) continue;
    for (const name of output ?? []) fixed.add(name);
  }
  return fixed;
}

/**
 * The output of the node that multiplies the hidden states, [batch, sequence, hidden], with the vocabulary's weights, when nothing
 * behind it mixes positions; null where the graph does it in another way.
 */
function vocabularyProduct(graph: Graph, fixed: ReadonlySet<string>): string | null {
  const producers = new Map((graph.node ?? []).flatMap((node) => (node.output ?? []).map((name) => [name, node])));
  const isComputed = (name: string) => name !== '' && !fixed.has(name);
  let name = 'logits';
  for (let node = producers.get(name); node !== undefined; node = producers.get(name)) {
    if (PRODUCTS.has(node.opType ?? '')) return isComputed(node.input?.[0] ?? '') ? name : null;
    const inputs = (node.input ?? []).filter(isComputed);
    if (!POINTWISE.has(node.opType ?? '') || inputs.length !== 1) return null;
    name = inputs[0];
  }
  return null;
}
