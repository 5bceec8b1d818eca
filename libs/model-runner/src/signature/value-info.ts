import type { onnx } from 'onnx-proto';

export type Graph = onnx.IGraphProto;
export type ValueInfo = onnx.IValueInfoProto;
export type Node = onnx.INodeProto;

/** By ONNX's TensorProto.DataType numbers. */
const ELEMENT_TYPE_NAMES =
  'undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64 complex64 complex128 bfloat16'.split(
    ' ',
  );

export function elementTypeName(value: ValueInfo): string {
  const number = value.type?.tensorType?.elemType ?? 0;
  return ELEMENT_TYPE_NAMES[number] ?? `ONNX type ${number}`;
}

/** A value's dimensions: numbers where fixed, names where free. */
export function dimensions(value: ValueInfo): (number | string)[] {
  const dims = value.type?.tensorType?.shape?.dim ?? [];
  return dims.map((dim) => (dim.dimValue && Number(dim.dimValue) > 0 ? Number(dim.dimValue) : dim.dimParam || '?'));
}

/** An integer attribute of a node; null where it has none of this name. */
export function integerAttribute(node: Node, name: string): number | null {
  const value = node.attribute?.find((attribute) => attribute.name === name)?.i;
  return value == null ? null : Number(value);
}
