import { KV_BLOCK_TOKENS, type ModelRunner, wholeBlocks } from '#contracts/ports';
import type { Sequence } from '../sequences/sequence.ts';
import type { KvBudget } from './kv-budget.ts';

/**
 * Keeps the memory that slots have of the system within the budget: before more is taken, what sequences left behind that have gone or
 * moved is given back. What they hold themselves is the scheduler's to bound.
 */
export class KvMemory {
  readonly #runner: ModelRunner;
  readonly #budget: KvBudget;
  readonly #holders: () => Iterable<Sequence>;
  /** [slots + parkingSlots] tokens to keep of each slot; made once */
  readonly #kept: Int32Array;

  /** @param holders sequences that have a slot, parked ones as well */
  constructor(runner: ModelRunner, budget: KvBudget, holders: () => Iterable<Sequence>) {
    this.#runner = runner;
    this.#budget = budget;
    this.#holders = holders;
    this.#kept = new Int32Array(runner.slots + runner.parkingSlots);
  }

  /** Before so many slots take `tokens` more tokens each. */
  makeRoom(tokens: number, slots = 1): void {
    if (!this.#isShortOf(slots * mostBlocks(tokens))) return;
    this.#markHeld();
    this.#trim();
  }

  copySlot(from: number, to: number, tokens: number): void {
    this.#makeRoomAt(from, to, tokens);
    this.#runner.copySlot(from, to, tokens);
  }

  /** Nobody needs the source afterwards, so its memory does not stay beside the copy. */
  moveSlot(from: number, to: number, tokens: number): void {
    this.#makeRoomAt(from, to, tokens);
    this.#runner.moveSlot(from, to, tokens);
  }

  /** In the middle of a move its sequence may be known at either slot. */
  #makeRoomAt(from: number, to: number, tokens: number): void {
    if (!this.#isShortOf(wholeBlocks(tokens))) return;
    this.#markHeld();
    this.#kept[from] = Math.max(this.#kept[from], tokens);
    this.#kept[to] = 0;
    this.#trim();
  }

  #isShortOf(growth: number): boolean {
    const { residentTokens } = this.#runner;
    return this.#budget.limited && residentTokens !== null && residentTokens + growth > this.#budget.tokens;
  }

  #markHeld(): void {
    this.#kept.fill(0);
    for (const { slot, computedTokens, chunk } of this.#holders())
      this.#kept[slot] = wholeBlocks(computedTokens + (chunk?.tokens ?? 0));
  }

  #trim(): void {
    const { slotTokens } = this.#runner;
    for (const [slot, tokens] of this.#kept.entries()) this.#runner.trimSlot(slot, Math.min(tokens, slotTokens));
  }
}

/** Of a slot that takes `tokens` more and whose last block may be full. */
function mostBlocks(tokens: number): number {
  return wholeBlocks(tokens + KV_BLOCK_TOKENS - 1);
}
