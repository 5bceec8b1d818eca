import type { ExecutionProvider, KvType } from '#contracts';
import { bytesPerElement, type DeviceType } from '../element-type.ts';
import { ModelLoadError } from '../model-load-error.ts';
import { created, type Handle, type OrtApi, ortApi } from '../ort/ort-api.ts';
import { isInterruption } from '../ort/ort-status-error.ts';
import { ProviderUnavailableError } from '../provider-unavailable-error.ts';
import { RunFailedError } from '../run-failed-error.ts';
import { RunInterruptedError } from '../run-interrupted-error.ts';
import { appendProvider } from './append-provider.ts';
import { CApiTensor } from './c-api-tensor.ts';
import { DeviceMemory } from './device-memory.ts';
import { NativeStrings } from './native-strings.ts';
import type {
  BoundRun,
  BoundTensor,
  ChangedModel,
  DeviceAccess,
  DeviceBuffer,
  SessionBinding,
  SessionOptions,
  TensorData,
} from './session-binding.ts';
import { LOG_FATAL_ONLY, modelName, OPTIMIZE_ALL, sessionConfig } from './session-config.ts';

/**
 * Run options of closed sessions. They are used again and never freed, because another thread may still hold an
 * `interruptAddress` and write to it.
 */
const spareRunOptions: Handle[] = [];

/** Of a run: the number of the graph that it is captured as and replayed by, or that it is not to be one (onnxruntime_run_options_config_keys.h). */
const GRAPH_ID_KEY = 'gpu_graph_id';
const NO_GRAPH = -1;

/** A session reached through ONNX Runtime's C API. Its runs block the thread and copy nothing that is where it is needed. */
export class CApiSession implements SessionBinding, DeviceAccess {
  readonly kind = 'c-api';
  readonly provider: ExecutionProvider;
  readonly runtimeVersion: string;
  readonly #options: SessionOptions;
  readonly #api: OrtApi;
  readonly #env: Handle;
  readonly #session: Handle;
  readonly #hostInfo: Handle;
  readonly #runOptions: Handle;
  readonly #inputNames: NativeStrings;
  readonly #outputNames: NativeStrings;
  readonly #tensors = new Set<CApiTensor>();
  readonly #graphs: CApiSession[] = [];
  #hostBytes = 0;
  /** As the run options have it; null where they do not. */
  #graphId: number | null = null;
  #hasCaptured = false;
  #memory: DeviceMemory | null = null;
  readonly #interruptedWith: CApiSession | null;
  #closed = false;

  /**
   * @param interruptedWith a session whose `interruptAddress` stops runs of this one as well; it must be closed later
   * @throws OrtLibraryError, ProviderUnavailableError, ModelLoadError
   */
  constructor(options: SessionOptions, interruptedWith: CApiSession | null = null) {
    const api = ortApi();
    this.#api = api;
    this.#options = options;
    this.provider = options.provider;
    this.runtimeVersion = api.version;
    this.#env = created((out) => api.createEnv(LOG_FATAL_ONLY, 'millrace', out));
    try {
      this.#session = openSession(api, this.#env, options);
    } catch (error) {
      api.releaseEnv(this.#env);
      throw error;
    }
    changesOf(options.model)?.products?.retain();
    this.#hostInfo = created((out) => api.createCpuMemoryInfo(0, 0, out));
    this.#interruptedWith = interruptedWith;
    this.#runOptions =
      interruptedWith?.interruptAddress ?? spareRunOptions.pop() ?? created((out) => api.createRunOptions(out));
    api.unsetTerminate(this.#runOptions);
    api.setRunLogSeverityLevel(this.#runOptions, LOG_FATAL_ONLY);
    this.#inputNames = new NativeStrings(options.inputNames);
    this.#outputNames = new NativeStrings(options.outputNames);
  }

  get interruptAddress(): bigint {
    return this.#runOptions;
  }

  get ownProducts(): number {
    return changesOf(this.#options.model)?.products?.count ?? 0;
  }

  get ownCache(): KvType | null {
    return changesOf(this.#options.model)?.ownCache ?? null;
  }

  get plainAttention(): boolean {
    return changesOf(this.#options.model)?.attention === 'plain';
  }

  get device(): DeviceAccess {
    return this;
  }

  get transferredBytes(): number {
    return this.#graphs.reduce((sum, graph) => sum + graph.transferredBytes, this.#hostBytes);
  }

  tensor(data: TensorData, dims: readonly number[]): BoundTensor {
    this.#assertOpen();
    return CApiTensor.overHost(this.#api, this.#hostInfo, data, dims, this.#tensors);
  }

  newRun(graphId = NO_GRAPH): CApiRun {
    const owned = (handle: Handle) => CApiTensor.owned(this.#api, handle, this.#tensors);
    return new CApiRun(this.#inputNames.count, this.#outputNames.count, (run) => this.#run(run, graphId), owned);
  }

  allocate(bytes: number): DeviceBuffer {
    this.#assertOpen();
    // A replay writes where the captured run's intermediate values were, which the provider's arena takes for free.
    if (this.#hasCaptured) throw new RunFailedError('device memory is asked for behind a captured run.');
    this.#memory ??= new DeviceMemory(this.#api, this.#session, this.provider);
    const memory = this.#memory;
    const address = memory.allocate(bytes);
    const tensors: BoundTensor[] = [];
    const tensor = (type: DeviceType, dims: readonly number[]): BoundTensor => {
      const place = { address, bytes: dims.reduce((product, dim) => product * dim, bytesPerElement(type)) };
      if (place.bytes > bytes) throw new RunFailedError(`a tensor of ${place.bytes} bytes over a buffer of ${bytes}`);
      const made = CApiTensor.overDevice(this.#api, memory, place, type, dims, this.#tensors);
      tensors.push(made);
      return made;
    };
    const free = (): void => {
      for (const made of tensors.splice(0)) made.release();
      memory.freeAt(address);
    };
    return { bytes, tensor, free };
  }

  openGraph(model: Uint8Array, inputNames: readonly string[], outputNames: readonly string[]): SessionBinding {
    this.#assertOpen();
    const graph = new CApiSession({
      ...this.#options,
      model,
      inputNames,
      outputNames,
      capturesGraphs: false,
    });
    this.#graphs.push(graph);
    return graph;
  }

  #run(run: CApiRun, graphId: number): void {
    this.#assertOpen();
    if (this.#options.capturesGraphs === true) this.#useGraph(graphId);
    this.#hostBytes += run.hostBytes;
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

  /** Without a number, or with 0, ONNX Runtime would capture whatever comes first. */
  #useGraph(graphId: number): void {
    if (graphId !== NO_GRAPH) this.#hasCaptured = true;
    if (graphId === this.#graphId) return;
    this.#api.addRunConfigEntry(this.#runOptions, GRAPH_ID_KEY, String(graphId));
    this.#graphId = graphId;
  }

  #assertOpen(): void {
    if (this.#closed) throw new RunFailedError('the session is closed.');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const graph of this.#graphs) graph.close();
    for (const tensor of this.#tensors) tensor.release();
    this.#memory?.free();
    this.#api.releaseMemoryInfo(this.#hostInfo);
    this.#api.releaseSession(this.#session);
    this.#api.releaseEnv(this.#env);
    changesOf(this.#options.model)?.products?.release();
    if (this.#interruptedWith === null) spareRunOptions.push(this.#runOptions);
  }
}

/** Null for a model that is as its file. */
function changesOf(model: SessionOptions['model']): ChangedModel | null {
  return typeof model === 'string' || model instanceof Uint8Array ? null : model;
}

/** @throws ProviderUnavailableError, ModelLoadError */
function openSession(api: OrtApi, env: Handle, options: SessionOptions): Handle {
  const { model, provider, threads, profilePrefix, capturesGraphs = false } = options;
  const sessionOptions = created((out) => api.createSessionOptions(out));
  try {
    api.setSessionLogSeverityLevel(sessionOptions, LOG_FATAL_ONLY);
    api.setGraphOptimizationLevel(sessionOptions, OPTIMIZE_ALL);
    api.setIntraOpNumThreads(sessionOptions, threads);
    for (const [key, value] of Object.entries(sessionConfig(options)))
      api.addSessionConfigEntry(sessionOptions, key, value);
    if (profilePrefix !== undefined) api.enableProfiling(sessionOptions, profilePrefix);
    appendProvider(api, sessionOptions, provider, capturesGraphs);
    changesOf(model)?.products?.register(sessionOptions, api);
    if (typeof model === 'string') return created((out) => api.createSession(env, model, sessionOptions, out));
    const bytes = model instanceof Uint8Array ? model : model.bytes;
    return created((out) => api.createSessionFromArray(env, bytes, bytes.byteLength, sessionOptions, out));
  } catch (cause) {
    if (cause instanceof ProviderUnavailableError) throw cause;
    const message = (cause as Error).message;
    throw new ModelLoadError(modelName(model), `ONNX Runtime ${api.version} refuses it: ${message}`, { cause });
  } finally {
    api.releaseSessionOptions(sessionOptions);
  }
}

export class CApiRun implements BoundRun {
  readonly inputHandles: BigUint64Array;
  readonly outputHandles: BigUint64Array;
  /** Tensors, and through them their memory, live as long as a run may use them. */
  readonly #inputs: BoundTensor[] = [];
  readonly #outputs: BoundTensor[] = [];
  /** Of the tensors that are set and lie in host memory. */
  hostBytes = 0;
  readonly #execute: (run: CApiRun) => void;
  readonly #owned: (handle: Handle) => BoundTensor;

  constructor(
    inputs: number,
    outputs: number,
    execute: (run: CApiRun) => void,
    owned: (handle: Handle) => BoundTensor,
  ) {
    this.inputHandles = new BigUint64Array(inputs);
    this.outputHandles = new BigUint64Array(outputs);
    this.#execute = execute;
    this.#owned = owned;
  }

  setInput(index: number, tensor: BoundTensor): void {
    this.hostBytes += hostBytes(tensor) - hostBytes(this.#inputs[index]);
    this.#inputs[index] = tensor;
    this.inputHandles[index] = (tensor as CApiTensor).handle;
  }

  setOutput(index: number, tensor: BoundTensor): void {
    this.hostBytes += hostBytes(tensor) - hostBytes(this.#outputs[index]);
    this.#outputs[index] = tensor;
    this.outputHandles[index] = (tensor as CApiTensor).handle;
  }

  /** An output that was not set, for which the run has made memory: the caller releases it. The next run makes another. */
  takeOutput(index: number): BoundTensor {
    const tensor = this.#owned(this.outputHandles[index] ?? 0n);
    this.outputHandles[index] = 0n;
    return tensor;
  }

  run(): void {
    this.#execute(this);
  }
}

function hostBytes(tensor: BoundTensor | undefined): number {
  return tensor instanceof CApiTensor ? (tensor.data?.byteLength ?? 0) : 0;
}
