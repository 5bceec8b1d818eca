import type { DeviceLogits, RowCandidates, RowWish } from '#contracts/ports';
import type { BoundRun, BoundTensor, DeviceAccess, DeviceBuffer, SessionBinding } from '../binding/session-binding.ts';
import { bytesPerElement, type FloatArray, floatArray } from '../element-type.ts';
import { RunnerArgumentError } from '../runner-argument-error.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import { candidateGraph, FIGURES, takeRowGraph } from './candidate-graph.ts';

/** Bytes of a row's candidates are 8 for each; with more of them fewer rows have to come over whole (decision 0039). */
const MOST_CANDIDATES = 512;
/** More than a request can ask log probabilities of. */
const MOST_TOP = 32;
/** Of a penalized prompt's tokens: 16 KiB a row. */
const MOST_LISTED = 2048;
const WORD_BITS = 32;

/** Logits in a device's memory, [slots, vocabulary], and the graphs beside them that select candidates and take rows. */
export class DeviceLogitRows implements DeviceLogits {
  readonly mostListed = MOST_LISTED;
  wholeRows = 0;
  readonly #binding: SessionBinding;
  readonly #signature: ModelSignature;
  readonly #buffer: DeviceBuffer;
  readonly #count: number;
  readonly #topCount: number;
  readonly #words: number;
  readonly #graphs: { readonly free: SessionBinding; readonly masked: SessionBinding };
  /** By what a selection's tensors are shaped like. */
  readonly #runs = new Map<string, BoundRun>();
  readonly #rowNumber = new BigInt64Array(1);
  readonly #takeRow: BoundRun;
  /** [vocabulary] what a row is taken into. */
  readonly #taken: FloatArray;
  /** [slots, vocabulary] where `fetchRow` puts rows. */
  readonly #logits: Float32Array;
  /** [vocabulary] a prompt's logits that a graph of every position's left in host memory. */
  readonly #hostRow: FloatArray;
  #isInHost = false;

  // Each row behind the other, in as many columns as a selection has.
  readonly #allowed: Int32Array;
  readonly #inverseTemperatures: Float32Array;
  readonly #listed: Int32Array;
  readonly #listedLogits: Float32Array;
  readonly #values: Float32Array;
  readonly #ids: Int32Array;
  readonly #topValues: Float32Array;
  readonly #topIds: Int32Array;
  readonly #figures: Float32Array;

  /** @param logits [≥ slots, vocabulary] @throws DeviceMemoryError */
  constructor(
    binding: SessionBinding,
    device: DeviceAccess,
    signature: ModelSignature,
    slots: number,
    logits: Float32Array,
  ) {
    const { vocabularySize } = signature;
    const { type } = signature.logits;
    this.#binding = binding;
    this.#signature = signature;
    this.#logits = logits;
    this.#count = Math.min(MOST_CANDIDATES, vocabularySize);
    this.#topCount = Math.min(MOST_TOP, vocabularySize);
    this.#words = Math.ceil(vocabularySize / WORD_BITS);
    this.#buffer = device.allocate(slots * vocabularySize * bytesPerElement(type));
    const size = { vocabularySize, logitsType: type, count: this.#count, topCount: this.#topCount };
    const open = (isMasked: boolean) => {
      const graph = candidateGraph(size, isMasked);
      return device.openGraph(graph.model, graph.inputNames, graph.outputNames);
    };
    this.#graphs = { free: open(false), masked: open(true) };

    this.#taken = floatArray(type, vocabularySize);
    this.#hostRow = floatArray(type, signature.logits.positions === 'all' ? vocabularySize : 0);
    const take = takeRowGraph(vocabularySize, type);
    this.#takeRow = device.openGraph(take.model, take.inputNames, take.outputNames).newRun();
    this.#takeRow.setInput(0, this.#buffer.tensor(type, [slots, vocabularySize]));
    this.#takeRow.setInput(1, binding.tensor(this.#rowNumber, [1]));
    this.#takeRow.setOutput(0, binding.tensor(this.#taken, [1, vocabularySize]));

    this.#allowed = new Int32Array(slots * this.#words);
    this.#inverseTemperatures = new Float32Array(slots);
    this.#listed = new Int32Array(slots * MOST_LISTED);
    this.#listedLogits = new Float32Array(slots * MOST_LISTED);
    this.#values = new Float32Array(slots * this.#count);
    this.#ids = new Int32Array(slots * this.#count);
    this.#topValues = new Float32Array(slots * this.#topCount);
    this.#topIds = new Int32Array(slots * this.#topCount);
    this.#figures = new Float32Array(slots * FIGURES.length);
  }

  /** What a run of so many rows gives its logits to, with dimensions as the graph has them. */
  rowsTensor(dims: readonly number[]): BoundTensor {
    return this.#buffer.tensor(this.#signature.logits.type, dims);
  }

  /** The next selection is of what runs left here. */
  ran(): void {
    this.#isInHost = false;
  }

  /** The next selection is of a prompt's logits that are in host memory. @param row [vocabulary] */
  keepHostRow(row: FloatArray): void {
    this.#hostRow.set(row);
    this.#isInHost = true;
  }

  select(wishes: readonly RowWish[]): readonly RowCandidates[] {
    const rows = wishes.length;
    const isMasked = wishes.some(({ allowed }) => allowed !== null);
    const columns = columnsFor(Math.max(...wishes.map(({ listed }) => listed.length)));
    wishes.forEach(({ allowed, listed, inverseTemperature }, row) => {
      if (listed.length > MOST_LISTED)
        throw new RunnerArgumentError(`${listed.length} tokens are listed for a row; it must be 0 to ${MOST_LISTED}.`);
      this.#inverseTemperatures[row] = inverseTemperature;
      this.#listed.set(listed, row * columns);
      if (allowed !== null) this.#allowed.set(allowed.subarray(0, this.#words), row * this.#words);
      else if (isMasked) this.#allowed.fill(-1, row * this.#words, (row + 1) * this.#words);
    });
    void this.#runFor(rows, columns, isMasked).run();
    return wishes.map(({ listed }, row) => this.#candidates(row, row * columns, listed.length, isMasked));
  }

  fetchRow(row: number): void {
    const { vocabularySize } = this.#signature;
    this.wholeRows += 1;
    if (!this.#isInHost) {
      this.#rowNumber[0] = BigInt(row);
      void this.#takeRow.run();
    }
    this.#logits.set(this.#isInHost ? this.#hostRow : this.#taken, row * vocabularySize);
  }

  #candidates(row: number, listedFrom: number, listed: number, isMasked: boolean): RowCandidates {
    const [count, topCount] = [this.#count, this.#topCount];
    const [largest = 0, sum = 0, all = 0, nearLow = 0, nearHigh = 0] = this.#figures.subarray(row * FIGURES.length);
    const logits = this.#values.subarray(row * count, (row + 1) * count);
    const tokenIds = this.#ids.subarray(row * count, (row + 1) * count);
    return {
      logits,
      tokenIds,
      complete: count === this.#signature.vocabularySize,
      listedLogits: this.#listedLogits.subarray(listedFrom, listedFrom + listed),
      topLogits: isMasked ? this.#topValues.subarray(row * topCount, (row + 1) * topCount) : logits,
      topTokenIds: isMasked ? this.#topIds.subarray(row * topCount, (row + 1) * topCount) : tokenIds,
      logSumExp: largest + Math.log(sum),
      mass: { all, nearLow, nearHigh },
    };
  }

  #runFor(rows: number, columns: number, isMasked: boolean): BoundRun {
    const key = `${rows} ${columns} ${isMasked} ${this.#isInHost}`;
    const known = this.#runs.get(key);
    if (known !== undefined) return known;
    const { vocabularySize, logits } = this.#signature;
    const run = (isMasked ? this.#graphs.masked : this.#graphs.free).newRun();
    const tensor = (data: Float32Array | Int32Array, width: number) =>
      this.#binding.tensor(data.subarray(0, rows * width), [rows, width]);
    run.setInput(
      0,
      this.#isInHost
        ? this.#binding.tensor(this.#hostRow, [1, vocabularySize])
        : this.#buffer.tensor(logits.type, [rows, vocabularySize]),
    );
    run.setInput(1, tensor(this.#inverseTemperatures, 1));
    run.setInput(2, tensor(this.#listed, columns));
    run.setOutput(0, tensor(this.#values, this.#count));
    run.setOutput(1, tensor(this.#ids, this.#count));
    run.setOutput(2, tensor(this.#listedLogits, columns));
    run.setOutput(3, tensor(this.#figures, FIGURES.length));
    if (isMasked) {
      const bytes = this.#words * Int32Array.BYTES_PER_ELEMENT;
      const allowed = new Uint8Array(this.#allowed.buffer, 0, rows * bytes);
      run.setInput(3, this.#binding.tensor(allowed, [rows, bytes]));
      run.setOutput(4, tensor(this.#topValues, this.#topCount));
      run.setOutput(5, tensor(this.#topIds, this.#topCount));
    }
    this.#runs.set(key, run);
    return run;
  }
}

/** Few widths, so that tensors are seldom made anew. A row has at least one. */
function columnsFor(listed: number): number {
  return Math.min(MOST_LISTED, 2 ** Math.ceil(Math.log2(Math.max(1, listed))));
}
