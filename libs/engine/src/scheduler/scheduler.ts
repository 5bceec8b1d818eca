import type { ActiveRequest } from '../sequences/active-request.ts';
import type { Sequence } from '../sequences/sequence.ts';
import { SlotPool } from '../slots/slot-pool.ts';
import { MIN_PREFILL_CHUNK_TOKENS, nextPrefillChunk } from './prefill-chunk.ts';
import type { SchedulerOutput } from './scheduler-output.ts';

/** Copies the first `tokens` tokens' keys and values from one slot to another. */
export type CopySlot = (from: number, to: number, tokens: number) => void;

const IDLE: SchedulerOutput = { kind: 'idle' };

/**
 * Decides what each step computes: first come, first served; sequences join and leave the decode batch between steps.
 *
 * Sequences wait in one line. The first of a request computes the prompt, in chunks, in the slot behind the decode rows;
 * between two decode runs prefill gets at most `prefillChunkTokens` tokens, so no running answer waits longer than one
 * chunk. Siblings (`choices > 1`) stand right behind it in the line and copy the prompt's keys and values, which some
 * row of their request still holds: when a row ends while a sibling heads the line, the sibling inherits the slot.
 */
export class Scheduler {
  readonly slots: SlotPool<Sequence>;
  readonly #prefillChunkTokens: number;
  readonly #copySlot: CopySlot;
  readonly #waiting: Sequence[] = [];
  /** Inherited a slot with their prompt in it, and have no token yet. */
  readonly #heirs: Sequence[] = [];
  /** Prompt tokens that may still be computed before the next decode run. */
  #prefillBudgetTokens: number;

  constructor(slotCount: number, prefillChunkTokens: number, copySlot: CopySlot) {
    if (!Number.isInteger(prefillChunkTokens) || prefillChunkTokens < MIN_PREFILL_CHUNK_TOKENS) {
      throw new RangeError(`prefillChunkTokens must be ${MIN_PREFILL_CHUNK_TOKENS} or more, got ${prefillChunkTokens}`);
    }
    this.slots = new SlotPool(slotCount, (sequence, from, to) => copySlot(from, to, sequence.computedTokens));
    this.#prefillChunkTokens = prefillChunkTokens;
    this.#prefillBudgetTokens = prefillChunkTokens;
    this.#copySlot = copySlot;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  add(request: ActiveRequest): void {
    this.#waiting.push(...request.sequences.filter((sequence) => sequence.phase === 'waiting'));
  }

  schedule(): SchedulerOutput {
    const joining = this.#seatSiblings();
    if (joining.length > 0) return { kind: 'join', sequences: joining };

    const sequence = this.slots.prefilling ?? this.#seatNextPrompt();
    const rows = this.slots.rows;
    if (sequence !== null) {
      const chunkTokens = this.#chunkOf(sequence);
      if (rows.length === 0 || chunkTokens <= this.#prefillBudgetTokens) {
        this.#prefillBudgetTokens -= chunkTokens;
        return { kind: 'prefill', sequence, chunkTokens };
      }
    }
    if (rows.length === 0) return IDLE;
    this.#prefillBudgetTokens = this.#prefillChunkTokens;
    return { kind: 'decode', rows };
  }

  /** The prompt is computed: its sequence becomes a decode row. */
  promotePrefill(): void {
    const sequence = this.slots.prefilling;
    this.slots.promotePrefill();
    if (sequence !== null) sequence.phase = 'decode';
  }

  /** Ends a decoding sequence. Its slot is free at once, or goes to a sibling that heads the line. */
  finish(sequence: Sequence): void {
    sequence.end();
    const heir = this.#waiting[0];
    if (heir?.request !== sequence.request || !sequence.request.sharesPrompt) {
      this.slots.leave(sequence);
      return;
    }
    this.#waiting.shift();
    this.slots.replaceRow(sequence, heir);
    this.#startRow(heir);
    this.#heirs.push(heir);
  }

  /** Takes all sequences of a request out, in whatever phase. Returns those that had not finished. */
  abort(request: ActiveRequest): Sequence[] {
    const aborted = request.sequences.filter((sequence) => sequence.phase !== 'finished');
    removeWhere(this.#waiting, (sequence) => sequence.request === request);
    removeWhere(this.#heirs, (sequence) => sequence.request === request);
    // Highest slot first, so that a row about to leave is not moved into a hole.
    const seated = aborted.filter((sequence) => sequence.slot >= 0).sort((a, b) => b.slot - a.slot);
    for (const sequence of seated) this.slots.leave(sequence);
    for (const sequence of aborted) sequence.end();
    return aborted;
  }

  #chunkOf(sequence: Sequence): number {
    return nextPrefillChunk(sequence.prefillTokenIds.length - sequence.computedTokens, this.#prefillChunkTokens);
  }

  #seatNextPrompt(): Sequence | null {
    const next = this.#waiting[0];
    if (next === undefined || this.slots.free === 0) return null;
    this.#waiting.shift();
    next.phase = 'prefill';
    this.slots.seatForPrefill(next);
    return next;
  }

  #seatSiblings(): Sequence[] {
    const seated = this.#heirs.splice(0);
    if (this.slots.prefilling !== null) return seated;
    for (;;) {
      const sibling = this.#waiting[0];
      if (sibling === undefined || sibling.request.promptLogits === null || this.slots.free === 0) return seated;
      const source = this.slots.rows.find((row) => row.request === sibling.request);
      if (source === undefined) throw new Error('no slot holds the prompt that a waiting sibling shares');
      this.#waiting.shift();
      this.slots.joinRows(sibling);
      this.#startRow(sibling);
      this.#copySlot(source.slot, sibling.slot, sibling.computedTokens);
      seated.push(sibling);
    }
  }

  #startRow(sibling: Sequence): void {
    sibling.phase = 'decode';
    sibling.computedTokens = sibling.request.promptLength;
  }
}

function removeWhere<Item>(items: Item[], matches: (item: Item) => boolean): void {
  let kept = 0;
  for (const item of items) {
    if (!matches(item)) items[kept++] = item;
  }
  items.length = kept;
}
