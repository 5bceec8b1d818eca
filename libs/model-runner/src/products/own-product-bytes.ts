import type { Graph, Node } from '../signature/value-info.ts';
import { blockProductNodes } from './block-product-nodes.ts';
import { formWords, productLibrary } from './product-library.ts';

/** The nodes that the library computes here, each with the bytes of its packed weights; none where there is no library. */
export function ownProductBytes(graph: Graph): ReadonlyMap<Node, number> {
  const library = productLibrary();
  if (typeof library === 'string') return new Map();
  return new Map(
    blockProductNodes(graph).map(({ node, form }) => [node, Number(library.packedBytes(formWords(form)))]),
  );
}
