import type { Graph } from './value-info.ts';

/** Operators whose input of this index is a [positions, …] table of cosines. */
const COSINE_TABLES: Readonly<Record<string, number>> = { GroupQueryAttention: 7, RotaryEmbedding: 2 };

/** Rows of the shortest rotary table that the graph holds as a constant; null when it holds none. */
export function cosineRows(graph: Graph): number | null {
  const initializers = new Map((graph.initializer ?? []).map((tensor) => [tensor.name, tensor]));
  let fewest: number | null = null;
  for (const node of graph.node ?? []) {
    const table = initializers.get(node.input?.[COSINE_TABLES[node.opType ?? ''] ?? -1] ?? '');
    const rows = table?.dims?.[0];
    if (rows != null) fewest = Math.min(fewest ?? Number.POSITIVE_INFINITY, Number(rows));
  }
  return fewest;
}

/**
 * Length of the shorter of two rotary tables, where the graph chooses between them by the longest row of a step (LongRoPE);
 * beyond it the keys that are cached and the rows of a batch would be turned by different tables. Null with one table, 0
 * where the tables' lengths cannot be read.
 */
export function shortRotaryRows(graph: Graph): number | null {
  const choices = (graph.node ?? []).filter(({ opType }) => opType === 'If');
  const read = new Set((graph.node ?? []).map((node) => node.input?.[COSINE_TABLES[node.opType ?? ''] ?? -1] ?? ''));
  const choice = choices.find(({ output }) => output?.some((name) => read.has(name)));
  if (choice === undefined) return null;
  const branches = (choice.attribute ?? []).flatMap(({ g }) => (g ? [g] : []));
  const tables = branches.flatMap(({ initializer, node }) => [
    ...(initializer ?? []),
    ...(node ?? []).flatMap(({ attribute }) => (attribute ?? []).flatMap(({ t }) => (t ? [t] : []))),
  ]);
  const rows = tables.filter(({ dims }) => dims?.length === 2).map(({ dims }) => Number(dims?.[0]));
  return rows.length === 0 ? 0 : Math.min(...rows);
}

/** True where activations are quantized with one scale for all rows of a step, so that a row's result depends on the others. */
export function sharesActivationScales(graph: Graph): boolean {
  return (graph.node ?? []).some(
    ({ opType }) => opType === 'DynamicQuantizeLinear' || opType === 'DynamicQuantizeMatMul',
  );
}

/** The widest sliding window of the graph's attention in tokens, null where every layer sees the whole past. */
export function slidingWindow(graph: Graph): number | null {
  const windows = (graph.node ?? [])
    .filter(({ opType }) => opType === 'GroupQueryAttention')
    .map(({ attribute }) => Number(attribute?.find(({ name }) => name === 'local_window_size')?.i ?? -1))
    .filter((window) => window > 0);
  return windows.length === 0 ? null : Math.max(...windows);
}

/** True where sliding-window layers overwrite the oldest tokens of a cache of the window's size. */
export function keepsRings(graph: Graph): boolean {
  return (graph.node ?? []).some(({ attribute }) =>
    attribute?.some(({ name, i }) => name === 'sliding_window_cache' && Number(i ?? 0) === 1),
  );
}
