import { slotsOfStates } from '#contracts/ports';
import type { BoundTensor, SessionBinding } from '../binding/session-binding.ts';
import { type FloatArray, floatArray } from '../element-type.ts';
import { RunnerArgumentError } from '../runner-argument-error.ts';
import type { ModelSignature, StatePair } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';

/** One state's memory. A run reads `kept` or `carried` and writes `made`, so that a run that fails has changed nothing. */
interface StateBuffers extends StatePair {
  /** Values of one sequence. */
  readonly length: number;
  /** [slots + parkingSlots, sizes…] behind the last token that counts */
  readonly kept: FloatArray;
  /** [slots, sizes…] what the last run of a slot made */
  readonly made: FloatArray;
  /** [1, sizes…] between two runs of one chunk */
  readonly carried: FloatArray;
  /** [blocks, sizes…] behind the last token of a block */
  readonly blocks: FloatArray;
}

/** Of a slot or a block whose states are behind no token that anybody names. */
const NOWHERE = -1;

/**
 * The states of a fixed size that some layers have beside keys and values: short convolutions, recurrent layers. Unlike these they hold one
 * position only, the one behind a slot's last token: a slot goes on there or begins anew, with zeros, and nowhere else.
 */
export class SlotStates {
  /** In the order of `signature.states`. */
  readonly #buffers: readonly StateBuffers[];
  /** [slots + parkingSlots] tokens behind which each slot's states are */
  readonly #positions: Int32Array;
  /** [blocks] tokens behind which the states are that each block has */
  readonly #blockPositions: Int32Array;
  readonly #binding: SessionBinding;
  /** Of all slots. */
  readonly bytes: number;
  /** Of all blocks. */
  readonly blockBytes: number;

  constructor(
    binding: SessionBinding,
    { states, stateBytes }: Pick<ModelSignature, 'states' | 'stateBytes'>,
    { slots, parkingSlots, blocks = 0 }: Pick<CacheSize, 'slots' | 'parkingSlots' | 'blocks'>,
  ) {
    this.#binding = binding;
    this.#positions = new Int32Array(slots + parkingSlots);
    this.#blockPositions = new Int32Array(blocks).fill(NOWHERE);
    this.#buffers = states.map((state) => {
      const length = state.sizes.reduce((product, size) => product * size, 1);
      const of = (count: number) => floatArray(state.type, count * length);
      return { ...state, length, kept: of(slots + parkingSlots), made: of(slots), carried: of(1), blocks: of(blocks) };
    });
    this.bytes = stateBytes * slotsOfStates(slots, parkingSlots);
    this.blockBytes = stateBytes * blocks;
  }

  get count(): number {
    return this.#buffers.length;
  }

  /** [slots + parkingSlots, sizes…] each, for self-tests. */
  get kept(): readonly FloatArray[] {
    return this.#buffers.map(({ kept }) => kept);
  }

  /**
   * Before a run of a slot that holds `pastTokens` tokens.
   * @throws RunnerArgumentError where its states are behind other tokens: nothing but all of them, or none, can be gone on from
   */
  begin(slot: number, pastTokens: number): void {
    if (this.count === 0) return;
    if (pastTokens === 0) this.#clear(slot);
    this.#assertAt(slot, pastTokens);
  }

  /** States of `rows` slots as a run's inputs. */
  keptTensors(firstSlot: number, rows: number): BoundTensor[] {
    return this.#buffers.map((state) => this.#tensor(state, state.kept, firstSlot, rows));
  }

  /** States of a slot between two runs of one chunk, as inputs. */
  carriedTensors(): BoundTensor[] {
    return this.#buffers.map((state) => this.#tensor(state, state.carried, 0, 1));
  }

  /** States of `rows` slots as a run's outputs. */
  madeTensors(firstSlot: number, rows: number): BoundTensor[] {
    return this.#buffers.map((state) => this.#tensor(state, state.made, firstSlot, rows));
  }

  /** After a run that is not its chunk's last: the next one goes on from what it made. */
  carry(slot: number): void {
    for (const { carried, made, length } of this.#buffers)
      carried.set(made.subarray(slot * length, (slot + 1) * length));
  }

  /** After a chunk, behind which the slot holds `tokens`: what its last run made is the slot's state. */
  keep(slot: number, tokens: number): void {
    for (const { kept, made, length } of this.#buffers)
      kept.set(made.subarray(slot * length, (slot + 1) * length), slot * length);
    this.#positions[slot] = tokens;
  }

  /** The same after a decode run of the first slots. */
  keepRows(rows: number, pastTokens: Int32Array): void {
    for (const { kept, made, length } of this.#buffers) kept.set(made.subarray(0, rows * length));
    for (let row = 0; row < rows; row++) this.#positions[row] = (pastTokens[row] ?? 0) + 1;
  }

  /** Puts the states of some slots one behind the other, as inputs of a run of these rows. */
  gather(slots: readonly number[]): BoundTensor[] {
    return this.#buffers.map((state) => {
      const { kept, length } = state;
      const rows = floatArray(state.type, slots.length * length);
      slots.forEach((slot, row) => {
        rows.set(kept.subarray(slot * length, (slot + 1) * length), row * length);
      });
      return this.#tensor(state, rows, 0, slots.length);
    });
  }

  /** After such a run, which has written to `madeTensors(0, rows)`. */
  putBack(slots: readonly number[], tokens: number): void {
    for (const { kept, made, length } of this.#buffers)
      slots.forEach((slot, row) => {
        kept.set(made.subarray(row * length, (row + 1) * length), slot * length);
      });
    for (const slot of slots) this.#positions[slot] = tokens;
  }

  /** @throws RunnerArgumentError where the states of `from` are behind other tokens than the first `tokens` */
  copy(from: number, to: number, tokens: number): void {
    if (this.count === 0 || from === to) return;
    if (tokens === 0) {
      this.#clear(to);
      return;
    }
    this.#assertAt(from, tokens);
    for (const { kept, length } of this.#buffers) kept.copyWithin(to * length, from * length, (from + 1) * length);
    this.#positions[to] = tokens;
  }

  /** With keys and values up to a slot's token `end`: the states go along where they are behind it. */
  saveBlock(slot: number, block: number, end: number): void {
    if (this.count === 0) return;
    const isThere = this.#positions[slot] === end;
    this.#blockPositions[block] = isThere ? end : NOWHERE;
    if (!isThere) return;
    for (const { kept, blocks, length } of this.#buffers)
      blocks.set(kept.subarray(slot * length, (slot + 1) * length), block * length);
  }

  /** With keys and values up to a slot's token `end`: without states behind it in the block, the slot can not go on there. */
  loadBlock(block: number, slot: number, end: number): void {
    if (this.count === 0) return;
    const isThere = this.#blockPositions[block] === end;
    this.#positions[slot] = isThere ? end : NOWHERE;
    if (!isThere) return;
    for (const { kept, blocks, length } of this.#buffers)
      kept.set(blocks.subarray(block * length, (block + 1) * length), slot * length);
  }

  #clear(slot: number): void {
    for (const { kept, length } of this.#buffers) kept.fill(0, slot * length, (slot + 1) * length);
    this.#positions[slot] = 0;
  }

  #assertAt(slot: number, tokens: number): void {
    const position = this.#positions[slot] ?? 0;
    if (position === tokens) return;
    const where = position === NOWHERE ? 'of a block that was kept without states' : `behind ${position} tokens`;
    throw new RunnerArgumentError(
      `the states of slot ${slot} are ${where}, and ${tokens} are named; go on behind all of them, or begin at 0.`,
    );
  }

  #tensor({ sizes, length }: StateBuffers, buffer: FloatArray, first: number, rows: number): BoundTensor {
    return this.#binding.tensor(buffer.subarray(first * length, (first + rows) * length), [rows, ...sizes]);
  }
}
