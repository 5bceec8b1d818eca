import { env } from 'onnxruntime-common';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ModelLoadError } from '../model-load-error.ts';
import { RunFailedError } from '../run-failed-error.ts';
import type { BoundRun, BoundTensor, SessionBinding, SessionOptions, TensorData } from './session-binding.ts';
import { LOG_FATAL_ONLY, modelName, sessionConfig } from './session-config.ts';

/**
 * A session reached through onnxruntime-node's own API: the fallback and the reference. After each run it copies every
 * output into new memory, the whole cache included, so it is much slower than the C API.
 */
export class JsApiSession implements SessionBinding {
  readonly kind = 'js-api';
  readonly provider = 'cpu';
  readonly device = null;
  readonly interruptAddress = null;
  readonly ownProducts = 0;
  readonly ownCache = null;
  readonly plainAttention = false;
  readonly runtimeVersion: string;
  readonly #session: InferenceSession;
  readonly #options: SessionOptions;
  #closed = false;

  private constructor(session: InferenceSession, options: SessionOptions) {
    this.#session = session;
    this.#options = options;
    this.runtimeVersion = env.versions.node ?? env.versions.common;
  }

  /** @throws ModelLoadError */
  static async open(options: SessionOptions): Promise<JsApiSession> {
    const { model, threads } = options;
    try {
      const settings: InferenceSession.SessionOptions = {
        executionProviders: ['cpu'],
        graphOptimizationLevel: 'all',
        intraOpNumThreads: threads,
        logSeverityLevel: LOG_FATAL_ONLY,
        extra: sessionConfig(options),
      };
      const session = await (typeof model === 'string'
        ? InferenceSession.create(model, settings)
        : InferenceSession.create(model instanceof Uint8Array ? model : model.bytes, settings));
      return new JsApiSession(session, options);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new ModelLoadError(modelName(model), `ONNX Runtime refuses it: ${message}`, { cause });
    }
  }

  tensor(data: TensorData, dims: readonly number[]): BoundTensor {
    // Its native part takes no half-precision arrays; models that need them were refused when they were opened.
    if (data instanceof Float16Array) throw new RunFailedError('the JS API carries no float16.');
    if (data instanceof Uint8Array) return new JsApiTensor(new Tensor('uint8', data, dims));
    return new JsApiTensor(
      data instanceof Float32Array
        ? new Tensor('float32', data, dims)
        : data instanceof Int32Array
          ? new Tensor('int32', data, dims)
          : new Tensor('int64', data, dims),
    );
  }

  newRun(): BoundRun {
    return new JsApiRun(this.#options, (feeds, fetches) => this.#run(feeds, fetches));
  }

  async #run(feeds: InferenceSession.FeedsType, fetches: InferenceSession.FetchesType): Promise<void> {
    if (this.#closed) throw new RunFailedError('the session is closed.');
    try {
      await this.#session.run(feeds, fetches, { logSeverityLevel: LOG_FATAL_ONLY });
    } catch (cause) {
      throw new RunFailedError(cause instanceof Error ? cause.message : String(cause), { cause });
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#session.release();
  }
}

class JsApiTensor implements BoundTensor {
  readonly tensor: Tensor;

  constructor(tensor: Tensor) {
    this.tensor = tensor;
  }

  /** The collector frees it. */
  release(): void {}
}

class JsApiRun implements BoundRun {
  readonly #feeds: Record<string, Tensor> = {};
  readonly #fetches: Record<string, Tensor> = {};
  readonly #options: SessionOptions;
  readonly #execute: (feeds: Record<string, Tensor>, fetches: Record<string, Tensor>) => Promise<void>;

  constructor(
    options: SessionOptions,
    execute: (feeds: Record<string, Tensor>, fetches: Record<string, Tensor>) => Promise<void>,
  ) {
    this.#options = options;
    this.#execute = execute;
  }

  setInput(index: number, tensor: BoundTensor): void {
    this.#feeds[this.#options.inputNames[index] ?? ''] = (tensor as JsApiTensor).tensor;
  }

  setOutput(index: number, tensor: BoundTensor): void {
    this.#fetches[this.#options.outputNames[index] ?? ''] = (tensor as JsApiTensor).tensor;
  }

  run(): Promise<void> {
    return this.#execute(this.#feeds, this.#fetches);
  }
}
