import { attentionLayer } from '../signature/graph-traits.ts';
import type { Graph, Node } from '../signature/value-info.ts';

/** Nodes of one part in the graph's order, and the values that it takes over from the parts before it and leaves to those behind it. */
export interface LayerPart {
  readonly nodes: readonly Node[];
  readonly takes: readonly string[];
  readonly leaves: readonly string[];
}

/** More values between two layers than a residual stream and what is added to it next: not a graph that is known here. */
const MOST_CARRIED = 3;

/**
 * Cuts a decoder between layers into `count` parts of about as many layers each. What depends on weights, masks and positions alone is
 * computed in every part that needs it; what is left to cross a cut are the hidden states.
 * Null where the graph cannot be cut so.
 */
export function layerParts(graph: Graph, count: number): LayerPart[] | null {
  const nodes = graph.node ?? [];
  const given = new Set((graph.initializer ?? []).map(({ name }) => name ?? ''));
  for (const { name } of graph.input ?? []) if (!/^(input_ids|past)/.test(name ?? '')) given.add(name ?? '');
  const producers = new Map<string, Node>();
  /** Nodes whose results are the same for all layers and cost nothing beside them. */
  const shared = new Set<Node>();
  for (const node of nodes) {
    for (const name of outputsOf(node)) producers.set(name, node);
    if (node.opType !== 'Shape' && !inputsOf(node).every((name) => given.has(name))) continue;
    shared.add(node);
    for (const name of outputsOf(node)) given.add(name);
  }
  const main = nodes.filter((node) => !shared.has(node));
  const layers = main.flatMap((node, at) => (attentionLayer(node) === null ? [] : [at]));
  if (layers.length < count || count < 2) return null;

  const lastReads = new Map<string, number>();
  main.forEach((node, at) => {
    for (const name of inputsOf(node)) lastReads.set(name, at);
  });
  /** Values that nodes before `at` make and nodes from `at` on read. */
  const carriedAt = (at: number): string[] =>
    main
      .slice(0, at)
      .flatMap(outputsOf)
      .filter((name) => (lastReads.get(name) ?? -1) >= at);
  const cuts = [0];
  for (let part = 1; part < count; part++) {
    const layer = Math.round((part * layers.length) / count);
    // Before a norm there are the residual stream and what is added to it; of several, the last before this layer's attention.
    const norms = range(layers[layer - 1] + 1, layers[layer]).filter((at) =>
      main[at].opType?.endsWith('Normalization'),
    );
    const fewest = Math.min(...norms.map((at) => carriedAt(at).length));
    const best = norms.findLast((at) => carriedAt(at).length === fewest);
    if (best === undefined || fewest > MOST_CARRIED) return null;
    cuts.push(best);
  }
  cuts.push(main.length);
  return cuts.slice(1).map((end, part) => {
    const own = new Set(main.slice(cuts[part], end));
    const made = new Set([...own].flatMap(outputsOf));
    const needed = withShared(own, shared, producers);
    const read = new Set(needed.flatMap(inputsOf));
    return {
      nodes: nodes.filter((node) => needed.includes(node)),
      takes: carriedAt(cuts[part]).filter((name) => read.has(name)),
      leaves: part === count - 1 ? [] : carriedAt(end).filter((name) => made.has(name)),
    };
  });
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

function withShared(own: ReadonlySet<Node>, shared: ReadonlySet<Node>, producers: ReadonlyMap<string, Node>): Node[] {
  const needed = new Set(own);
  const pending = [...own];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const name of inputsOf(node)) {
      const producer = producers.get(name);
      if (producer === undefined || !shared.has(producer) || needed.has(producer)) continue;
      needed.add(producer);
      pending.push(producer);
    }
  }
  return [...needed];
}

/** What a node reads, in its branches and loops as well. */
export function inputsOf(node: Node): string[] {
  const branches = (node.attribute ?? []).flatMap(({ g }) => (g?.node ?? []).flatMap(inputsOf));
  return [...(node.input ?? []), ...branches].filter((name) => name !== '');
}

export function outputsOf(node: Node): string[] {
  return (node.output ?? []).filter((name) => name !== '');
}
