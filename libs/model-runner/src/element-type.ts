/** What caches and logits are made of. */
export type ElementType = 'float32' | 'float16';

export type FloatArray = Float32Array | Float16Array;

/** ONNX's TensorProto.DataType numbers. */
export const ONNX_FLOAT32 = 1;
export const ONNX_UINT8 = 2;
export const ONNX_INT32 = 6;
export const ONNX_INT64 = 7;
export const ONNX_FLOAT16 = 10;

export function floatArray(type: ElementType, length: number): FloatArray {
  return type === 'float32' ? new Float32Array(length) : new Float16Array(length);
}

export function bytesPerElement(type: ElementType): number {
  return type === 'float32' ? Float32Array.BYTES_PER_ELEMENT : Float16Array.BYTES_PER_ELEMENT;
}

export function onnxTypeOf(type: ElementType): number {
  return type === 'float32' ? ONNX_FLOAT32 : ONNX_FLOAT16;
}

export function isElementType(name: string): name is ElementType {
  return name === 'float32' || name === 'float16';
}
