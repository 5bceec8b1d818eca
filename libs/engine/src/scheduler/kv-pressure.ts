import { KV_BLOCK_TOKENS } from '#contracts/ports';
import type { Seating } from '../seats/seating.ts';
import type { TenantShare } from '../seats/tenant-share.ts';
import type { Sequence } from '../sequences/sequence.ts';
import type { KvBudget } from '../slots/kv-budget.ts';

/** Keeps what all sequences hold within the memory for keys and values: the newest ones lose what they have computed when it runs out. */
export class KvPressure {
  readonly #budget: KvBudget;
  readonly #seating: Seating;
  #preemptions = 0;

  constructor(budget: KvBudget, seating: Seating) {
    this.#budget = budget;
    this.#seating = seating;
  }

  /** How often a sequence lost what it had computed. */
  get preemptions(): number {
    return this.#preemptions;
  }

  /** Tokens that a sequence may hold in all without the others having to hold less. */
  roomOf(sequence: Sequence): number {
    if (!this.#budget.limited) return Number.POSITIVE_INFINITY;
    const others = this.#heldTokens() - this.#budget.needOf(sequence);
    const room = this.#budget.tokens - others;
    return room - (room % KV_BLOCK_TOKENS);
  }

  hasRoomFor(candidate: Sequence): boolean {
    if (!this.#budget.limited || candidate.phase === 'parked') return true;
    const held = this.#heldTokens();
    if (held === 0) return true;
    const reserve = this.#budget.reserveFor(this.#seating.slots.occupied);
    return held + this.#budget.needOf(candidate) + reserve <= this.#budget.tokens;
  }

  /** Takes the memory of one sequence of the tenant most above its share; of any that is parked, when nobody sits. */
  preemptFor(candidate: Sequence): boolean {
    const { nobodySits, shares } = this.#seating;
    const giver = nobodySits ? null : shares.giverFor(this.#seating.shareOf(candidate));
    if (giver === null && !nobodySits) return false;
    const victim = this.#newestHolder(giver);
    if (victim === undefined) return false;
    this.#preempt(victim);
    return true;
  }

  /** The newest sequences wait again and are computed anew, until what the others need next fits. */
  stayWithinBudget(): void {
    if (!this.#budget.limited) return;
    while (this.#heldTokens() > this.#budget.tokens) {
      const victim = this.#newestHolder(null);
      if (victim === undefined) return;
      this.#preempt(victim);
    }
  }

  #heldTokens(): number {
    let held = 0;
    for (const holder of this.#seating.holders()) held += this.#budget.needOf(holder);
    return held;
  }

  /** Parked ones first, who do not run; never the last one, nor who keeps the prompt for its siblings. */
  #newestHolder(share: TenantShare | null): Sequence | undefined {
    const { slots, parking, nobodySits } = this.#seating;
    const holders = [...this.#seating.holders()].filter(
      (sequence) =>
        (share === null || this.#seating.shareOf(sequence) === share) &&
        (sequence.prefilling || !sequence.request.hasWaitingSiblings || sequence.request.promptHolders > 1),
    );
    if (slots.occupied + parking.parked < 2 && !nobodySits) return undefined;
    const parked = holders.filter(({ phase }) => phase === 'parked');
    return (parked.length > 0 ? parked : holders).sort((a, b) => b.arrival - a.arrival)[0];
  }

  #preempt(sequence: Sequence): void {
    this.#seating.preempt(sequence);
    this.#preemptions += 1;
  }
}
