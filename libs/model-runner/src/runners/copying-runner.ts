import type { KvType, LogitsKernels } from '#contracts';
import { finallyAfter, forEachInTurn } from '../binding/in-turn.ts';
import type { SessionBinding } from '../binding/session-binding.ts';
import { type FloatArray, floatArray, type KvArray, kvArray } from '../element-type.ts';
import type { ModelSignature } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';
import { assertDecode, assertPrefill } from './call-arguments.ts';
import { evenInputs } from './even-inputs.ts';
import { HostKvCache } from './host-kv-cache.ts';
import { wholeTiles } from './kv-layout.ts';
import { rowsByPast } from './rows-by-past.ts';
import { SlotRunner } from './slot-runner.ts';

/**
 * Any decoder whose present is its past with the new tokens appended, in memory of its own. The past is gathered from the
 * slots before a run and the new tokens' part of the present is put back after it. Only rows of equal past length share a
 * run: padding would change the sums over a row's keys, and with them its bits.
 */
export class CopyingRunner extends SlotRunner<HostKvCache> {
  /** Per cache buffer, [rows, kvHeads, tokens in whole tiles, tokenLength] of the largest step so far. */
  readonly #past: KvArray[];
  readonly #present: KvArray[];
  #stepLogits: FloatArray;

  constructor(
    binding: SessionBinding,
    signature: ModelSignature,
    size: CacheSize,
    {
      fallbacks = [],
      verifyTokens = 0,
      logitsKernels = null,
    }: {
      readonly fallbacks?: readonly string[];
      readonly verifyTokens?: number;
      readonly logitsKernels?: LogitsKernels | null;
    } = {},
  ) {
    const plain = { capturedRows: 0, runInvariant: false };
    const kind = { kvCache: 'copying', fallbacks, verifyTokens, ...plain, logitsKernels } as const;
    super(binding, signature, new HostKvCache(binding, signature, size), size, kind);
    this.#past = signature.cache.map(() => kvArray(this.cache.kvType, 0));
    this.#present = signature.cache.map(() => kvArray(this.cache.kvType, 0));
    this.#stepLogits = floatArray(signature.logits.type, 0);
  }

  /** The cache itself, for the self-test. */
  get cacheBuffers(): readonly KvArray[] {
    return this.cache.buffers;
  }

  prefill(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void> {
    assertPrefill(this.limits, slot, tokenIds, pastTokens);
    return this.#step([slot], [0], tokenIds, pastTokens);
  }

  decode(rows: number, tokenIds: Int32Array, pastTokens: Int32Array): void | Promise<void> {
    assertDecode(this.limits, rows, tokenIds, pastTokens);
    return forEachInTurn(rowsByPast(rows, pastTokens, this.signature.rowsRunAlone), (group) => {
      const groupTokens = Int32Array.from(group.rows, (row) => tokenIds[row] ?? 0);
      return this.#step(group.rows, group.rows, groupTokens, group.pastTokens);
    });
  }

  protected verify(slot: number, tokenIds: Int32Array, pastTokens: number): void | Promise<void> {
    return this.#step([slot], [0], tokenIds, pastTokens, tokenIds.length);
  }

  /** Appends `tokenIds` [slots, tokensPerRow] to slots of equal past; the logits of as many last ones as are wanted go to `logits` from the rows `logitsRows` on. */
  #step(slots: readonly number[], logitsRows: readonly number[], tokenIds: Int32Array, pastTokens: number, wanted = 1) {
    for (const slot of slots) this.states.begin(slot, pastTokens);
    const rows = slots.length;
    const tokensPerRow = tokenIds.length / rows;
    const { kvHeads, vocabularySize, sideInputs } = this.signature;
    const { layout } = this.cache;
    const { positions, rank } = this.signature.logits;
    const run = this.binding.newRun();
    const tensors = evenInputs(this.binding, this.signature, {
      rows,
      tokensPerRow,
      tokenIds,
      pastTokens,
      logitsPositions: wanted,
    });
    tensors.forEach((tensor, i) => {
      run.setInput(i, tensor);
    });

    const logitsPerRow = positions === 'all' ? tokensPerRow : wanted;
    const logitsLength = rows * logitsPerRow * vocabularySize;
    if (this.#stepLogits.length < logitsLength)
      this.#stepLogits = floatArray(this.signature.logits.type, 2 * logitsLength);
    const logitsDims = rank === 2 ? [rows, vocabularySize] : [rows, logitsPerRow, vocabularySize];
    const logits = this.binding.tensor(this.#stepLogits.subarray(0, logitsLength), logitsDims);
    tensors.push(logits);
    run.setOutput(0, logits);

    const total = pastTokens + tokensPerRow;
    for (const slot of slots) this.cache.touch(slot, total);
    const dims = (tokens: number) => [rows, kvHeads, wholeTiles(layout, tokens), layout.tokenLength];
    const [pastLength, presentLength] = [lengthOf(dims(pastTokens)), lengthOf(dims(total))];
    this.cache.buffers.forEach((buffer, i) => {
      const past = atLeast(this.#past[i], pastLength, layout.type);
      const present = atLeast(this.#present[i], presentLength, layout.type);
      this.#past[i] = past;
      this.#present[i] = present;
      this.#gather(buffer, slots, pastTokens, past);
      const input = this.binding.tensor(past.subarray(0, pastLength), dims(pastTokens));
      const output = this.binding.tensor(present.subarray(0, presentLength), dims(total));
      tensors.push(input, output);
      run.setInput(1 + sideInputs.length + i, input);
      run.setOutput(1 + i, output);
    });

    const caches = this.signature.cache.length;
    const states = this.states.gather(slots);
    tensors.push(...states.past, ...states.present);
    states.past.forEach((tensor, i) => {
      run.setInput(1 + sideInputs.length + caches + i, tensor);
    });
    states.present.forEach((tensor, i) => {
      run.setOutput(1 + caches + i, tensor);
    });

    return finallyAfter(
      () => run.run(),
      () => {
        for (const tensor of tensors) tensor.release();
      },
      () => {
        this.states.putBack(slots, total, states.made);
        this.cache.buffers.forEach((buffer, i) => {
          this.#putBack(buffer, slots, pastTokens, total, this.#present[i] ?? buffer);
        });
        logitsRows.forEach((logitsRow, row) => {
          const end = (row + 1) * logitsPerRow * vocabularySize;
          this.logits.set(this.#stepLogits.subarray(end - wanted * vocabularySize, end), logitsRow * vocabularySize);
        });
      },
    );
  }

  #gather(buffer: KvArray, slots: readonly number[], pastTokens: number, past: KvArray): void {
    const { layout } = this.cache;
    const length = wholeTiles(layout, pastTokens) * layout.tokenLength;
    slots.forEach((slot, row) => {
      for (let head = 0; head < this.cache.kvHeads; head++) {
        const source = this.cache.headOffset(slot, head);
        past.set(buffer.subarray(source, source + length), (row * this.cache.kvHeads + head) * length);
      }
    });
  }

  /** The tiles with new tokens. */
  #putBack(buffer: KvArray, slots: readonly number[], pastTokens: number, total: number, present: KvArray): void {
    const { kvHeads, layout } = this.cache;
    const from = (pastTokens - (pastTokens % layout.tileTokens)) * layout.tokenLength;
    const length = wholeTiles(layout, total) * layout.tokenLength;
    slots.forEach((slot, row) => {
      for (let head = 0; head < kvHeads; head++) {
        const source = (row * kvHeads + head) * length;
        buffer.set(present.subarray(source + from, source + length), this.cache.headOffset(slot, head) + from);
      }
    });
  }
}

/** The same buffer where it is long enough, else one of twice the need, so that growing sequences seldom allocate. */
function atLeast(buffer: KvArray | undefined, length: number, type: KvType): KvArray {
  return buffer !== undefined && buffer.length >= length ? buffer : kvArray(type, 2 * length);
}

function lengthOf(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}
