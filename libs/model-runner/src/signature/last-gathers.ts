import { inputsOf, outputsOf } from '../parts/layer-cuts.ts';
import { attentionLayer } from './graph-traits.ts';
import { type Graph, integerAttribute, type Node } from './value-info.ts';

/** Shape of the indices, [batch, 1, 1], in the folders that we make (`models import`, tools/models). */
const INDEX_SHAPE = 'last_index_shape';
const INDEX_INPUT = 1;

/** GatherND nodes that leave each row's last position of [batch, sequence, hidden]. */
export interface LastGathers {
  /** What they give. */
  readonly outputs: readonly string[];
  /** First outputs of the nodes that make their indices and nothing else. */
  readonly between: readonly string[];
}

/** Those behind the last attention, as the folders that we make have them; null in other graphs. */
export function lastGathers(graph: Graph): LastGathers | null {
  const nodes = graph.node ?? [];
  const indices = new Set(
    nodes
      .filter(({ opType, input }) => opType === 'Reshape' && input?.[1] === INDEX_SHAPE)
      .flatMap(({ output }) => output ?? []),
  );
  const at = nodes.findLastIndex((node) => attentionLayer(node) !== null);
  const gathers = nodes
    .slice(at + 1)
    .filter((node) => node.opType === 'GatherND' && indices.has(node.input?.[INDEX_INPUT] ?? ''))
    .filter((node) => integerAttribute(node, 'batch_dims') === 1);
  if (gathers.length === 0) return null;
  return { outputs: gathers.map(({ output }) => output?.[0] ?? ''), between: madeForIndices(graph, gathers) };
}

/** Nodes stand in order, so whoever reads a value is seen before the one that makes it. */
function madeForIndices(graph: Graph, gathers: readonly Node[]): string[] {
  const outputs = new Set((graph.output ?? []).map(({ name }) => name));
  /** Values that some node reads for indices alone, and those that are read otherwise as well. */
  const [forIndices, needed] = [new Set<string>(), new Set<string>()];
  const between: string[] = [];
  for (const node of (graph.node ?? []).toReversed()) {
    const made = outputsOf(node);
    const isBetween =
      made.some((name) => forIndices.has(name)) && !made.some((name) => needed.has(name) || outputs.has(name));
    if (isBetween) between.push(made[0] ?? '');
    const index = gathers.includes(node) ? node.input?.[INDEX_INPUT] : undefined;
    for (const name of inputsOf(node)) (isBetween || name === index ? forIndices : needed).add(name);
  }
  return between;
}
