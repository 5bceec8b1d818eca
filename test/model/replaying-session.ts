import type { CApiSession } from '../../libs/model-runner/src/binding/c-api-session.ts';
import type {
  BoundRun,
  BoundTensor,
  DeviceAccess,
  DeviceBuffer,
  SessionBinding,
  TensorData,
} from '../../libs/model-runner/src/binding/session-binding.ts';
import { type DeviceType, onnxTypeOf } from '../../libs/model-runner/src/element-type.ts';
import { smallGraph } from '../../libs/model-runner/src/runners/small-graph.ts';

/** What can be wrong with captured runs. */
export interface CaptureFault {
  /** Inputs of the model, by their number, that replays read as they were when they were captured, wherever they are. */
  readonly frozenInputs?: readonly number[];
  /** Replays do nothing. */
  readonly idle?: boolean;
  /** Every run replays the first one that was captured, whatever its number. */
  readonly onlyOne?: boolean;
  /** The run that is to be captured fails. */
  readonly failure?: Error;
}

type Place = { readonly data: TensorData } | { readonly type: DeviceType };

/**
 * What capture makes of a session's runs, in the place of a CUDA device: of a run with a graph's id the tensors count that were set when it was
 * first run, and host memory with the values that it had. Over a session of the CPU provider.
 */
export class ReplayingSession implements SessionBinding {
  readonly kind = 'c-api';
  readonly provider = 'cpu';
  readonly interruptAddress = null;
  readonly ownProducts = 0;
  readonly ownCache = null;
  readonly plainAttention = false;
  readonly runtimeVersion: string;
  readonly device: DeviceAccess;
  readonly #session: CApiSession;
  readonly #fault: CaptureFault;
  readonly #captured = new Map<number, BoundRun>();
  readonly #places = new WeakMap<BoundTensor, Place & { readonly dims: readonly number[] }>();
  replays = 0;
  isClosed = false;

  constructor(session: CApiSession, fault: CaptureFault = {}) {
    this.#session = session;
    this.#fault = fault;
    this.runtimeVersion = session.runtimeVersion;
    this.device = {
      get transferredBytes() {
        return session.transferredBytes;
      },
      allocate: (bytes) => this.#allocate(bytes),
      openGraph: (...graph) => session.openGraph(...graph),
    };
  }

  tensor(data: TensorData, dims: readonly number[]): BoundTensor {
    const tensor = this.#session.tensor(data, dims);
    this.#places.set(tensor, { data, dims });
    return tensor;
  }

  newRun(graphId?: number): BoundRun {
    if (graphId === undefined) return this.#session.newRun();
    const inputs: BoundTensor[] = [];
    const outputs: BoundTensor[] = [];
    return {
      setInput: (index, tensor) => {
        inputs[index] = tensor;
      },
      setOutput: (index, tensor) => {
        outputs[index] = tensor;
      },
      run: () => this.#runCaptured(graphId, inputs, outputs),
    };
  }

  close(): void {
    this.isClosed = true;
    this.#session.close();
  }

  #runCaptured(graphId: number, inputs: readonly BoundTensor[], outputs: readonly BoundTensor[]): void | Promise<void> {
    const { failure, idle, onlyOne } = this.#fault;
    if (failure !== undefined) throw failure;
    const [first] = this.#captured.values();
    const known = onlyOne === true ? first : this.#captured.get(graphId);
    if (known !== undefined) {
      this.replays += 1;
      return idle === true ? undefined : known.run();
    }
    const run = this.#session.newRun();
    inputs.forEach((tensor, index) => {
      const isFrozen = this.#isHost(tensor) || this.#fault.frozenInputs?.includes(index) === true;
      run.setInput(index, isFrozen ? this.#frozen(tensor) : tensor);
    });
    outputs.forEach((tensor, index) => {
      run.setOutput(index, this.#isHost(tensor) ? this.#frozen(tensor) : tensor);
    });
    this.#captured.set(graphId, run);
    return run.run();
  }

  #isHost(tensor: BoundTensor): boolean {
    const place = this.#places.get(tensor);
    return place !== undefined && 'data' in place;
  }

  /** A copy of what a tensor holds. */
  #frozen(tensor: BoundTensor): BoundTensor {
    const place = this.#places.get(tensor);
    if (place === undefined) throw new Error('a tensor of another session');
    const { dims } = place;
    if ('data' in place) return this.#session.tensor(place.data.slice(), dims);
    const length = dims.reduce((product, dim) => product * dim, 1);
    const values = place.type === 'int64' ? new BigInt64Array(length) : new Int32Array(length);
    const value = (name: string) => ({ name, elemType: onnxTypeOf(place.type), dims: dims.map((_, i) => `d${i}`) });
    const nodes = [{ opType: 'Identity', input: ['from'], output: ['to'] }];
    const graph = smallGraph({ name: 'read', nodes, inputs: [value('from')], outputs: [value('to')] });
    const run = this.#session.openGraph(graph.model, graph.inputNames, graph.outputNames).newRun();
    const copy = this.#session.tensor(values, dims);
    run.setInput(0, tensor);
    run.setOutput(0, copy);
    void run.run();
    return copy;
  }

  #allocate(bytes: number): DeviceBuffer {
    const buffer = this.#session.allocate(bytes);
    return {
      ...buffer,
      tensor: (type, dims) => {
        const tensor = buffer.tensor(type, dims);
        this.#places.set(tensor, { type, dims });
        return tensor;
      },
    };
  }
}
