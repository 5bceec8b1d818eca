import { Seating, type SeatingOptions } from '../seats/seating.ts';
import type { ActiveRequest } from '../sequences/active-request.ts';
import type { Sequence } from '../sequences/sequence.ts';
import type { KvBudget } from '../slots/kv-budget.ts';
import type { TokenProposer } from '../speculation/token-proposer.ts';
import { DueSeats } from './due-seats.ts';
import { KvPressure } from './kv-pressure.ts';
import { endOnBlock, MIN_PREFILL_CHUNK_TOKENS } from './prefill-chunk.ts';
import { PrefillPace } from './prefill-pace.ts';
import type { SchedulerOutput } from './scheduler-output.ts';

export interface SchedulerOptions extends SeatingOptions {
  readonly prefillChunkTokens: number;
  /** 0 for whole chunks. */
  readonly decodeStretch?: number;
  /** Chunks end where states behind them can be kept for later prompts; false by default. */
  readonly keepsStates?: boolean;
  /** Parts in which the runner can compute a chunk. */
  readonly prefillParts?: number;
  readonly leastPrefillMs?: number;
  readonly budget: KvBudget;
  /** Tokens proposed by it are verified; none when left out. */
  readonly proposer?: TokenProposer | null;
  /** Most of them at a time; 0 by default. */
  readonly maxProposals?: number;
}

const IDLE: SchedulerOutput = { kind: 'idle' };

/**
 * Decides what each step computes; sequences join and leave the decode batch between steps.
 *
 * Sequences wait in one line for seats (`DueSeats`), and may lose them for want of memory (`KvPressure`). Of a parked one what it has
 * computed is copied to a parking slot and back when its turn comes, in whatever seat.
 *
 * The first of a request computes the prompt, in chunks, in the slot behind the decode rows; between two decode runs
 * prefill gets at most `prefillChunkTokens` tokens, so no running answer waits longer than one chunk, or two where one is of a
 * tenant that is due more seats than it has. Siblings (`choices > 1`) copy the prompt's keys and values, which some slot of their request still holds: when a row ends while
 * a sibling waits, the sibling inherits the slot.
 */
export class Scheduler {
  readonly pace: PrefillPace;
  readonly seating: Seating;
  readonly #pressure: KvPressure;
  readonly #dueSeats: DueSeats;
  readonly #proposer: TokenProposer | null;
  readonly #maxProposals: number;
  readonly #keepsStates: boolean;
  /** Inherited a slot with their prompt in it, and have no token yet. */
  #heirs: Sequence[] = [];

  constructor(options: SchedulerOptions) {
    const { prefillChunkTokens, decodeStretch = 0, prefillParts, leastPrefillMs, budget } = options;
    if (!Number.isInteger(prefillChunkTokens) || prefillChunkTokens < MIN_PREFILL_CHUNK_TOKENS) {
      throw new RangeError(`prefillChunkTokens must be ${MIN_PREFILL_CHUNK_TOKENS} or more, got ${prefillChunkTokens}`);
    }
    this.pace = new PrefillPace({
      maxTokens: prefillChunkTokens,
      stretch: decodeStretch,
      parts: prefillParts,
      leastMs: leastPrefillMs,
    });
    this.seating = new Seating(options);
    this.#pressure = new KvPressure(budget, this.seating);
    this.#dueSeats = new DueSeats(this.seating, this.#pressure);
    this.#proposer = options.proposer ?? null;
    this.#maxProposals = options.maxProposals ?? 0;
    this.#keepsStates = options.keepsStates ?? false;
  }

  /** How often a sequence lost what it had computed, for want of memory. */
  get preemptions(): number {
    return this.#pressure.preemptions;
  }

  add(request: ActiveRequest): void {
    this.seating.enter(request);
  }

  schedule(): SchedulerOutput {
    const joining = [...this.#heirs, ...this.#dueSeats.seatAll()];
    this.#heirs = [];
    if (joining.length > 0) return { kind: 'join', sequences: joining };
    this.#pressure.stayWithinBudget();

    const { shares, slots } = this.seating;
    const sequence = slots.prefilling;
    const rows = slots.rows;
    const prefill = sequence === null ? null : this.#nextPrefill(sequence, rows.length > 0);
    if (prefill !== null) {
      shares.charge();
      return prefill;
    }
    if (rows.length === 0) return IDLE;
    this.pace.beginDecode();
    shares.charge();
    return this.#nextVerification(rows) ?? { kind: 'decode', rows };
  }

  /** The prompt is computed: its sequence becomes a decode row. */
  promotePrefill(): void {
    const { slots } = this.seating;
    const sequence = slots.prefilling;
    slots.promotePrefill();
    if (sequence !== null) sequence.phase = 'decode';
  }

  /** Ends a decoding sequence. Its slot is free at once, or goes to a sibling that waits for the prompt in it. */
  finish(sequence: Sequence): void {
    const { heir } = sequence.request;
    sequence.end();
    if (heir === null) {
      this.seating.giveUp(sequence);
    } else {
      this.seating.inherit(sequence, heir);
      this.#heirs.push(heir);
    }
    this.seating.leave(sequence);
  }

  /** Takes all sequences of a request out, in whatever phase. Returns those that had not finished. */
  abort(request: ActiveRequest): Sequence[] {
    const aborted = request.sequences.filter((sequence) => sequence.phase !== 'finished');
    for (const sequence of aborted) this.seating.line.remove(sequence);
    this.#heirs = this.#heirs.filter((heir) => heir.request !== request);
    // Highest slot first, so that a row about to leave is not moved into a hole.
    const holding = aborted.filter(({ slot }) => slot >= 0).sort((a, b) => b.slot - a.slot);
    for (const sequence of holding) this.seating.giveUp(sequence);
    for (const sequence of aborted) {
      sequence.end();
      this.seating.leave(sequence);
    }
    return aborted;
  }

  /** Null unless one row runs alone, of which something is expected. Prompts wait for one run at a time, so verification is for nobody else's. */
  #nextVerification(rows: readonly Sequence[]): SchedulerOutput | null {
    const [sequence] = rows;
    if (this.#proposer === null || sequence === undefined || rows.length > 1) return null;
    if (this.seating.slots.prefilling !== null || this.seating.line.length > 0 || !sequence.upToDate) return null;
    // The run itself makes one token more than were proposed.
    const room = this.#pressure.roomOf(sequence) - sequence.computedTokens;
    const most = Math.min(this.#maxProposals, sequence.tokensLeft - 1, room - 1);
    const proposals = most < 1 ? [] : this.#proposer.propose(sequence, most);
    return proposals.length === 0 ? null : { kind: 'verify', sequence, proposals };
  }

  /** Null when rows that wait come first. */
  #nextPrefill(sequence: Sequence, rowsWait: boolean): SchedulerOutput | null {
    const { computedTokens, chunk: begun } = sequence;
    const due = this.seating.shares.giverFor(this.seating.shareOf(sequence)) !== null;
    if (begun !== null) {
      if (!this.pace.continues(begun, begun.part, computedTokens, rowsWait, due)) return null;
      return { kind: 'prefill', sequence, chunkTokens: begun.tokens, part: begun.part, parts: begun.parts };
    }
    const { length } = sequence.prefillTokenIds;
    const end = computedTokens < sequence.sharedTokens ? sequence.sharedTokens : length;
    const paced = this.pace.nextChunk(end - computedTokens, computedTokens, rowsWait, due);
    if (paced === null) return null;
    const endsEarly = this.#keepsStates && computedTokens + paced.tokens < end;
    const chunk = endsEarly ? { ...paced, tokens: endOnBlock(paced.tokens, computedTokens) } : paced;
    if (chunk.parts > 1) sequence.chunk = { ...chunk, part: 0, ms: 0 };
    return { kind: 'prefill', sequence, chunkTokens: chunk.tokens, part: 0, parts: chunk.parts };
  }
}
