import { inputsOf, outputsOf } from '../parts/layer-cuts.ts';
import type { Graph, Node } from './value-info.ts';

/** Of GroupQueryAttention's inputs, those that tell how long rows are. */
const SEQLENS_K_INPUT = 5;
const TOTAL_INPUT = 6;
const MASK = 'attention_mask';

/** What a graph makes of its mask when all that it wants to know is how long rows are. Values are named as in the graph. */
export interface MaskLengths {
  /** [batch] int32: ReduceSum, Sub and Cast of the mask. */
  readonly seqlensK: string;
  /** int32, of `rank` 0 or 1: Shape, Gather and Cast of the mask. */
  readonly total: string;
  readonly rank: 0 | 1;
  /** The same in int64, before the Cast, where others read that; null where nobody does. */
  readonly longTotal: string | null;
  /** First outputs of the nodes that are not needed when both are given. */
  readonly between: readonly string[];
}

/** Null where the mask is read in another way as well, or not by GroupQueryAttention. */
export function maskLengths(graph: Graph): MaskLengths | null {
  const nodes = graph.node ?? [];
  const attentions = nodes.filter(({ opType }) => opType === 'GroupQueryAttention');
  const seqlensK = attentions[0]?.input?.[SEQLENS_K_INPUT] ?? '';
  const total = attentions[0]?.input?.[TOTAL_INPUT] ?? '';
  const alike = attentions.every(
    ({ input }) => input?.[SEQLENS_K_INPUT] === seqlensK && input?.[TOTAL_INPUT] === total,
  );
  if (!alike || seqlensK === '' || total === '' || namesTaken(graph, seqlensK, total)) return null;

  const lengths = chain(nodes, seqlensK, ['Cast', 'Sub', 'ReduceSum']);
  const width = chain(nodes, total, ['Cast', 'Gather', 'Shape']);
  if (lengths === null || width === null) return null;
  const [, difference, ones] = lengths;
  const [, gather, shape] = width;
  const read = (name: string) => nodes.filter((node) => inputsOf(node).includes(name)).length;
  const outputs = new Set((graph.output ?? []).map(({ name }) => name));
  const inner = [MASK, ...[difference, ones, shape].flatMap(outputsOf)];
  // The mask is read twice, by both chains, and what is in them by the next node only.
  if (read(MASK) !== 2 || inner.slice(1).some((name) => read(name) !== 1 || outputs.has(name))) return null;
  const [long = ''] = outputsOf(gather);
  if (outputs.has(long)) return null;
  const isLongRead = read(long) > 1;
  return {
    seqlensK,
    total,
    rank: indexRank(graph, gather),
    longTotal: isLongRead ? long : null,
    between: [...inner.slice(1), ...(isLongRead ? [] : [long])],
  };
}

/** The nodes that make a value, from the last to the one that reads the mask. */
function chain(
  nodes: readonly Node[],
  value: string,
  opTypes: readonly [string, string, string],
): readonly [Node, Node, Node] | null {
  const found: Node[] = [];
  let name = value;
  for (const opType of opTypes) {
    const node = nodes.find(({ output }) => output?.[0] === name);
    if (node?.opType !== opType) return null;
    found.push(node);
    name = node.input?.[0] ?? '';
  }
  const [last, middle, first] = found;
  return name === MASK && last && middle && first ? [last, middle, first] : null;
}

/** The inputs that take the mask's place would have the name of another value. */
function namesTaken(graph: Graph, seqlensK: string, total: string): boolean {
  const values = [...(graph.input ?? []), ...(graph.initializer ?? [])].map(({ name }) => name ?? '');
  const taken = new Set([...values, ...(graph.node ?? []).flatMap(outputsOf)]);
  const own = new Set([seqlensK, total]);
  return ['seqlens_k', 'total_sequence_length'].some((name) => taken.has(name) && !own.has(name));
}

/** Gather gives a number of its index's rank. */
function indexRank(graph: Graph, gather: Node): 0 | 1 {
  const index = gather.input?.[1];
  const initializer = (graph.initializer ?? []).find(({ name }) => name === index);
  const constant = (graph.node ?? []).find(({ output }) => output?.[0] === index)?.attribute?.[0]?.t;
  return ((initializer ?? constant)?.dims?.length ?? 0) === 0 ? 0 : 1;
}
