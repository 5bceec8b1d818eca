import onnxProto from 'onnx-proto';
import { inputsOf, outputsOf } from '../parts/layer-cuts.ts';
import type { Graph, Node } from '../signature/value-info.ts';

const { NodeProto } = onnxProto.onnx;

/** What becomes of nodes that hang on features when there are none, by the nodes' first outputs. */
export interface WithoutFeatures {
  /** A node in its place, encoded; null where nobody needs one. */
  readonly nodes: ReadonlyMap<string, Uint8Array | null>;
  /** Values that can not be had without. */
  readonly lost: ReadonlySet<string>;
}

/**
 * An embedding that is never given features of images or sounds: where it would put them in the place of some tokens' rows, all rows stay. It is
 * not fed with none of them instead, because then a model that writes an image's token would make it look for a row, and end the run for all.
 */
export function withoutFeatures(graph: Graph, features: ReadonlySet<string>): WithoutFeatures {
  const lost = new Set(features);
  const nodes = new Map<string, Uint8Array | null>();
  for (const node of graph.node ?? []) {
    if (!inputsOf(node).some((name) => lost.has(name))) continue;
    const [first = ''] = outputsOf(node);
    const rows = unchangedRows(node, lost);
    nodes.set(
      first,
      rows === null ? null : NodeProto.encode({ opType: 'Identity', input: [rows], output: [first] }).finish(),
    );
    if (rows === null) for (const name of outputsOf(node)) lost.add(name);
  }
  return { nodes, lost };
}

/** What a node gives that puts rows of one value into another, without the first; null for another node. */
function unchangedRows({ opType, input }: Node, lost: ReadonlySet<string>): string | null {
  const [first = '', second = '', third = ''] = input ?? [];
  if (opType === 'ScatterND' || opType === 'ScatterElements') return lost.has(first) ? null : first;
  if (opType !== 'Where' || lost.has(second) === lost.has(third)) return null;
  return lost.has(second) ? third : second;
}
