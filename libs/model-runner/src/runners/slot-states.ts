import { slotsOfStates } from '#contracts/ports';
import type { BoundTensor, SessionBinding } from '../binding/session-binding.ts';
import { type FloatArray, floatArray } from '../element-type.ts';
import { RunnerArgumentError } from '../runner-argument-error.ts';
import type { ModelSignature, StatePair } from '../signature/model-signature.ts';
import type { CacheSize } from './cache-size.ts';

/** One state's memory. */
interface StateBuffers extends StatePair {
  /** Values of one sequence. */
  readonly length: number;
  /**
   * [slots + parkingSlots, sizes…] and [slots, sizes…]: a run reads a slot's states on one side and writes those behind its tokens on the other, so that
   * a run that fails has changed nothing, and one that succeeds has nothing to copy.
   */
  readonly sides: readonly [FloatArray, FloatArray];
  /** [1, sizes…] between two runs of one chunk */
  readonly carried: FloatArray;
  /** [blocks, sizes…] behind the last token of a block */
  readonly blocks: FloatArray;
}

/** States of a run as its inputs and its outputs, in the order of `signature.states`. */
export interface StateTensors {
  readonly past: readonly BoundTensor[];
  readonly present: readonly BoundTensor[];
}

type Side = 0 | 1;

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
  /** [slots + parkingSlots] where each slot's states are; of parking slots always the first */
  readonly #sides: Uint8Array;
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
    this.#sides = new Uint8Array(slots + parkingSlots);
    this.#blockPositions = new Int32Array(blocks).fill(NOWHERE);
    this.#buffers = states.map((state) => {
      const length = state.sizes.reduce((product, size) => product * size, 1);
      const of = (count: number) => floatArray(state.type, count * length);
      return { ...state, length, sides: [of(slots + parkingSlots), of(slots)], carried: of(1), blocks: of(blocks) };
    });
    this.bytes = stateBytes * slotsOfStates(slots, parkingSlots);
    this.blockBytes = stateBytes * blocks;
  }

  get count(): number {
    return this.#buffers.length;
  }

  /** [slots + parkingSlots, sizes…] each, a copy for self-tests. */
  kept(): FloatArray[] {
    return this.#buffers.map((state) => {
      const all = state.sides[0].slice();
      for (let slot = 0; slot < this.#sides.length; slot++) all.set(this.#of(state, slot), slot * state.length);
      return all;
    });
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

  /** Brings the states of the first slots to one side, which it returns: that of most of them. */
  level(rows: number): Side {
    if (this.count === 0) return 0;
    let ones = 0;
    for (let row = 0; row < rows; row++) ones += this.#sides[row] ?? 0;
    const side: Side = 2 * ones > rows ? 1 : 0;
    for (let row = 0; row < rows; row++) {
      if (this.#sides[row] === side) continue;
      for (const state of this.#buffers) state.sides[side].set(this.#of(state, row), row * state.length);
      this.#sides[row] = side;
    }
    return side;
  }

  /** For a decode run of the first slots, whose states are on `side`. */
  rowTensors(rows: number, side: Side): StateTensors {
    const of = (from: Side) => this.#buffers.map((state) => this.#tensor(state, state.sides[from], 0, rows));
    return { past: of(side), present: of(otherSide(side)) };
  }

  /** For a prefill run of a slot. @param goesOn with what the run before it in its chunk made */
  slotTensors(slot: number, goesOn: boolean): StateTensors {
    const side = this.#sideOf(slot);
    return {
      past: this.#buffers.map((state) =>
        goesOn ? this.#tensor(state, state.carried, 0, 1) : this.#tensor(state, state.sides[side], slot, 1),
      ),
      present: this.#buffers.map((state) => this.#tensor(state, state.sides[otherSide(side)], slot, 1)),
    };
  }

  /** After a run that is not its chunk's last: the next one goes on from what it made. */
  carry(slot: number): void {
    const side = otherSide(this.#sideOf(slot));
    for (const { carried, sides, length } of this.#buffers)
      carried.set(sides[side].subarray(slot * length, (slot + 1) * length));
  }

  /** After a chunk, or a decode run of its row, behind which the slot holds `tokens`: what the last run made are its states. */
  keep(slot: number, tokens: number): void {
    if (this.count === 0) return;
    this.#sides[slot] = otherSide(this.#sideOf(slot));
    this.#positions[slot] = tokens;
  }

  /** States of some slots one behind the other, as inputs of a run of these rows, and memory for those that it makes. */
  gather(slots: readonly number[]): StateTensors & { readonly made: readonly FloatArray[] } {
    const rows = slots.length;
    const made = this.#buffers.map(({ type, length }) => floatArray(type, rows * length));
    const past = this.#buffers.map((state) => {
      const gathered = floatArray(state.type, rows * state.length);
      slots.forEach((slot, row) => {
        gathered.set(this.#of(state, slot), row * state.length);
      });
      return this.#tensor(state, gathered, 0, rows);
    });
    const present = this.#buffers.map((state, i) => this.#tensor(state, made[i] ?? state.carried, 0, rows));
    return { past, present, made };
  }

  /** After such a run. */
  putBack(slots: readonly number[], tokens: number, made: readonly FloatArray[]): void {
    this.#buffers.forEach((state, i) => {
      const { length } = state;
      slots.forEach((slot, row) => {
        const rowStates = made[i]?.subarray(row * length, (row + 1) * length);
        if (rowStates !== undefined) this.#of(state, slot).set(rowStates);
      });
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
    for (const state of this.#buffers) this.#of(state, to).set(this.#of(state, from));
    this.#positions[to] = tokens;
  }

  /** With keys and values up to a slot's token `end`: the states go along where they are behind it. */
  saveBlock(slot: number, block: number, end: number): void {
    if (this.count === 0) return;
    const isThere = this.#positions[slot] === end;
    this.#blockPositions[block] = isThere ? end : NOWHERE;
    if (isThere) for (const state of this.#buffers) state.blocks.set(this.#of(state, slot), block * state.length);
  }

  /** With keys and values up to a slot's token `end`: without states behind it in the block, the slot can not go on there. */
  loadBlock(block: number, slot: number, end: number): void {
    if (this.count === 0) return;
    const isThere = this.#blockPositions[block] === end;
    this.#positions[slot] = isThere ? end : NOWHERE;
    if (!isThere) return;
    for (const state of this.#buffers)
      this.#of(state, slot).set(state.blocks.subarray(block * state.length, (block + 1) * state.length));
  }

  #clear(slot: number): void {
    for (const state of this.#buffers) this.#of(state, slot).fill(0);
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

  #sideOf(slot: number): Side {
    return this.#sides[slot] === 1 ? 1 : 0;
  }

  /** A slot's values, where they are. */
  #of({ sides, length }: StateBuffers, slot: number): FloatArray {
    return sides[this.#sideOf(slot)].subarray(slot * length, (slot + 1) * length);
  }

  #tensor({ sizes, length }: StateBuffers, buffer: FloatArray, first: number, rows: number): BoundTensor {
    return this.#binding.tensor(buffer.subarray(first * length, (first + rows) * length), [rows, ...sizes]);
  }
}

function otherSide(side: Side): Side {
  return side === 0 ? 1 : 0;
}
