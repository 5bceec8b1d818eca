import { attentionLayer } from './graph-traits.ts';
import { type Graph, integerAttribute } from './value-info.ts';

/** Shape of the indices, [batch, 1, 1], in the folders that we make (`models import`, tools/models). */
const INDEX_SHAPE = 'last_index_shape';

/**
 * The outputs of the GatherND nodes behind the last attention that leave each row's last position of [batch, sequence, hidden], as the
 * folders that we make have them; none in other graphs.
 */
export function lastGathers(graph: Graph): string[] {
  const nodes = graph.node ?? [];
  const indices = new Set(
    nodes
      .filter(({ opType, input }) => opType === 'Reshape' && input?.[1] === INDEX_SHAPE)
      .flatMap(({ output }) => output ?? []),
  );
  const at = nodes.findLastIndex((node) => attentionLayer(node) !== null);
  return nodes
    .slice(at + 1)
    .filter((node) => node.opType === 'GatherND' && indices.has(node.input?.[1] ?? ''))
    .filter((node) => integerAttribute(node, 'batch_dims') === 1)
    .map(({ output }) => output?.[0] ?? '');
}
