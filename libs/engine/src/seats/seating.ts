import type { ActiveRequest } from '../sequences/active-request.ts';
import type { Sequence } from '../sequences/sequence.ts';
import { ParkingLot } from '../slots/parking-lot.ts';
import { SlotPool } from '../slots/slot-pool.ts';
import { SeatShares } from './seat-shares.ts';
import type { TenantShare } from './tenant-share.ts';
import { WaitingLine } from './waiting-line.ts';

/** Copies the first `tokens` tokens' keys and values from one slot to another. */
export type CopySlot = (from: number, to: number, tokens: number) => void;

export interface SeatingOptions {
  readonly slots: number;
  /** Behind the others; 0 for no parking. */
  readonly parkingSlots: number;
  readonly copySlot: CopySlot;
  /** Nobody reads the source afterwards. */
  readonly moveSlot: CopySlot;
  /** Called with a sequence that has computed nothing, in its slot: it may find some of its prompt computed already. */
  readonly loadPrefix: (sequence: Sequence) => void;
}

/**
 * Where each sequence is: in a seat, parked or in the line. Moves them, with what they have computed, and keeps the tenants' shares
 * true; who has to move is decided elsewhere (`DueSeats`, `KvPressure`).
 */
export class Seating {
  readonly slots: SlotPool<Sequence>;
  readonly parking: ParkingLot;
  readonly shares = new SeatShares();
  readonly line = new WaitingLine();
  readonly #options: SeatingOptions;
  readonly #shareOf = new Map<ActiveRequest, TenantShare>();
  #arrivals = 0;
  #parks = 0;

  constructor(options: SeatingOptions) {
    this.#options = options;
    this.slots = new SlotPool(options.slots, (sequence, from, to) => {
      sequence.chunk = null;
      options.moveSlot(from, to, sequence.computedTokens);
    });
    this.parking = new ParkingLot(options.parkingSlots, options.slots);
  }

  /** Sequences that hold nothing yet. */
  get waiting(): number {
    return this.line.length - this.parking.parked;
  }

  /** How often a sequence was parked. */
  get parks(): number {
    return this.#parks;
  }

  get nobodySits(): boolean {
    return this.slots.occupied === 0;
  }

  /** Sequences whose keys and values are in some slot, parked ones as well. */
  *holders(): Iterable<Sequence> {
    yield* this.slots.rows;
    if (this.slots.prefilling !== null) yield this.slots.prefilling;
    yield* this.line.parked();
  }

  shareOf({ request }: Sequence): TenantShare {
    const share = this.#shareOf.get(request);
    if (share === undefined) throw new Error(`request ${request.input.requestId} is not in the scheduler`);
    return share;
  }

  /** Puts a request's sequences into the line. */
  enter(request: ActiveRequest): void {
    const waiting = request.sequences.filter(({ phase }) => phase === 'waiting');
    const { tenantId = '', weight = 1 } = request.input;
    this.#shareOf.set(request, this.shares.enter(tenantId, weight, waiting.length));
    for (const sequence of waiting) {
      sequence.arrival = this.#arrivals++;
      this.line.add(sequence);
    }
  }

  /**
   * Gives a free seat to a sequence of the line, in prefill or as a decode row.
   * @returns true when it copied its prompt from a sibling: its first token needs no run
   */
  seat(sequence: Sequence): boolean {
    const { request } = sequence;
    this.line.remove(sequence);
    this.shareOf(sequence).seats += 1;
    if (isSibling(sequence)) {
      this.#copyPrompt(sequence);
      return true;
    }
    const parkingSlot = sequence.phase === 'parked' ? sequence.slot : null;
    if (sequence.prefilling) {
      if (request.sharesPrompt) request.promptOwner = sequence;
      sequence.phase = 'prefill';
      this.slots.seatForPrefill(sequence);
    } else {
      sequence.phase = 'decode';
      this.slots.joinRows(sequence);
    }
    if (sequence.computedTokens === 0) this.#options.loadPrefix(sequence);
    if (parkingSlot === null) return false;
    this.#options.moveSlot(parkingSlot, sequence.slot, sequence.computedTokens);
    this.parking.release(parkingSlot);
    return false;
  }

  /** Takes its seat, and keeps what it has computed, where that is anything. */
  park(sequence: Sequence): void {
    const { slot, computedTokens } = sequence;
    if (sequence.chunk !== null) sequence.mayLoseChunk = false;
    if (sequence.untouched) {
      this.giveUp(sequence);
      sequence.beginAgain();
      sequence.phase = 'waiting';
    } else {
      sequence.chunk = null;
      const parkingSlot = this.parking.take();
      this.#options.moveSlot(slot, parkingSlot, computedTokens);
      this.giveUp(sequence);
      sequence.slot = parkingSlot;
      sequence.phase = 'parked';
      this.#parks += 1;
    }
    this.line.add(sequence);
  }

  /** Back into the line, without what it has computed. */
  preempt(sequence: Sequence): void {
    this.giveUp(sequence);
    sequence.preempt();
    this.line.remove(sequence);
    this.line.add(sequence);
  }

  /** A sibling that waits for the prompt takes an ended row, with the prompt in it. */
  inherit(ended: Sequence, heir: Sequence): void {
    this.line.remove(heir);
    this.slots.replaceRow(ended, heir);
    startRow(heir);
  }

  /** Gives its seat or its parking slot back. */
  giveUp(sequence: Sequence): void {
    if (sequence.phase === 'parked') {
      this.parking.release(sequence.slot);
      sequence.slot = -1;
      return;
    }
    this.slots.leave(sequence);
    this.shareOf(sequence).seats -= 1;
  }

  /** It has ended, and holds nothing any more. */
  leave(sequence: Sequence): void {
    this.shares.leave(this.shareOf(sequence));
    if (sequence.request.finished) this.#shareOf.delete(sequence.request);
  }

  #copyPrompt(sibling: Sequence): void {
    const source = sibling.request.sequences.find(({ slot, prefilling }) => slot >= 0 && !prefilling);
    if (source === undefined) throw new Error('no slot holds the prompt that a waiting sibling shares');
    this.slots.joinRows(sibling);
    startRow(sibling);
    this.#options.copySlot(source.slot, sibling.slot, sibling.computedTokens);
  }
}

/** It copies the prompt instead of computing it. */
export function isSibling(sequence: Sequence): boolean {
  const { promptOwner } = sequence.request;
  return sequence.waitsForPrompt && promptOwner !== null && promptOwner !== sequence;
}

function startRow(sibling: Sequence): void {
  sibling.phase = 'decode';
  sibling.computedTokens = sibling.request.promptLength;
}
