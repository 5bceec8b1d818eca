import type { ExecutionProvider, KvType } from '#contracts';
import type { DeviceType, FloatArray } from '../element-type.ts';
import type { PackedProducts } from '../products/packed-products.ts';

/** Memory that a tensor covers; it must stay the tensor's for as long as the tensor is used. */
export type TensorData = FloatArray | Int32Array | BigInt64Array | Uint8Array;

/** A tensor over caller's memory, as one binding knows it. */
export interface BoundTensor {
  /** Frees the native tensor, never the memory. */
  release(): void;
}

/**
 * One set of inputs and outputs that can be run again and again; indices follow the names the session was opened with.
 * Outputs are written into the memory of their tensors.
 */
export interface BoundRun {
  setInput(index: number, tensor: BoundTensor): void;
  setOutput(index: number, tensor: BoundTensor): void;
  /** @throws RunInterruptedError, RunFailedError */
  run(): void | Promise<void>;
}

/** Memory of the session's provider. Only ONNX Runtime can read or write it. */
export interface DeviceBuffer {
  readonly bytes: number;
  /** A tensor over the buffer's beginning. */
  tensor(type: DeviceType, dims: readonly number[]): BoundTensor;
  /** Gives it back, and releases the tensors over it, before the session is closed. No run may use them any more. */
  free(): void;
}

/** What a runner needs of an ONNX Runtime session, however it is reached. */
export interface SessionBinding {
  readonly kind: 'c-api' | 'js-api';
  readonly provider: ExecutionProvider;
  readonly runtimeVersion: string;
  readonly interruptAddress: bigint | null;
  /** Products of the model that our own library computes. */
  readonly ownProducts: number;
  /** What caches are where our own library computes all layers' attention; null where ONNX Runtime does, over the graph's own. */
  readonly ownCache: KvType | null;
  /** Attention is made of plain operators (`PlainAttention`), which write to a past of a slot's whole capacity and make it no longer. */
  readonly plainAttention: boolean;
  tensor(data: TensorData, dims: readonly number[]): BoundTensor;
  /**
   * An empty run: every input and output must be set before it is run.
   * @param graphId of a run that a session with `capturesGraphs` captures the first time and replays ever after, 1 or more: what is set then counts
   * for good, host memory with the values that it had. Other sessions run it as any run.
   */
  newRun(graphId?: number): BoundRun;
  /** The provider's memory and small graphs that move it; null where the binding reaches host memory only. */
  readonly device: DeviceAccess | null;
  /** Frees the session, its device memory and every tensor that is still there. */
  close(): void | Promise<void>;
}

export interface DeviceAccess {
  /** Bytes of host tensors that runs read or wrote so far, those of its graphs too: what crosses to a device that is not the host itself. */
  readonly transferredBytes: number;
  /** Uninitialized memory, which lives until it is freed, or as long as the session. @throws DeviceMemoryError; RunFailedError once a run was captured */
  allocate(bytes: number): DeviceBuffer;
  /** A graph of its own on the same provider, whose runs take the tensors of this session; closed with it. */
  openGraph(model: Uint8Array, inputNames: readonly string[], outputNames: readonly string[]): SessionBinding;
}

/** What a model file holds after changes; its external data lies beside the file. */
export interface ChangedModel {
  readonly file: string;
  readonly bytes: Uint8Array;
  /** The weights of products that its graph leaves to our library; a session retains them. */
  readonly products?: PackedProducts;
  /** What caches are where its graph leaves attention to our library. */
  readonly ownCache?: KvType | null;
  /** Where attention is made of plain operators. */
  readonly attention?: 'plain';
}

export interface SessionOptions {
  /** A file's path, what one holds after changes, or the bytes of a model without external data. */
  readonly model: string | ChangedModel | Uint8Array;
  readonly provider: ExecutionProvider;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Threads of one operator, the calling thread among them; at least 1. */
  readonly threads: number;
  /** How long an idle one of them spins before it sleeps; 0 for not at all. */
  readonly spinUs: number;
  /** Runs with a `graphId` become CUDA graphs; false by default. Only with the provider cuda, on one thread, and for graphs that lie on the device whole. */
  readonly capturesGraphs?: boolean;
  /** One of several that make a run one behind the other: they share one arena, and no thread of one spins while the next one runs. */
  readonly inSequence?: boolean;
  /** The session writes what each operator of its runs took to a file that begins so, when it is closed. */
  readonly profilePrefix?: string | undefined;
}
