import onnxProto from 'onnx-proto';
import { encodedField, INPUT, NODE } from '#onnx-file';
import { ONNX_INT32, ONNX_INT64 } from '../element-type.ts';
import type { MaskLengths } from '../signature/mask-lengths.ts';
import type { Node } from '../signature/value-info.ts';
import type { GraphEdit } from './graph-edit.ts';

const { AttributeProto, NodeProto, ValueInfoProto } = onnxProto.onnx;
const SEQLENS_K = 'seqlens_k';
const TOTAL = 'total_sequence_length';

/** The inputs that take a mask's place. */
export function lengthInputs({ rank }: MaskLengths): Uint8Array[] {
  return [
    ...encodedField(INPUT, int32Value(SEQLENS_K, [{ dimParam: 'batch_size' }])),
    ...encodedField(INPUT, int32Value(TOTAL, rank === 0 ? [] : [{ dimValue: 1 }])),
  ];
}

/**
 * What stands in a node's place when lengths are inputs: nothing for what made them of a mask.
 * @returns null for a node that the edit is not about
 */
export function withLengths({ output }: Node, edit: GraphEdit): Uint8Array[] | null {
  if (edit.kind !== 'lengths') return null;
  const made = output?.[0] ?? '';
  if (edit.between.includes(made)) return [];
  if (made === edit.seqlensK) return renamed(SEQLENS_K, made);
  if (made === edit.total) return renamed(TOTAL, made);
  if (made !== edit.longTotal) return null;
  const attribute = [{ name: 'to', i: ONNX_INT64, type: AttributeProto.AttributeType.INT }];
  return encodedField(
    NODE,
    NodeProto.encode({ opType: 'Cast', name: made, input: [TOTAL], output: [made], attribute }).finish(),
  );
}

/** ONNX Runtime takes an Identity out; a value that has the input's name already needs none. */
function renamed(input: string, value: string): Uint8Array[] {
  if (value === input) return [];
  return encodedField(
    NODE,
    NodeProto.encode({ opType: 'Identity', name: value, input: [input], output: [value] }).finish(),
  );
}

function int32Value(name: string, dim: readonly ({ dimParam: string } | { dimValue: number })[]): Uint8Array {
  const type = { tensorType: { elemType: ONNX_INT32, shape: { dim: [...dim] } } };
  return ValueInfoProto.encode({ name, type }).finish();
}
