import {
  type DeviceType,
  ONNX_FLOAT16,
  ONNX_FLOAT32,
  ONNX_INT32,
  ONNX_INT64,
  ONNX_UINT8,
  onnxTypeOf,
} from '../element-type.ts';
import { created, type Handle, type OrtApi } from '../ort/ort-api.ts';
import type { DeviceMemory } from './device-memory.ts';
import type { BoundTensor, TensorData } from './session-binding.ts';

/** ONNX Runtime wants an address for an empty tensor too. */
const NOTHING = new Float32Array(1);

/** An OrtValue, mostly over memory that is not its own; a session keeps those of its own that were not released. */
export class CApiTensor implements BoundTensor {
  readonly handle: Handle;
  /** Keeps host memory from being collected. */
  readonly data: TensorData | null;
  readonly #api: OrtApi;
  readonly #siblings: Set<CApiTensor>;

  private constructor(api: OrtApi, handle: Handle, data: TensorData | null, siblings: Set<CApiTensor>) {
    this.#api = api;
    this.handle = handle;
    this.data = data;
    this.#siblings = siblings;
    siblings.add(this);
  }

  static overHost(
    api: OrtApi,
    memoryInfo: Handle,
    data: TensorData,
    dims: readonly number[],
    siblings: Set<CApiTensor>,
  ): CApiTensor {
    const nativeDims = BigInt64Array.from(dims, BigInt);
    const memory = data.length === 0 ? NOTHING : bytesOf(data);
    const handle = created((out) =>
      api.createTensorWithData(memoryInfo, memory, data.byteLength, nativeDims, dims.length, onnxType(data), out),
    );
    return new CApiTensor(api, handle, data, siblings);
  }

  /** @param memory [≥ bytes] at `address` */
  static overDevice(
    api: OrtApi,
    memory: DeviceMemory,
    { address, bytes }: { readonly address: Handle; readonly bytes: number },
    type: DeviceType,
    dims: readonly number[],
    siblings: Set<CApiTensor>,
  ): CApiTensor {
    const nativeDims = BigInt64Array.from(dims, BigInt);
    const handle = created((out) =>
      api.createTensorWithAddress(memory.info, address, bytes, nativeDims, dims.length, onnxTypeOf(type), out),
    );
    return new CApiTensor(api, handle, null, siblings);
  }

  /** A value that ONNX Runtime made, with memory of its own. */
  static owned(api: OrtApi, handle: Handle, siblings: Set<CApiTensor>): CApiTensor {
    return new CApiTensor(api, handle, null, siblings);
  }

  release(): void {
    if (this.#siblings.delete(this)) this.#api.releaseValue(this.handle);
  }
}

/** koffi does not know half-precision arrays; their bytes are the same memory. */
function bytesOf(data: TensorData): ArrayBufferView {
  return data instanceof Float16Array ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data;
}

function onnxType(data: TensorData): number {
  if (data instanceof Float32Array) return ONNX_FLOAT32;
  if (data instanceof Float16Array) return ONNX_FLOAT16;
  if (data instanceof Uint8Array) return ONNX_UINT8;
  return data instanceof Int32Array ? ONNX_INT32 : ONNX_INT64;
}
