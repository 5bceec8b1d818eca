import type { BoundRun, DeviceAccess, DeviceBuffer, SessionBinding } from '../binding/session-binding.ts';
import { bytesPerElement, type DeviceType, onnxTypeOf } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { DecodeRunInputs } from './decode-runs.ts';
import { Int64Buffer } from './int64-buffer.ts';
import { smallGraph } from './small-graph.ts';

/** An input of the model that a step fills: its number, and where the step's values and the device's are. */
interface FixedInput {
  readonly index: number;
  readonly type: DeviceType;
  readonly host: BigInt64Array | Int32Array;
  readonly buffer: DeviceBuffer;
  readonly rank: 1 | 2;
}

/**
 * The inputs before the cache for decode steps as a captured graph needs them: tokens, positions and lengths at addresses in the device's memory
 * that never change, copied there by a graph of their own before each step. What attention reads on the host, the tokens of the longest row, is
 * the slots' capacity once and for all: a captured run keeps the launches that were planned with it.
 */
export class FixedDecodeInputs implements DecodeRunInputs {
  readonly #binding: SessionBinding;
  readonly #signature: ModelSignature;
  readonly #copies: SessionBinding;
  readonly #copyRuns: BoundRun[] = [];
  readonly #inputs: readonly FixedInput[];
  readonly #tokens: Int64Buffer;
  readonly #positions: Int64Buffer;
  readonly #lengths: Int32Array;
  readonly #total: Int32Array;

  /** @throws DeviceMemoryError */
  constructor(
    binding: SessionBinding,
    device: DeviceAccess,
    signature: ModelSignature,
    { rows, slotTokens }: { readonly rows: number; readonly slotTokens: number },
  ) {
    this.#binding = binding;
    this.#signature = signature;
    this.#tokens = new Int64Buffer(rows);
    this.#positions = new Int64Buffer(rows);
    this.#lengths = new Int32Array(rows);
    this.#total = Int32Array.of(slotTokens);
    const input = (index: number, type: DeviceType, host: FixedInput['host'], rank: 1 | 2): FixedInput => ({
      index,
      type,
      host,
      rank,
      buffer: device.allocate(rows * bytesPerElement(type)),
    });
    this.#inputs = [
      input(0, 'int64', this.#tokens.values, 2),
      ...signature.sideInputs.flatMap(({ kind }, i) => {
        if (kind === 'position_ids') return [input(1 + i, 'int64', this.#positions.values, 2)];
        return kind === 'seqlens_k' ? [input(1 + i, 'int32', this.#lengths, 1)] : [];
      }),
    ];
    const graph = copyGraph(this.#inputs);
    this.#copies = device.openGraph(graph.model, graph.inputNames, graph.outputNames);
  }

  attach(run: BoundRun, rows: number): void {
    for (const { index, type, buffer, rank } of this.#inputs)
      run.setInput(index, buffer.tensor(type, dims(rows, rank)));
    this.#signature.sideInputs.forEach((input, i) => {
      if (input.kind === 'total_sequence_length')
        run.setInput(1 + i, this.#binding.tensor(this.#total, input.rank === 0 ? [] : [1]));
      if (input.kind === 'num_logits_to_keep')
        run.setInput(1 + i, this.#binding.tensor(BigInt64Array.of(1n), input.rank === 0 ? [] : [1]));
    });
  }

  fill(_run: BoundRun, rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void> {
    for (let row = 0; row < rows; row++) {
      const past = pastTokens[row] ?? 0;
      this.#tokens.set(row, tokenIds[row] ?? 0);
      this.#positions.set(row, past);
      this.#lengths[row] = past;
    }
    const copy = this.#copyRuns[rows] ?? this.#newCopyRun(rows);
    return copy.run();
  }

  #newCopyRun(rows: number): BoundRun {
    const run = this.#copies.newRun();
    this.#inputs.forEach(({ type, host, buffer, rank }, i) => {
      run.setInput(i, this.#binding.tensor(host.subarray(0, rows), dims(rows, rank)));
      run.setOutput(i, buffer.tensor(type, dims(rows, rank)));
    });
    this.#copyRuns[rows] = run;
    return run;
  }
}

const dims = (rows: number, rank: 1 | 2): number[] => (rank === 1 ? [rows] : [rows, 1]);

/** From host memory into the device's, each input by itself. */
function copyGraph(inputs: readonly FixedInput[]) {
  const value = (name: string, { type, rank }: FixedInput) => ({
    name,
    elemType: onnxTypeOf(type),
    dims: rank === 1 ? ['rows'] : ['rows', 1],
  });
  return smallGraph({
    name: 'decode inputs',
    nodes: inputs.map((_, i) => ({ opType: 'Identity', input: [`host.${i}`], output: [`device.${i}`] })),
    inputs: inputs.map((input, i) => value(`host.${i}`, input)),
    outputs: inputs.map((input, i) => value(`device.${i}`, input)),
  });
}
