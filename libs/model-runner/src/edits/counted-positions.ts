import onnxProto from 'onnx-proto';
import { encodedField, INPUT, NODE } from '#onnx-file';

const { NodeProto, TensorProto, ValueInfoProto } = onnxProto.onnx;

/** As exports have it that can be told of how many last positions logits are wanted: [1] int64. */
const COUNT = 'num_logits_to_keep';
const SEQUENCE_AXIS = 1;

/** The input, and in front of all nodes the one that makes a position before the end of it, `from` [1]: −1 is the last one. */
export function positionCount(from: string): Uint8Array[] {
  const tensorType = { elemType: TensorProto.DataType.INT64, shape: { dim: [{ dimValue: 1 }] } };
  const input = ValueInfoProto.encode({ name: COUNT, type: { tensorType } }).finish();
  const node = NodeProto.encode({ opType: 'Neg', name: from, input: [COUNT], output: [from] }).finish();
  return [...encodedField(INPUT, input), ...encodedField(NODE, node)];
}

/** An output's description, in that of the logits as many positions as are asked for. */
export function countedLogits(output: Uint8Array): Uint8Array {
  const value = ValueInfoProto.decode(output);
  const dim = value.type?.tensorType?.shape?.dim;
  if (value.name !== 'logits' || dim == null) return output;
  dim[SEQUENCE_AXIS] = { dimParam: COUNT };
  return ValueInfoProto.encode(value).finish();
}
