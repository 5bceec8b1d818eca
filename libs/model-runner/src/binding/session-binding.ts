/** Memory that a tensor covers; it must stay the tensor's for as long as the tensor is used. */
export type TensorData = Float32Array | Int32Array | BigInt64Array;

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

/** What a runner needs of an ONNX Runtime session, however it is reached. */
export interface SessionBinding {
  readonly kind: 'c-api' | 'js-api';
  readonly runtimeVersion: string;
  readonly interruptAddress: bigint | null;
  tensor(data: TensorData, dims: readonly number[]): BoundTensor;
  /** An empty run: every input and output must be set before it is run. */
  newRun(): BoundRun;
  /** Frees the session and every tensor that is still there. */
  close(): void | Promise<void>;
}

export interface SessionOptions {
  readonly modelFile: string;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Threads of one operator, the calling thread among them; at least 1. */
  readonly threads: number;
}
