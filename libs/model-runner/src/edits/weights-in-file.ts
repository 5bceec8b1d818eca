import { basename } from 'node:path';
import onnxProto from 'onnx-proto';
import { encodedField, encodedNumber, protoFields } from './proto-fields.ts';

const { StringStringEntryProto, TensorProto } = onnxProto.onnx;

/** Field numbers of TensorProto. */
const RAW_DATA = 9;
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
/** Shapes and scalars stay in the graph, where ONNX Runtime looks for them when it infers shapes. */
const LEAST_BYTES = 1024;

/**
 * An encoded tensor whose bytes stay in the ONNX file that they are in, as external data at their place in it, so that a graph that is
 * put together of others does not carry their weights. Small ones, and those whose bytes are elsewhere, are as they were.
 * @param tensor a view of `model`, which holds what `file` does
 */
export function weightsInFile(tensor: Uint8Array, model: Uint8Array, file: string): Uint8Array {
  const fields = [...protoFields(tensor)];
  const raw = fields.find(({ number }) => number === RAW_DATA);
  if (raw === undefined || raw.end - raw.valueStart < LEAST_BYTES) return tensor;
  const place = {
    location: basename(file),
    offset: tensor.byteOffset - model.byteOffset + raw.valueStart,
    length: raw.end - raw.valueStart,
  };
  return Buffer.concat([
    ...fields.filter((field) => field !== raw).map(({ start, end }) => tensor.subarray(start, end)),
    ...Object.entries(place).flatMap(([key, value]) =>
      encodedField(EXTERNAL_DATA, StringStringEntryProto.encode({ key, value: `${value}` }).finish()),
    ),
    encodedNumber(DATA_LOCATION, TensorProto.DataLocation.EXTERNAL),
  ]);
}
