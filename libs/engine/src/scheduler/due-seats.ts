import { isSibling, type Seating } from '../seats/seating.ts';
import type { TenantShare } from '../seats/tenant-share.ts';
import type { Sequence } from '../sequences/sequence.ts';
import type { KvPressure } from './kv-pressure.ts';

/**
 * Whose turn it is to sit. A free seat goes to the tenant that has least of its share, and there to whoever came first. With
 * no seat free, the newest sequence of the tenant most above its share is parked for one of a tenant below it (`SeatShares`).
 */
export class DueSeats {
  readonly #seating: Seating;
  readonly #pressure: KvPressure;

  constructor(seating: Seating, pressure: KvPressure) {
    this.#seating = seating;
    this.#pressure = pressure;
  }

  /** Gives seats to all to whom they are due; others may lose theirs for it. @returns those whose first token needs no run */
  seatAll(): Sequence[] {
    const joining: Sequence[] = [];
    while (this.#seating.line.length > 0 && this.#seatNext(joining));
    return joining;
  }

  #seatNext(joining: Sequence[]): boolean {
    const { slots, shares, line } = this.#seating;
    if (slots.free === 0 && shares.activeTenants < 2) return false;
    const shareOf = (sequence: Sequence) => this.#seating.shareOf(sequence);
    const candidates = line.firstOfEach(shareOf, (sequence) => this.#canSit(sequence));
    candidates.sort((a, b) => shares.order(shareOf(a), shareOf(b)));
    for (const candidate of candidates) {
      const inTheWay = this.#inTheWayOf(candidate);
      if (inTheWay === 'not due') continue;
      // Whoever comes first is waited for: others would take the memory that it needs, again and again.
      if (!this.#pressure.hasRoomFor(candidate)) {
        if (this.#pressure.preemptFor(candidate)) return true;
        if (this.#seating.nobodySits) continue;
        return false;
      }
      if (inTheWay !== null) this.#seating.park(inTheWay);
      if (this.#seating.seat(candidate)) joining.push(candidate);
      return true;
    }
    return false;
  }

  /** Siblings wait until their prompt is computed, prompts until their tenant's last one is. */
  #canSit(sequence: Sequence): boolean {
    if (isSibling(sequence)) return sequence.request.promptLogits !== null;
    const { prefilling } = this.#seating.slots;
    return (
      !sequence.prefilling ||
      prefilling === null ||
      this.#seating.shareOf(prefilling) !== this.#seating.shareOf(sequence)
    );
  }

  /** Who has to be parked for the candidate, null for nobody. */
  #inTheWayOf(candidate: Sequence): Sequence | null | 'not due' {
    const { shares, slots, parking } = this.#seating;
    const taker = this.#seating.shareOf(candidate);
    const { prefilling } = slots;
    let holder: Sequence | undefined;
    if (prefilling !== null && candidate.prefilling && !isSibling(candidate)) {
      // One prompt at a time.
      if (shares.isDue(taker, this.#seating.shareOf(prefilling))) holder = prefilling;
    } else {
      if (slots.free > 0) return null;
      const giver = shares.giverFor(taker);
      if (giver !== null) holder = this.#newestSeated(giver);
    }
    if (holder === undefined || (holder.chunk !== null && !holder.mayLoseChunk)) return 'not due';
    const mayMove = holder.untouched || parking.hasRoom(candidate.phase === 'parked');
    return mayMove ? holder : 'not due';
  }

  #newestSeated(share: TenantShare): Sequence | undefined {
    const { rows, prefilling } = this.#seating.slots;
    let newest: Sequence | undefined;
    for (const sequence of prefilling === null ? rows : [...rows, prefilling]) {
      if (this.#seating.shareOf(sequence) !== share) continue;
      if (newest === undefined || sequence.arrival > newest.arrival) newest = sequence;
    }
    return newest;
  }
}
