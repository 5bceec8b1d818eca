import type { LogitsKernels, PrefillParts } from '#contracts';
import { DeviceScope } from '../binding/device-scope.ts';
import { finallyAfter, forEachInTurn } from '../binding/in-turn.ts';
import type { BoundRun, BoundTensor, SessionBinding } from '../binding/session-binding.ts';
import { type FloatArray, floatArray } from '../element-type.ts';
import { PartedRun, PartedSession } from '../parts/parted-session.ts';
import { RunnerArgumentError } from '../runner-argument-error.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';
import { assertDecode, assertPrefill } from './call-arguments.ts';
import type { DecodeRuns } from './decode-runs.ts';
import { DecodeWays } from './decode-ways.ts';
import { DeviceLogitRows } from './device-logit-rows.ts';
import { evenInputs } from './even-inputs.ts';
import type { InPlaceCache } from './in-place-cache.ts';
import { runsOfChunk } from './runs-of-chunk.ts';
import { SlotRunner } from './slot-runner.ts';
import type { StateTensors } from './slot-states.ts';

export interface InPlaceSize extends CacheSize {
  /** Longest chunk that is usual. */
  readonly maxChunkTokens: number;
  /** Longest run of prefill; longer chunks are cut. */
  readonly maxRunTokens: number;
  /** Most tokens of a slot that are verified at a time; none by default. The graph then gives as many positions' logits as it is asked for, or all. */
  readonly verifyTokens?: number;
  /** Logits stay in the device's memory, and choices get candidates of them; false by default. */
  readonly keepsLogits?: boolean;
  /** Decode runs of up to so many rows can be captured, where the session captures graphs; 0 by default. Only with `keepsLogits`. */
  readonly capturedRows?: number;
  /** What `runsAgree` says. False by default. */
  readonly runInvariant?: boolean;
  /** None by default. */
  readonly logitsKernels?: LogitsKernels | null;
  readonly fallbacks?: readonly string[];
}

/** A run of a chunk that may have others before and behind it. */
interface ChunkRun {
  readonly tokenIds: Int32Array;
  readonly pastTokens: number;
  /** It goes on from states that the run before left, which count with the chunk's last run only. */
  readonly goesOn: boolean;
  readonly isLast: boolean;
}

/** A prefill run whose inputs are set. */
interface BegunPrefill {
  readonly run: () => void | Promise<void>;
  readonly runPart: (part: number) => void;
  readonly release: () => void;
  /** After its last part: the logits are where callers look for them. */
  readonly end: () => void;
}

/**
 * A decoder of GroupQueryAttention layers whose past and present are the same memory: each step writes the new tokens'
 * keys and values into the slots and touches nothing else. Decode runs over the first rows of every buffer, prefill over
 * one place of the cache. Tensors over those are made once for each number of rows and each place.
 */
export class InPlaceRunner extends SlotRunner<InPlaceCache> {
  /** Null where logits are in host memory. */
  readonly deviceLogits: DeviceLogitRows | null;
  readonly decodeWays: DecodeWays;
  /** What this runner has on the device beside the cache; null where it has nothing there. */
  readonly #device: DeviceScope | null;
  readonly #maxRunTokens: number;
  readonly #prefillRuns: BoundRun[] = [];
  readonly #verifyRuns: BoundRun[] = [];
  /** By the number of rows: the plain decode run, and its states by the side that they are read from. */
  readonly #decodeStates: { readonly run: BoundRun; readonly sides: [StateTensors | null, StateTensors | null] }[] = [];
  /** As the graph gives them: `logits` itself, or in half precision. */
  readonly #rowLogits: FloatArray;
  /** [chunkTokens, vocabulary] of the longest chunk so far, for graphs that give every position's logits. */
  #chunkLogits: FloatArray;
  /** A chunk of which some parts are computed. */
  #begun: BegunPrefill | null = null;

  constructor(binding: SessionBinding, signature: ModelSignature, cache: InPlaceCache, size: InPlaceSize) {
    const { slots, slotTokens, maxRunTokens, fallbacks = [], verifyTokens = 0, capturedRows = 0 } = size;
    const keepsLogits = size.keepsLogits === true && binding.device !== null;
    const captured = keepsLogits ? Math.min(capturedRows, slots) : 0;
    super(binding, signature, cache, size, {
      ...{ kvCache: 'in-place', fallbacks, verifyTokens, capturedRows: captured },
      runInvariant: size.runInvariant === true,
      logitsKernels: size.logitsKernels ?? null,
    });
    const { vocabularySize, logits } = signature;
    const device = keepsLogits && binding.device !== null ? new DeviceScope(binding.device) : null;
    this.#device = device;
    this.deviceLogits = device === null ? null : new DeviceLogitRows(binding, device, signature, slots, this.logits);
    this.#rowLogits = logits.type === 'float32' ? this.logits : floatArray(logits.type, this.logits.length);
    this.#chunkLogits = floatArray(logits.type, logits.positions === 'all' ? size.maxChunkTokens * vocabularySize : 0);
    this.#maxRunTokens = maxRunTokens;
    this.decodeWays = new DecodeWays(
      binding,
      device,
      signature,
      { slots, slotTokens, capturedRows: captured },
      (rows, graphId) => this.#newDecodeRun(rows, graphId),
    );
  }

  /** Gives the device's memory back for which another runner takes its place, over the same cache. It must not be used any more. */
  leave(): void {
    this.#device?.[Symbol.dispose]();
  }

  decode(rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void> {
    assertDecode(this.limits, rows, tokenIds, pastTokens);
    if (this.signature.rowsRunAlone) return this.#decodeAlone(rows, tokenIds, pastTokens);
    return this.decodeBy(this.decodeWays.forRows(rows), rows, tokenIds, pastTokens);
  }

  get graphReplays(): number | null {
    return this.decodeWays.graphReplays;
  }

  /** A decode run made in one of the two ways; the arguments are not checked. */
  decodeBy(runs: DecodeRuns, rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void> {
    for (let row = 0; row < rows; row++) {
      this.states.begin(row, pastTokens[row] ?? 0);
      this.cache.touch(row, (pastTokens[row] ?? 0) + 1);
    }
    this.cache.beginDecode(rows);
    this.#turnDecodeStates(rows);
    this.deviceLogits?.ran();
    const isWide = this.deviceLogits !== null || this.#rowLogits === this.logits;
    if (isWide && this.states.count === 0) return runs.run(rows, tokenIds, pastTokens);
    return finallyAfter(
      () => runs.run(rows, tokenIds, pastTokens),
      noop,
      () => {
        for (let row = 0; row < rows; row++) this.states.keep(row, (pastTokens[row] ?? 0) + 1);
        this.#widen(rows);
      },
    );
  }

  /** The last row comes first, because every run leaves its logits in the first row. */
  #decodeAlone(rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void> {
    const { vocabularySize } = this.signature;
    const order = Array.from({ length: rows }, (_, index) => rows - 1 - index);
    return forEachInTurn(order, (row) => {
      const past = pastTokens[row] ?? 0;
      this.states.begin(row, past);
      this.cache.touch(row, past + 1);
      const run = { tokenIds: tokenIds.subarray(row, row + 1), pastTokens: past, goesOn: false, isLast: true };
      return finallyAfter(
        () => this.#prefillRun(row, run),
        noop,
        () => this.logits.copyWithin(row * vocabularySize, 0, vocabularySize),
      );
    });
  }

  prefill(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void> {
    this.#beginChunk(slot, tokenIds, pastTokens);
    return forEachInTurn(this.#runsOf(tokenIds, pastTokens), (run) => this.#prefillRun(slot, run));
  }

  #beginChunk(slot: number, tokenIds: Int32Array, pastTokens: number): void {
    assertPrefill(this.limits, slot, tokenIds, pastTokens);
    this.states.begin(slot, pastTokens);
    this.cache.touch(slot, pastTokens + tokenIds.length);
  }

  #runsOf(tokenIds: Int32Array, pastTokens: number): ChunkRun[] {
    let end = 0;
    return runsOfChunk(tokenIds.length, this.signature.headSize, this.#maxRunTokens).map((length) => {
      const from = end;
      end += length;
      return {
        ...{ tokenIds: tokenIds.subarray(from, end), pastTokens: pastTokens + from },
        ...{ goesOn: from > 0, isLast: end === tokenIds.length },
      };
    });
  }

  protected verify(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void> {
    const tokens = tokenIds.length;
    this.cache.touch(slot, pastTokens + tokens);
    const place = this.cache.beginPrefill(slot, pastTokens);
    const run = this.#verifyRuns[place] ?? this.#newVerifyRun(place);
    const step = { rows: 1, tokensPerRow: tokens, tokenIds, pastTokens, logitsPositions: tokens };
    const inputs = evenInputs(this.binding, this.signature, step);
    inputs.forEach((tensor, i) => {
      run.setInput(i, tensor);
    });
    const { vocabularySize } = this.signature;
    const logits = this.binding.tensor(this.#rowLogits.subarray(0, tokens * vocabularySize), [
      1,
      tokens,
      vocabularySize,
    ]);
    run.setOutput(0, logits);
    const release = () => {
      for (const tensor of [...inputs, logits]) tensor.release();
    };
    return finallyAfter(
      () => run.run(),
      release,
      () => this.#widen(tokens),
    );
  }

  /** Sessions of parts block their thread, so their runs make no promises. */
  get prefillParts(): PrefillParts | null {
    const { binding } = this;
    if (!(binding instanceof PartedSession)) return null;
    return { count: binding.count, run: (part, ...chunk) => this.#prefillPart(part, binding.count, ...chunk) };
  }

  #prefillPart(part: number, parts: number, slot: number, tokenIds: Int32Array, pastTokens: number): void {
    if (part === 0) {
      this.#beginChunk(slot, tokenIds, pastTokens);
      this.#begun?.release();
      this.#begun = null;
      for (const run of this.#runsOf(tokenIds, pastTokens))
        if (run.isLast) this.#begun = this.#beginPrefill(slot, run);
        else this.#prefillRun(slot, run);
    }
    const begun = this.#begun;
    if (begun === null) throw new RunnerArgumentError(`part ${part} of a chunk whose part 0 was not run.`);
    if (part < parts - 1) {
      begun.runPart(part);
      return;
    }
    this.#begun = null;
    finallyAfter(() => begun.runPart(part), begun.release, begun.end);
  }

  #prefillRun(slot: number, run: ChunkRun): void | Promise<void> {
    const begun = this.#beginPrefill(slot, run);
    return finallyAfter(begun.run, begun.release, begun.end);
  }

  #beginPrefill(slot: number, { tokenIds, pastTokens, goesOn, isLast }: ChunkRun): BegunPrefill {
    const place = this.cache.beginPrefill(slot, pastTokens);
    const run = this.#prefillRuns[place] ?? this.#newPrefillRun(place);
    const states = this.states.slotTensors(slot, goesOn);
    this.#attachStates(run, states);
    const step = { rows: 1, tokensPerRow: tokenIds.length, tokenIds, pastTokens };
    const inputs = evenInputs(this.binding, this.signature, step);
    inputs.forEach((tensor, i) => {
      run.setInput(i, tensor);
    });
    const logits = this.#chunkLogitsTensor(tokenIds.length);
    if (logits !== null) run.setOutput(0, logits);
    return {
      run: () => run.run(),
      runPart: (part) => (run instanceof PartedRun ? run.runPart(part) : undefined),
      release: () => {
        if (run instanceof PartedRun) run.drop();
        for (const tensor of [...inputs, ...states.past, ...states.present]) tensor.release();
        logits?.release();
      },
      end: () => {
        if (isLast) this.states.keep(slot, pastTokens + tokenIds.length);
        else this.states.carry(slot);
        this.deviceLogits?.ran();
        if (logits !== null) this.#keepLastRow(tokenIds.length);
        else this.#widen(1);
      },
    };
  }

  #newDecodeRun(rows: number, graphId?: number): BoundRun {
    const run = this.binding.newRun(graphId);
    this.#attachCache(run, this.cache.rowTensors(rows));
    if (this.states.count > 0) this.#decodeStates[rows] = { run, sides: [null, null] };
    this.#turnDecodeStates(rows);
    run.setOutput(0, this.#logitsTensor(rows));
    return run;
  }

  #newPrefillRun(place: number): BoundRun {
    const run = this.binding.newRun();
    this.#attachCache(run, this.cache.placeTensors(place));
    if (this.signature.logits.positions === 'last') run.setOutput(0, this.#logitsTensor(1));
    this.#prefillRuns[place] = run;
    return run;
  }

  #newVerifyRun(place: number): BoundRun {
    const run = this.binding.newRun();
    this.#attachCache(run, this.cache.placeTensors(place));
    this.#verifyRuns[place] = run;
    return run;
  }

  #attachCache(run: BoundRun, tensors: readonly BoundTensor[]): void {
    const firstInput = 1 + this.signature.sideInputs.length;
    tensors.forEach((tensor, i) => {
      run.setInput(firstInput + i, tensor);
      run.setOutput(1 + i, tensor);
    });
  }

  /** Before a decode run of so many rows, which may be made first: it reads states where they are, and writes to the other side. */
  #turnDecodeStates(rows: number): void {
    const known = this.#decodeStates[rows];
    if (known === undefined) return;
    const side = this.states.level(rows);
    known.sides[side] ??= this.states.rowTensors(rows, side);
    this.#attachStates(known.run, known.sides[side]);
  }

  /** They are behind the cache, as inputs and as outputs. */
  #attachStates(run: BoundRun, { past, present }: StateTensors): void {
    const { sideInputs, cache } = this.signature;
    past.forEach((tensor, i) => {
      run.setInput(1 + sideInputs.length + cache.length + i, tensor);
    });
    present.forEach((tensor, i) => {
      run.setOutput(1 + cache.length + i, tensor);
    });
  }

  #logitsTensor(rows: number): BoundTensor {
    const { vocabularySize, logits } = this.signature;
    const dims = logits.rank === 2 ? [rows, vocabularySize] : [rows, 1, vocabularySize];
    if (this.deviceLogits !== null) return this.deviceLogits.rowsTensor(dims);
    return this.binding.tensor(this.#rowLogits.subarray(0, rows * vocabularySize), dims);
  }

  #chunkLogitsTensor(chunkTokens: number): BoundTensor | null {
    const { vocabularySize, logits } = this.signature;
    if (logits.positions === 'last') return null;
    const length = chunkTokens * vocabularySize;
    if (this.#chunkLogits.length < length) this.#chunkLogits = floatArray(logits.type, length);
    return this.binding.tensor(this.#chunkLogits.subarray(0, length), [1, chunkTokens, vocabularySize]);
  }

  #keepLastRow(chunkTokens: number): void {
    const { vocabularySize } = this.signature;
    const last = this.#chunkLogits.subarray((chunkTokens - 1) * vocabularySize, chunkTokens * vocabularySize);
    if (this.deviceLogits !== null) this.deviceLogits.keepHostRow(last);
    else this.logits.set(last);
  }

  /** Half-precision logits become what callers read. */
  #widen(rows: number): void {
    if (this.#rowLogits !== this.logits && this.deviceLogits === null)
      this.logits.set(this.#rowLogits.subarray(0, rows * this.signature.vocabularySize));
  }
}

const noop = () => {};
