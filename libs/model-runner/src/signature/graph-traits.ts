import { type Graph, integerAttribute, type Node } from './value-info.ts';

/** Operators whose input of this index is a [positions, …] table of cosines. */
const COSINE_TABLES: Readonly<Record<string, number>> = { GroupQueryAttention: 7, RotaryEmbedding: 2 };
const PAST_KEY_INPUT = 3;
/** Of our library's operator, which takes the other's place as a model is loaded. */
const OWN_PAST_KEY_INPUT = 1;

/** Rows of the shortest rotary table that the graph holds as a constant; null when it holds none. */
export function cosineRows(graph: Graph): number | null {
  const initializers = new Map((graph.initializer ?? []).map((tensor) => [tensor.name, tensor]));
  let fewest: number | null = null;
  for (const node of graph.node ?? []) {
    const table = initializers.get(cosineTable(node));
    const rows = table?.dims?.[0];
    if (rows != null) fewest = Math.min(fewest ?? Number.POSITIVE_INFINITY, Number(rows));
  }
  return fewest;
}

/** Two rotary tables between which a graph chooses by the longest row of a step. */
export interface RotaryChoice {
  /** Positions in each; 0 where they cannot be read. */
  readonly shortRows: number;
  readonly longRows: number;
  /** An output of the If that chooses. */
  readonly output: string;
  /** What its condition is for the longer table. */
  readonly longCondition: boolean;
}

/**
 * The choice of LongRoPE; null with one table. Beyond the shorter table the keys that are cached and the rows of a batch
 * would be turned by different ones.
 */
export function rotaryChoice(graph: Graph): RotaryChoice | null {
  const read = new Set((graph.node ?? []).map(cosineTable));
  for (const node of graph.node ?? []) {
    const output = node.opType === 'If' ? node.output?.find((name) => read.has(name)) : undefined;
    if (output === undefined) continue;
    const rows = (branch: string) =>
      tableRows((node.attribute ?? []).find(({ name }) => name === branch)?.g ?? { node: [], initializer: [] });
    const [whenTrue, whenFalse] = [rows('then_branch'), rows('else_branch')];
    const longCondition = whenTrue >= whenFalse;
    return { shortRows: Math.min(whenTrue, whenFalse), longRows: Math.max(whenTrue, whenFalse), output, longCondition };
  }
  return null;
}

/** Rows of the matrices that a branch gives; 0 without one. */
function tableRows({ initializer, node }: Graph): number {
  const constants = (node ?? []).flatMap(({ attribute }) => (attribute ?? []).flatMap(({ t }) => (t ? [t] : [])));
  const tables = [...(initializer ?? []), ...constants].filter(({ dims }) => dims?.length === 2);
  return tables.length === 0 ? 0 : Math.min(...tables.map(({ dims }) => Number(dims?.[0])));
}

/** True where activations are quantized with one scale for all rows of a step, so that a row's result depends on the others. */
export function sharesActivationScales(graph: Graph): boolean {
  return allNodes(graph).some(({ opType }) => opType === 'DynamicQuantizeLinear' || opType === 'DynamicQuantizeMatMul');
}

/** True where the rows that chose the same expert are multiplied together, whose number changes the bits of each. */
export function mixesExperts(graph: Graph): boolean {
  return allNodes(graph).some(({ opType }) => opType === 'MoE' || opType === 'QMoE');
}

/** The widest sliding window of the graph's attention in tokens, null where every layer sees the whole past. */
export function slidingWindow(graph: Graph): number | null {
  const windows = (graph.node ?? [])
    .filter((node) => attentionLayer(node) !== null)
    .map((node) => integerAttribute(node, 'local_window_size') ?? -1)
    .filter((window) => window > 0);
  return windows.length === 0 ? null : Math.max(...windows);
}

/** True where sliding-window layers overwrite the oldest tokens of a cache of the window's size. */
export function keepsRings(graph: Graph): boolean {
  return (graph.node ?? []).some((node) => integerAttribute(node, 'sliding_window_cache') === 1);
}

/** The layer of a node of attention over a cache by the cache it reads, −1 where its name does not tell; null for other nodes. */
export function attentionLayer(node: Node): number | null {
  const isOwn = node.domain === 'millrace' && node.opType?.startsWith('Attention') === true;
  if (node.opType !== 'GroupQueryAttention' && !isOwn) return null;
  return Number(/\.(\d+)\./.exec(node.input?.[isOwn ? OWN_PAST_KEY_INPUT : PAST_KEY_INPUT] ?? '')?.[1] ?? -1);
}

/** Those of branches too, as merged decoders have them. */
function allNodes(graph: Graph): readonly Node[] {
  return (graph.node ?? []).flatMap((node) => [
    node,
    ...(node.attribute ?? []).flatMap(({ g }) => (g ? allNodes(g) : [])),
  ]);
}

function cosineTable(node: Node): string {
  return node.input?.[COSINE_TABLES[node.opType ?? ''] ?? -1] ?? '';
}
