import koffi from 'koffi';
import { ModelLoadError } from '../model-load-error.ts';
import { created, type Handle, type OrtApi, ortApi } from '../ort/ort-api.ts';
import { isInterruption } from '../ort/ort-status-error.ts';
import { RunFailedError } from '../run-failed-error.ts';
import { RunInterruptedError } from '../run-interrupted-error.ts';
import type { BoundRun, BoundTensor, SessionBinding, SessionOptions, TensorData } from './session-binding.ts';
import { LOG_FATAL_ONLY, OPTIMIZE_ALL, SESSION_CONFIG } from './session-config.ts';

/**
 * Run options of closed sessions. They are used again and never freed, because another thread may still hold an
 * `interruptAddress` and write to it.
 */
const spareRunOptions: Handle[] = [];

/** A session reached through ONNX Runtime's C API. Its runs block the thread and copy nothing. */
export class CApiSession implements SessionBinding {
  readonly kind = 'c-api';
  readonly runtimeVersion: string;
  readonly #api: OrtApi;
  readonly #env: Handle;
  readonly #session: Handle;
  readonly #memoryInfo: Handle;
  readonly #runOptions: Handle;
  readonly #inputNames: NativeStrings;
  readonly #outputNames: NativeStrings;
  readonly #tensors = new Set<CApiTensor>();
  #closed = false;

  /** @throws OrtLibraryError, ModelLoadError */
  constructor(options: SessionOptions) {
    const api = ortApi();
    this.#api = api;
    this.runtimeVersion = api.version;
    this.#env = created((out) => api.createEnv(LOG_FATAL_ONLY, 'millrace', out));
    const sessionOptions = created((out) => api.createSessionOptions(out));
    try {
      api.setSessionLogSeverityLevel(sessionOptions, LOG_FATAL_ONLY);
      api.setGraphOptimizationLevel(sessionOptions, OPTIMIZE_ALL);
      api.setIntraOpNumThreads(sessionOptions, options.threads);
      for (const [key, value] of Object.entries(SESSION_CONFIG)) api.addSessionConfigEntry(sessionOptions, key, value);
      this.#session = created((out) => api.createSession(this.#env, options.modelFile, sessionOptions, out));
    } catch (cause) {
      api.releaseEnv(this.#env);
      throw new ModelLoadError(
        options.modelFile,
        `ONNX Runtime ${api.version} refuses it: ${(cause as Error).message}`,
        {
          cause,
        },
      );
    } finally {
      api.releaseSessionOptions(sessionOptions);
    }
    this.#memoryInfo = created((out) => api.createCpuMemoryInfo(0, 0, out));
    this.#runOptions = spareRunOptions.pop() ?? created((out) => api.createRunOptions(out));
    api.unsetTerminate(this.#runOptions);
    api.setRunLogSeverityLevel(this.#runOptions, LOG_FATAL_ONLY);
    this.#inputNames = new NativeStrings(options.inputNames);
    this.#outputNames = new NativeStrings(options.outputNames);
  }

  get interruptAddress(): bigint {
    return this.#runOptions;
  }

  tensor(data: TensorData, dims: readonly number[]): BoundTensor {
    this.#assertOpen();
    const tensor = new CApiTensor(this.#api, this.#memoryInfo, data, dims, this.#tensors);
    this.#tensors.add(tensor);
    return tensor;
  }

  newRun(): BoundRun {
    return new CApiRun(this.#inputNames.count, this.#outputNames.count, (run) => this.#run(run));
  }

  #run(run: CApiRun): void {
    this.#assertOpen();
    const { count: inputs, pointers: inputNames } = this.#inputNames;
    const { count: outputs, pointers: outputNames } = this.#outputNames;
    try {
      this.#api.run(
        this.#session,
        this.#runOptions,
        inputNames,
        run.inputHandles,
        inputs,
        outputNames,
        outputs,
        run.outputHandles,
      );
    } catch (cause) {
      if (!isInterruption(cause)) throw new RunFailedError((cause as Error).message, { cause });
      this.#api.unsetTerminate(this.#runOptions);
      throw new RunInterruptedError({ cause });
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw new RunFailedError('the session is closed.');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const tensor of this.#tensors) tensor.release();
    this.#api.releaseMemoryInfo(this.#memoryInfo);
    this.#api.releaseSession(this.#session);
    this.#api.releaseEnv(this.#env);
    spareRunOptions.push(this.#runOptions);
  }
}

/** By ONNX's TensorProto.DataType numbers. */
function elementType(data: TensorData): number {
  if (data instanceof Float32Array) return 1;
  return data instanceof Int32Array ? 6 : 7;
}

/** ONNX Runtime wants an address for an empty tensor too. */
const NOTHING = new Float32Array(1);

class CApiTensor implements BoundTensor {
  readonly handle: Handle;
  /** Keeps the memory from being collected. */
  readonly data: TensorData;
  readonly #api: OrtApi;
  readonly #siblings: Set<CApiTensor>;

  constructor(api: OrtApi, memoryInfo: Handle, data: TensorData, dims: readonly number[], siblings: Set<CApiTensor>) {
    this.data = data;
    this.#api = api;
    this.#siblings = siblings;
    const nativeDims = BigInt64Array.from(dims, BigInt);
    const memory = data.length === 0 ? NOTHING : data;
    this.handle = created((out) =>
      api.createTensorWithData(memoryInfo, memory, data.byteLength, nativeDims, dims.length, elementType(data), out),
    );
  }

  release(): void {
    if (this.#siblings.delete(this)) this.#api.releaseValue(this.handle);
  }
}

class CApiRun implements BoundRun {
  readonly inputHandles: BigUint64Array;
  readonly outputHandles: BigUint64Array;
  /** Tensors, and through them their memory, live as long as a run may use them. */
  readonly #inputs: BoundTensor[] = [];
  readonly #outputs: BoundTensor[] = [];
  readonly #execute: (run: CApiRun) => void;

  constructor(inputs: number, outputs: number, execute: (run: CApiRun) => void) {
    this.inputHandles = new BigUint64Array(inputs);
    this.outputHandles = new BigUint64Array(outputs);
    this.#execute = execute;
  }

  setInput(index: number, tensor: BoundTensor): void {
    this.#inputs[index] = tensor;
    this.inputHandles[index] = (tensor as CApiTensor).handle;
  }

  setOutput(index: number, tensor: BoundTensor): void {
    this.#outputs[index] = tensor;
    this.outputHandles[index] = (tensor as CApiTensor).handle;
  }

  run(): void {
    this.#execute(this);
  }
}

/** `const char *const *`, made once, so that no run converts names. */
class NativeStrings {
  readonly count: number;
  readonly pointers: BigUint64Array;
  readonly #bytes: Uint8Array[];

  constructor(values: readonly string[]) {
    this.count = values.length;
    this.#bytes = values.map((value) => Uint8Array.from(Buffer.from(`${value}\0`)));
    this.pointers = BigUint64Array.from(this.#bytes, (bytes) => koffi.address(bytes));
  }
}
