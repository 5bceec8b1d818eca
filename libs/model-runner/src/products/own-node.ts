import onnxProto from 'onnx-proto';
import type { Node } from '../signature/value-info.ts';

/** The domain of the library's operators. */
export const DOMAIN = 'millrace';

/** A node of the library's operators that takes the place of one of the graph's, with its outputs. */
export interface OwnNode {
  readonly node: Node;
  readonly opType: 'BlockProduct' | 'Attention' | 'AttentionFloat16' | 'AttentionInt8';
  readonly input: readonly string[];
  readonly integers: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
}

/** As ONNX's NodeProto. */
export function encodedNode({ node, opType, input, integers, floats = {} }: OwnNode): Uint8Array {
  const { AttributeProto, NodeProto } = onnxProto.onnx;
  const { INT, FLOAT } = AttributeProto.AttributeType;
  const attribute = [
    ...Object.entries(integers).map(([name, i]) => ({ name, i, type: INT })),
    ...Object.entries(floats).map(([name, f]) => ({ name, f, type: FLOAT })),
  ];
  const { name, output } = node;
  return NodeProto.encode({ name, opType, domain: DOMAIN, input: [...input], output, attribute }).finish();
}
