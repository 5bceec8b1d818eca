import onnxProto from 'onnx-proto';
import { encodedField, INITIALIZER, INPUT, NODE } from '#onnx-file';
import { ONNX_INT64 } from '../element-type.ts';

const { NodeProto, TensorProto, ValueInfoProto } = onnxProto.onnx;

const POSITIONS = 'position_ids';
const SHAPE = 'millrace.position_rows_shape';
const SIZES = [{ dimParam: 'batch_size' }, { dimParam: 'sequence_length' }];

/** What nodes that read positions read then. */
export const POSITION_ROWS: ReadonlyMap<string, string> = new Map([[POSITIONS, 'millrace.position_rows']]);

/** In front of all nodes: [batch, sequence] → [rows, batch, sequence]. */
export function positionRows(rows: number): Uint8Array[] {
  const output = [...POSITION_ROWS.values()];
  const rawData = new Uint8Array(BigInt64Array.of(BigInt(rows), 1n, 1n).buffer);
  const shape = { name: SHAPE, dims: [3], dataType: TensorProto.DataType.INT64, rawData };
  return [
    ...encodedField(NODE, NodeProto.encode({ opType: 'Expand', input: [POSITIONS, SHAPE], output }).finish()),
    ...encodedField(INITIALIZER, TensorProto.encode(shape).finish()),
  ];
}

/** The input, [batch, sequence], in the place of the graph's field that describes the one with rows; null for another field. */
export function flatPositions(field: number, value: Uint8Array): Uint8Array[] | null {
  if (field !== INPUT || ValueInfoProto.decode(value).name !== POSITIONS) return null;
  const type = { tensorType: { elemType: ONNX_INT64, shape: { dim: SIZES } } };
  return encodedField(INPUT, ValueInfoProto.encode({ name: POSITIONS, type }).finish());
}
