import type { KvType } from '#contracts';

/** What logits, and the caches that graphs have by themselves, are made of. */
export type ElementType = 'float32' | 'float16';

/** What tensors in a device's memory are made of. */
export type DeviceType = ElementType | 'int32' | 'int64';

export type FloatArray = Float32Array | Float16Array;

/** Keys or values as they are kept; quanta of 8 bits with their scales are bytes. */
export type KvArray = FloatArray | Uint8Array;

/** ONNX's TensorProto.DataType numbers. */
export const ONNX_FLOAT32 = 1;
export const ONNX_UINT8 = 2;
export const ONNX_INT32 = 6;
export const ONNX_INT64 = 7;
export const ONNX_FLOAT16 = 10;

export function floatArray(type: ElementType, length: number): FloatArray {
  return type === 'float32' ? new Float32Array(length) : new Float16Array(length);
}

export function kvArray(type: KvType, length: number): KvArray {
  return type === 'int8' ? new Uint8Array(length) : floatArray(type, length);
}

const BYTES: Readonly<Record<DeviceType, number>> = { float32: 4, float16: 2, int32: 4, int64: 8 };
const ONNX_TYPES: Readonly<Record<DeviceType, number>> = {
  float32: ONNX_FLOAT32,
  float16: ONNX_FLOAT16,
  int32: ONNX_INT32,
  int64: ONNX_INT64,
};

export function bytesPerElement(type: DeviceType): number {
  return BYTES[type];
}

export function onnxTypeOf(type: DeviceType): number {
  return ONNX_TYPES[type];
}

export function isElementType(name: string): name is ElementType {
  return name === 'float32' || name === 'float16';
}
